import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache Kafka's Java client driven by the interop runner: one JSON job a line in, one JSON answer a line out. */
public class JavaClient {
  static final ObjectMapper JSON = new ObjectMapper();
  private static String bootstrap;
  private static Admin admin;
  private static final Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        JsonNode result = run(JSON.readTree(line));
        answer.put("ok", true).set("result", result);
      } catch (Exception error) {
        Throwable cause = error;
        while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null)
          cause = cause.getCause();
        answer.put("ok", false).put("error", cause.toString()).put("code", Errors.forException(cause).code());
      }
      out.println(JSON.writeValueAsString(answer));
    }
    System.exit(0);
  }

  private static JsonNode run(JsonNode job) throws Exception {
    String topic = job.path("topic").asText();
    TopicPartition partition = new TopicPartition(topic, job.path("partition").asInt());
    if (admin == null) admin = Admin.create(base());
    switch (job.path("op").asText()) {
      case "produce": return produce(job, partition);
      case "consume": return consume(job, partition);
      case "createTopic":
        admin.createTopics(List.of(new NewTopic(topic, job.path("partitions").asInt(), (short) 1).configs(texts(job.path("set"))))).all().get();
        return null;
      case "listTopics": return JSON.valueToTree(admin.listTopics().names().get());
      case "describeTopic":
        return JSON.valueToTree(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
      case "createPartitions":
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(job.path("partitions").asInt()))).all().get();
        return null;
      case "offsets":
        return JSON.valueToTree(admin.listOffsets(Map.of(partition, spec(job.path("at").asLong()))).partitionResult(partition).get().offset());
      case "describeConfigs": {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        ObjectNode values = JSON.createObjectNode();
        for (ConfigEntry entry : config.entries()) values.put(entry.name(), entry.value());
        return values;
      }
      case "alterConfigs": {
        Collection<AlterConfigOp> changes = new ArrayList<>();
        texts(job.path("set")).forEach((name, value) ->
          changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        for (JsonNode name : job.path("remove"))
          changes.add(new AlterConfigOp(new ConfigEntry(name.asText(), null), AlterConfigOp.OpType.DELETE));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), changes)).all().get();
        return null;
      }
      case "deleteRecords":
        return JSON.valueToTree(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(job.path("offset").asLong())))
          .lowWatermarks().get(partition).get().lowWatermark());
      case "describeProducers":
        return JSON.valueToTree(admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().size());
      case "logDirs": {
        int broker = admin.describeCluster().controller().get().id();
        long size = 0;
        for (LogDirDescription directory : admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker).values())
          for (var replica : directory.replicaInfos().entrySet())
            if (replica.getKey().topic().equals(topic)) size += replica.getValue().size();
        return JSON.valueToTree(size);
      }
      case "describeCluster": {
        var cluster = admin.describeCluster();
        return JSON.createObjectNode().put("brokers", cluster.nodes().get().size()).put("controller", cluster.controller().get().id());
      }
      case "deleteTopic":
        admin.deleteTopics(List.of(topic)).all().get();
        return null;
      default: return runElsewhere(job);
    }
  }

  private static JsonNode runElsewhere(JsonNode job) throws Exception {
    String op = job.path("op").asText();
    if (op.startsWith("group")) return GroupAdmin.run(admin, job);
    if (op.startsWith("txn")) return Transactions.run(job);
    if (op.startsWith("share")) return ShareMember.run(job);
    return GroupMember.run(job);
  }

  static Properties base() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("client.id", "interop-java");
    properties.put("default.api.timeout.ms", "20000");
    properties.put("request.timeout.ms", "15000");
    return properties;
  }

  /** Modes: `acks1`, `acks0`; otherwise acks=all with idempotence, the client's default. */
  private static JsonNode produce(JsonNode job, TopicPartition partition) throws Exception {
    Properties properties = base();
    String mode = job.path("mode").asText("");
    properties.put("acks", mode.equals("acks1") ? "1" : mode.equals("acks0") ? "0" : "all");
    if (mode.startsWith("acks")) properties.put("enable.idempotence", "false");
    properties.put("compression.type", job.path("codec").asText());
    properties.put("linger.ms", "5");
    properties.put("max.request.size", "4000000");
    properties.put("batch.size", "500000");
    ArrayNode offsets = JSON.createArrayNode();
    try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (JsonNode record : job.path("records")) {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : record.path("headers"))
          headers.add(new RecordHeader(header.path("name").asText(), bytes(header.path("value"))));
        sent.add(producer.send(new ProducerRecord<>(partition.topic(), partition.partition(), record.path("timestamp").asLong(),
          bytes(record.path("key")), bytes(record.path("value")), headers)));
      }
      for (Future<RecordMetadata> one : sent) offsets.add(one.get().offset());
    }
    return JSON.createObjectNode().set("offsets", offsets);
  }

  /** Modes: `read_committed`, `tiny` (fetches of one byte). One consumer each; no group is joined. */
  private static JsonNode consume(JsonNode job, TopicPartition partition) {
    String mode = job.path("mode").asText("");
    KafkaConsumer<byte[], byte[]> consumer = consumers.computeIfAbsent(mode, created -> {
      Properties properties = base();
      properties.put("enable.auto.commit", "false");
      properties.put("auto.offset.reset", "none");
      properties.put("fetch.max.wait.ms", "50");
      if (created.equals("read_committed")) properties.put("isolation.level", "read_committed");
      if (created.equals("tiny")) {
        properties.put("fetch.max.bytes", "1");
        properties.put("max.partition.fetch.bytes", "1");
      }
      return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    });
    consumer.assign(List.of(partition));
    long offset = job.path("offset").asLong();
    if (offset == -2) consumer.seekToBeginning(List.of(partition));
    else if (offset == -1) consumer.seekToEnd(List.of(partition));
    else consumer.seek(partition, offset);
    int count = job.path("count").asInt();
    long deadline = System.nanoTime() + job.path("timeoutMs").asLong() * 1_000_000;
    ArrayNode records = JSON.createArrayNode();
    while (records.size() < count) {
      if (System.nanoTime() > deadline)
        throw new IllegalStateException(records.size() + " of " + count + " records came in " + job.path("timeoutMs").asInt() + " ms");
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100)))
        if (records.size() < count) records.add(record(record));
    }
    return JSON.createObjectNode().set("records", records);
  }

  private static JsonNode record(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode node = JSON.createObjectNode().put("offset", record.offset()).put("timestamp", record.timestamp());
    node.put("key", base64(record.key())).put("value", base64(record.value()));
    ArrayNode headers = node.putArray("headers");
    for (Header header : record.headers()) headers.addObject().put("name", header.key()).put("value", base64(header.value()));
    return node;
  }

  private static OffsetSpec spec(long at) {
    if (at == -1) return OffsetSpec.latest();
    if (at == -2) return OffsetSpec.earliest();
    if (at == -3) return OffsetSpec.maxTimestamp();
    return OffsetSpec.forTimestamp(at);
  }

  static Map<String, String> texts(JsonNode node) {
    Map<String, String> values = new HashMap<>();
    node.fields().forEachRemaining(field -> values.put(field.getKey(), field.getValue().asText()));
    return values;
  }

  private static byte[] bytes(JsonNode text) {
    return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
  }

  private static String base64(byte[] bytes) {
    return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
  }
}

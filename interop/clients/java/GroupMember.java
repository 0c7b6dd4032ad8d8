import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The one group member of this process. */
final class GroupMember implements ConsumerRebalanceListener {
  private static GroupMember joined;
  final KafkaConsumer<byte[], byte[]> consumer;
  private final Map<Integer, Long> positions = new TreeMap<>();
  private ArrayNode unreported = JavaClient.JSON.createArrayNode();
  private int rebalances;
  private int revoked;

  static JsonNode run(JsonNode job) {
    switch (job.path("op").asText()) {
      case "join":
        joined = new GroupMember(job);
        return null;
      case "poll": return joined.poll(job.path("timeoutMs").asInt());
      case "commit":
        joined.commit(job.path("style").asText(), job.path("topic").asText(), job.path("metadata").asText());
        return null;
      case "leave":
        joined.consumer.close();
        joined = null;
        return null;
      default: throw new IllegalArgumentException("operation " + job.path("op") + " is not in this program");
    }
  }

  private static final Map<String, String> ASSIGNORS = Map.of(
    "range", "org.apache.kafka.clients.consumer.RangeAssignor",
    "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
    "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
    "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

  static Properties settings(JsonNode job) {
    Properties properties = JavaClient.base();
    properties.put("group.id", job.path("group").asText());
    properties.put("auto.offset.reset", "earliest");
    properties.put("fetch.max.wait.ms", "100");
    properties.put("metadata.max.age.ms", "1000");
    properties.put("enable.auto.commit", job.path("autoCommit").asBoolean());
    properties.put("auto.commit.interval.ms", "200");
    properties.put("isolation.level", "read_committed");
    if (!job.path("instanceId").isNull()) properties.put("group.instance.id", job.path("instanceId").asText());
    if (job.path("protocol").asText().equals("consumer")) {
      properties.put("group.protocol", "consumer");
      properties.put("group.remote.assignor", job.path("assignor").asText());
    } else {
      properties.put("partition.assignment.strategy", ASSIGNORS.get(job.path("assignor").asText()));
      properties.put("session.timeout.ms", job.path("sessionTimeoutMs").asText());
      properties.put("heartbeat.interval.ms", "300");
    }
    return properties;
  }

  private GroupMember(JsonNode job) {
    consumer = new KafkaConsumer<>(settings(job), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    String topic = job.path("topic").asText();
    if (!job.path("pattern").asBoolean()) consumer.subscribe(List.of(topic), this);
    else if (job.path("protocol").asText().equals("consumer"))
      consumer.subscribe(new SubscriptionPattern(topic.substring(0, topic.length() - 1) + "[^.]"), this);
    else consumer.subscribe(Pattern.compile(topic.substring(0, topic.length() - 1) + "[^.]"), this);
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
    rebalances++;
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    revoked += partitions.size();
    partitions.forEach(partition -> positions.remove(partition.partition()));
  }

  private JsonNode poll(int timeoutMs) {
    collect(Duration.ofMillis(timeoutMs));
    ObjectNode answer = JavaClient.JSON.createObjectNode().put("rebalances", rebalances).put("revoked", revoked);
    ArrayNode assigned = answer.putArray("assigned");
    consumer.assignment().stream().map(TopicPartition::partition).sorted().forEach(assigned::add);
    answer.set("records", unreported);
    unreported = JavaClient.JSON.createArrayNode();
    return answer;
  }

  private void collect(Duration timeout) {
    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(timeout)) {
      unreported.addArray().add(record.partition()).add(record.offset()).add(new String(record.value(), StandardCharsets.UTF_8));
      positions.put(record.partition(), record.offset() + 1);
    }
  }

  /** `sync` and `async`: the position of all; `partition`: one commit for each partition, with metadata. */
  private void commit(String style, String topic, String metadata) {
    if (style.equals("sync")) consumer.commitSync();
    else if (style.equals("async")) {
      AtomicReference<Object> outcome = new AtomicReference<>();
      consumer.commitAsync((offsets, error) -> outcome.set(error == null ? "committed" : error));
      for (long deadline = System.nanoTime() + 10_000_000_000L; outcome.get() == null && System.nanoTime() < deadline;)
        collect(Duration.ofMillis(10));
      if (outcome.get() instanceof RuntimeException error) throw error;
      if (outcome.get() == null) throw new IllegalStateException("commitAsync was not answered in 10 s");
    } else
      positions.forEach((partition, offset) ->
        consumer.commitSync(Map.of(new TopicPartition(topic, partition), new OffsetAndMetadata(offset, metadata))));
  }
}

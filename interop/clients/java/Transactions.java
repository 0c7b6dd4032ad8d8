import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Transactional producers by name, and the consume-transform-produce loop. */
final class Transactions {
  private static final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();

  static JsonNode run(JsonNode job) throws Exception {
    String name = job.path("name").asText();
    KafkaProducer<byte[], byte[]> producer = producers.get(name);
    switch (job.path("op").asText()) {
      case "txnOpen":
        producers.put(name, open(job));
        return null;
      case "txnBegin":
        producer.beginTransaction();
        return null;
      case "txnSend": return send(producer, job);
      case "txnEnd":
        if (job.path("commit").asBoolean()) producer.commitTransaction();
        else producer.abortTransaction();
        return null;
      case "txnClose":
        producers.remove(name).close(Duration.ofSeconds(2));
        return null;
      case "txnCopy": return copy(job);
      case "txnHang": return HangingTransaction.write(job);
      default: throw new IllegalArgumentException("operation " + job.path("op") + " is not in this program");
    }
  }

  private static KafkaProducer<byte[], byte[]> open(JsonNode job) {
    Properties properties = JavaClient.base();
    properties.put("transactional.id", job.path("transactionalId").asText());
    properties.put("transaction.timeout.ms", job.path("timeoutMs").asText());
    properties.put("max.block.ms", "20000");
    var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    try {
      producer.initTransactions();
    } catch (RuntimeException error) {
      producer.close(Duration.ZERO);
      throw error;
    }
    return producer;
  }

  private static JsonNode send(KafkaProducer<byte[], byte[]> producer, JsonNode job) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode pair : job.path("pairs"))
      sent.add(producer.send(new ProducerRecord<>(job.path("topic").asText(), pair.path(0).asInt(), null, pair.path(1).asText().getBytes())));
    producer.flush();
    ArrayNode offsets = JavaClient.JSON.createArrayNode();
    for (Future<RecordMetadata> one : sent) offsets.add(one.get().offset());
    return offsets;
  }

  /**
   * Copies records, partition by partition, in transactions with their offsets until none came for `idleMs`, or for `patienceMs` more at first. Every `abortEvery`th
   * transaction is aborted and done again. Returns the numbers of transactions.
   */
  private static JsonNode copy(JsonNode job) {
    Properties settings = GroupMember.settings(job);
    settings.put("max.poll.records", job.path("batch").asText());
    int abortEvery = job.path("abortEvery").asInt();
    String from = job.path("from").asText();
    String to = job.path("to").asText();
    int committed = 0, aborted = 0;
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer()); var producer = open(job)) {
      consumer.subscribe(List.of(from));
      long lastRecord = System.currentTimeMillis() + job.path("patienceMs").asLong();
      while (System.currentTimeMillis() - lastRecord < job.path("idleMs").asLong()) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) continue;
        lastRecord = System.currentTimeMillis();
        producer.beginTransaction();
        try {
          Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
          for (ConsumerRecord<byte[], byte[]> record : records) {
            producer.send(new ProducerRecord<>(to, record.partition(), null, record.value()));
            offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
          }
          producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
          if (abortEvery > 0 && (committed + aborted) % abortEvery == abortEvery - 1) throw new KafkaException("aborted on purpose");
          producer.commitTransaction();
          committed++;
        } catch (ProducerFencedException | OutOfOrderSequenceException | AuthorizationException error) {
          throw error;
        } catch (KafkaException error) {
          producer.abortTransaction();
          aborted++;
          rewind(consumer);
        }
      }
    }
    ObjectNode answer = JavaClient.JSON.createObjectNode();
    return answer.put("committed", committed).put("aborted", aborted);
  }

  private static void rewind(KafkaConsumer<byte[], byte[]> consumer) {
    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
    for (TopicPartition partition : consumer.assignment()) {
      OffsetAndMetadata offset = committed.get(partition);
      if (offset == null) consumer.seekToBeginning(List.of(partition));
      else consumer.seek(partition, offset.offset());
    }
  }
}

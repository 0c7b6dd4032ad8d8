import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The one share consumer of this process, with explicit acknowledgements. */
final class ShareMember {
  private static KafkaShareConsumer<byte[], byte[]> consumer;
  private static final Map<String, ConsumerRecord<byte[], byte[]>> held = new HashMap<>();

  static JsonNode run(JsonNode job) {
    switch (job.path("op").asText()) {
      case "shareJoin": {
        Properties properties = JavaClient.base();
        properties.put("group.id", job.path("group").asText());
        properties.put("share.acknowledgement.mode", job.path("mode").asText());
        properties.put("fetch.max.wait.ms", "100");
        if (job.hasNonNull("maxRecords")) {
          properties.put("max.poll.records", job.path("maxRecords").asText());
          properties.put("share.acquire.mode", "record_limit");
        }
        consumer = new KafkaShareConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(job.path("topic").asText()));
        return null;
      }
      case "sharePoll": {
        ArrayNode records = JavaClient.JSON.createArrayNode();
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(job.path("timeoutMs").asInt()))) {
          held.put(record.partition() + ":" + record.offset(), record);
          records.addArray().add(record.partition()).add(record.offset()).add(new String(record.value(), StandardCharsets.UTF_8))
            .add(record.deliveryCount().orElse((short) 0));
        }
        return records;
      }
      case "shareAcknowledge": {
        for (JsonNode one : job.path("acknowledgements")) {
          ConsumerRecord<byte[], byte[]> record = held.get(one.path(0).asInt() + ":" + one.path(1).asLong());
          consumer.acknowledge(record, AcknowledgeType.valueOf(one.path(2).asText()));
        }
        ObjectNode outcome = JavaClient.JSON.createObjectNode();
        consumer.commitSync().forEach((partition, error) -> outcome.put(String.valueOf(partition.partition()), error.map(Object::toString).orElse("ok")));
        return outcome;
      }
      case "shareLeave":
        consumer.close();
        return null;
      default: throw new IllegalArgumentException("operation " + job.path("op") + " is not in this program");
    }
  }
}

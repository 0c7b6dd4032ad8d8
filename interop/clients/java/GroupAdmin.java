import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the runner itself asks and does around groups: it observes every client's groups through the Java client. */
final class GroupAdmin {
  private static KafkaProducer<String, String> producer;

  static JsonNode run(Admin admin, JsonNode job) throws Exception {
    String group = job.path("group").asText();
    switch (job.path("op").asText()) {
      case "groupDescribe": return describe(admin.describeConsumerGroups(List.of(group)).all().get().get(group));
      case "groupCommitted": return committed(admin, group);
      case "groupAllCommitted": {
        ObjectNode all = JavaClient.JSON.createObjectNode();
        for (GroupListing listing : admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get())
          all.set(listing.groupId(), committed(admin, listing.groupId()));
        return all;
      }
      case "groupFill": return fill(job);
      case "groupRead": return read(job);
      case "groupConfig": {
        List<AlterConfigOp> changes = new ArrayList<>();
        JavaClient.texts(job.path("set")).forEach((name, value) ->
          changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), changes)).all().get();
        return null;
      }
      case "groupFeature": {
        short level = (short) job.path("level").asInt();
        var direction = job.path("lower").asBoolean() ? FeatureUpdate.UpgradeType.SAFE_DOWNGRADE : FeatureUpdate.UpgradeType.UPGRADE;
        admin.updateFeatures(Map.of(job.path("feature").asText(), new FeatureUpdate(level, direction)), new UpdateFeaturesOptions()).all().get();
        return null;
      }
      default: throw new IllegalArgumentException("operation " + job.path("op") + " is not in this program");
    }
  }

  private static ObjectNode committed(Admin admin, String group) throws Exception {
    ObjectNode committed = JavaClient.JSON.createObjectNode();
    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) -> {
      if (offset != null) committed.putArray(partition.toString()).add(offset.offset()).add(offset.metadata());
    });
    return committed;
  }

  private static JsonNode describe(ConsumerGroupDescription description) {
    ObjectNode answer = JavaClient.JSON.createObjectNode();
    answer.put("state", description.groupState().toString()).put("type", description.type().toString());
    answer.put("assignor", description.partitionAssignor());
    ArrayNode members = answer.putArray("members");
    for (MemberDescription member : description.members()) {
      ObjectNode node = members.addObject();
      node.put("id", member.consumerId()).put("client", member.clientId()).put("instanceId", member.groupInstanceId().orElse(null));
      ArrayNode partitions = node.putArray("partitions");
      member.assignment().topicPartitions().stream().map(TopicPartition::partition).sorted().forEach(partitions::add);
    }
    return answer;
  }

  /** Writes values to partitions as told; each pair is [partition, value]. */
  private static JsonNode fill(JsonNode job) throws Exception {
    if (producer == null) producer = new KafkaProducer<>(JavaClient.base(), new StringSerializer(), new StringSerializer());
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode pair : job.path("pairs"))
      sent.add(producer.send(new ProducerRecord<>(job.path("topic").asText(), pair.path(0).asInt(), null, pair.path(1).asText())));
    producer.flush();
    for (Future<RecordMetadata> one : sent) one.get();
    return null;
  }

  /** Every record up to the end as the isolation level sees it, as [partition, key, value], in order per partition. */
  private static JsonNode read(JsonNode job) {
    var settings = JavaClient.base();
    settings.put("isolation.level", job.path("isolation").asText());
    settings.put("enable.auto.commit", "false");
    settings.put("fetch.max.wait.ms", "50");
    ArrayNode records = JavaClient.JSON.createArrayNode();
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      List<TopicPartition> partitions =
        consumer.partitionsFor(job.path("topic").asText()).stream().map(info -> new TopicPartition(info.topic(), info.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      long deadline = System.nanoTime() + 30_000_000_000L;
      while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
        if (System.nanoTime() > deadline) throw new IllegalStateException("the end " + ends + " was not reached in 30 s");
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)))
          if (record.offset() < ends.get(new TopicPartition(record.topic(), record.partition())))
            records.addArray().add(record.partition()).add(record.key()).add(record.value());
      }
    }
    return records;
  }
}

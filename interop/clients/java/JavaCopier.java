import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The Java client copying one topic into another in transactions, as a member of a group, until it is ended. One JSON line a transaction.
 * For groups of KIP-848: Kafka's own TransactionalMessageCopier cannot be a member of one, and ends when it is assigned nothing at first.
 */
public class JavaCopier {
  private static final Map<String, String> options = new HashMap<>();
  private static final Random random = new Random();

  public static void main(String[] arguments) {
    for (String argument : arguments) {
      String[] parts = argument.substring("--".length()).split("=", 2);
      options.put(parts[0], parts[1]);
    }
    KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(producerSettings());
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(consumerSettings());
    long total = 0;
    try {
      producer.initTransactions();
      consumer.subscribe(Set.of(options.get("input")));
      while (true) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
        if (!records.isEmpty() && copy(producer, consumer, records)) {
          total += records.count();
          System.out.println("{\"totalProcessed\":" + total + "}");
        }
      }
    } catch (Exception error) {
      // Not the ordinary way: closing clients that have failed can take long.
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  /** Whether it was committed. */
  private static boolean copy(
      KafkaProducer<byte[], byte[]> producer, KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) {
    producer.beginTransaction();
    try {
      byte[] name = (options.get("transactional-id") + "-" + UUID.randomUUID()).getBytes();
      for (ConsumerRecord<byte[], byte[]> record : records) {
        ProducerRecord<byte[], byte[]> copied =
            new ProducerRecord<>(options.get("output"), record.partition(), record.key(), record.value());
        copied.headers().add("transaction", name);
        producer.send(copied);
      }
      producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
      if (random.nextInt(8) > 0) {
        producer.commitTransaction();
        return true;
      }
    } catch (ProducerFencedException | AuthorizationException error) {
      throw error;
    } catch (KafkaException error) {
      System.err.println(error);
    }
    producer.abortTransaction();
    goBack(consumer, consumer.assignment());
    return false;
  }

  /** To what is committed: records read and not copied are read again. */
  private static void goBack(KafkaConsumer<byte[], byte[]> consumer, Collection<TopicPartition> partitions) {
    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.copyOf(partitions));
    for (TopicPartition partition : partitions) {
      OffsetAndMetadata offset = committed.get(partition);
      if (offset == null) consumer.seekToBeginning(Set.of(partition));
      else consumer.seek(partition, offset.offset());
    }
  }

  private static Properties producerSettings() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", options.get("bootstrap"));
    settings.put("transactional.id", options.get("transactional-id"));
    settings.put("transaction.timeout.ms", options.get("transaction-timeout"));
    settings.put("max.block.ms", "30000");
    settings.put("key.serializer", ByteArraySerializer.class.getName());
    settings.put("value.serializer", ByteArraySerializer.class.getName());
    return settings;
  }

  private static Properties consumerSettings() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", options.get("bootstrap"));
    settings.put("group.id", options.get("group"));
    settings.put("group.protocol", options.get("group-protocol"));
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("max.poll.records", options.get("transaction-size"));
    // Little of each partition at a time, so that transactions lie over several.
    settings.put("max.partition.fetch.bytes", "1024");
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    return settings;
  }
}

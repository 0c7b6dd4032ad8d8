import com.fasterxml.jackson.databind.JsonNode;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;

/** A record of a transaction of which the coordinator knows nothing. No producer of the client writes one, so the requests are sent one by one. */
final class HangingTransaction {
  /** Writes one record with the given timestamp and returns its producer id. The broker must be the coordinator, and must not verify. */
  static JsonNode write(JsonNode job) throws IOException {
    String[] address = JavaClient.base().getProperty("bootstrap.servers").split(":");
    String transactionalId = job.path("transactionalId").asText();
    try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
      var init = new InitProducerIdRequestData().setTransactionalId(transactionalId).setTransactionTimeoutMs(job.path("timeoutMs").asInt());
      var producer = ((InitProducerIdResponse) exchange(socket, new InitProducerIdRequest.Builder(init).build((short) 4))).data();
      Errors.forCode(producer.errorCode()).maybeThrow();

      var record = new SimpleRecord(job.path("timestamp").asLong(), null, job.path("value").asText().getBytes());
      var records = MemoryRecords.withTransactionalRecords(Compression.NONE, producer.producerId(), producer.producerEpoch(), 0, record);
      var partition = new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(records);
      var topics = new ProduceRequestData.TopicProduceDataCollection();
      topics.add(new ProduceRequestData.TopicProduceData().setName(job.path("topic").asText()).setPartitionData(List.of(partition)));
      var data = new ProduceRequestData().setTransactionalId(transactionalId).setAcks((short) -1).setTimeoutMs(10_000).setTopicData(topics);
      // From the next version on the broker itself would add the partition to the transaction.
      var request = ProduceRequest.builder(data).build(ProduceRequest.LAST_STABLE_VERSION_BEFORE_TRANSACTION_V2);
      var answer = ((ProduceResponse) exchange(socket, request)).data().responses().iterator().next().partitionResponses().get(0);
      Errors.forCode(answer.errorCode()).maybeThrow();
      return JavaClient.JSON.createObjectNode().put("producerId", producer.producerId()).put("offset", answer.baseOffset());
    }
  }

  private static AbstractResponse exchange(Socket socket, AbstractRequest request) throws IOException {
    var header = new RequestHeader(request.apiKey(), request.version(), "hanging-transaction", 1);
    ByteBuffer sent = request.serializeWithHeader(header);
    var out = new DataOutputStream(socket.getOutputStream());
    out.writeInt(sent.remaining());
    out.write(sent.array(), sent.arrayOffset() + sent.position(), sent.remaining());
    var in = new DataInputStream(socket.getInputStream());
    return AbstractResponse.parseResponse(ByteBuffer.wrap(in.readNBytes(in.readInt())), header);
  }
}

package scenario;

import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.*;

/**
 * The scenario of tests/clients/README.md with the AWS SDK for Java v2: the asynchronous client over
 * HTTP/2 with CBOR, as the Kinesis Client Library builds it.
 */
public final class Scenario {
  private static void check(boolean condition, String message) {
    if (!condition) throw new AssertionError(message);
  }

  public static void main(String[] args) throws Exception {
    NettyNioAsyncHttpClient.Builder http =
        NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2).maxConcurrency(100)
            .http2Configuration(h -> h.initialWindowSize(512 * 1024)
                                      .healthCheckPingPeriod(java.time.Duration.ofSeconds(60)));
    try (KinesisAsyncClient client = KinesisAsyncClient.builder()
             .endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL")))
             .httpClientBuilder(http).build()) {
      run(client);
    }
    System.out.println("scenario complete");
  }

  private static void run(KinesisAsyncClient client) throws Exception {
    Random random = new Random(7);
    String stream = "java-" + Long.toHexString(System.nanoTime());
    client.createStream(b -> b.streamName(stream).shardCount(2)).join();
    client.waiter().waitUntilStreamExists(b -> b.streamName(stream)).join();

    Map<String, byte[]> sent = new HashMap<>();
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      byte[] data = new byte[1 + i * 7];
      random.nextBytes(data);
      String key = "key-" + i;
      sent.put(key, data);
      if (i > 0) {
        entries.add(PutRecordsRequestEntry.builder().partitionKey(key).data(SdkBytes.fromByteArray(data)).build());
      }
    }
    PutRecordResponse one = client.putRecord(b -> b.streamName(stream).partitionKey("key-0")
        .data(SdkBytes.fromByteArray(sent.get("key-0")))).join();
    PutRecordsResponse many = client.putRecords(b -> b.streamName(stream).records(entries)).join();
    check(many.failedRecordCount() == 0, "failed records: " + many.failedRecordCount());

    Map<String, byte[]> seen = new HashMap<>();
    for (Shard shard : client.listShards(b -> b.streamName(stream)).join().shards()) {
      String iterator = client.getShardIterator(b -> b.streamName(stream).shardId(shard.shardId())
          .shardIteratorType(ShardIteratorType.TRIM_HORIZON)).join().shardIterator();
      BigInteger last = BigInteger.ZERO;
      for (int page = 0; page < 50 && iterator != null; page++) {
        String from = iterator;
        GetRecordsResponse answer = client.getRecords(b -> b.shardIterator(from).limit(60)).join();
        for (software.amazon.awssdk.services.kinesis.model.Record record : answer.records()) {
          BigInteger number = new BigInteger(record.sequenceNumber());
          check(number.compareTo(last) > 0, "sequence numbers must grow");
          last = number;
          check(Math.abs(record.approximateArrivalTimestamp().toEpochMilli() - System.currentTimeMillis()) < 60_000,
              "arrival time " + record.approximateArrivalTimestamp());
          seen.put(record.partitionKey(), record.data().asByteArray());
        }
        if (answer.records().isEmpty()) break;
        iterator = answer.nextShardIterator();
      }
    }
    check(seen.size() == sent.size(), "saw " + seen.size() + " of " + sent.size() + " records");
    sent.forEach((key, data) -> check(java.util.Arrays.equals(data, seen.get(key)), "data of " + key));

    String arn = client.describeStreamSummary(b -> b.streamName(stream)).join().streamDescriptionSummary().streamARN();
    String consumer = client.registerStreamConsumer(b -> b.streamARN(arn).consumerName("fan")).join().consumer().consumerARN();
    for (int tries = 0; ; tries++) {
      if (client.describeStreamConsumer(b -> b.consumerARN(consumer)).join().consumerDescription()
          .consumerStatus() == ConsumerStatus.ACTIVE) break;
      check(tries < 100, "consumer did not become ACTIVE");
      Thread.sleep(100);
    }
    CompletableFuture<String> pushed = new CompletableFuture<>();
    CompletableFuture<Void> opened = new CompletableFuture<>();
    client.subscribeToShard(
        b -> b.consumerARN(consumer).shardId(one.shardId()).startingPosition(p -> p.type(ShardIteratorType.LATEST)),
        SubscribeToShardResponseHandler.builder()
            .onResponse(r -> opened.complete(null))
            .onError(e -> { opened.completeExceptionally(e); pushed.completeExceptionally(e); })
            .subscriber(SubscribeToShardResponseHandler.Visitor.builder().onSubscribeToShardEvent(e -> {
              if (!e.records().isEmpty()) pushed.complete(e.records().get(0).data().asUtf8String());
            }).build())
            .build());
    opened.get(20, TimeUnit.SECONDS);
    client.putRecord(b -> b.streamName(stream).partitionKey("key-0").data(SdkBytes.fromString("pushed", StandardCharsets.UTF_8))).join();
    check(pushed.get(20, TimeUnit.SECONDS).equals("pushed"), "the subscription gave something else");

    try {
      client.describeStreamSummary(b -> b.streamName("no-such-stream")).join();
      throw new AssertionError("expected ResourceNotFoundException");
    } catch (CompletionException e) {
      check(e.getCause() instanceof ResourceNotFoundException, "expected ResourceNotFoundException, got " + e.getCause());
    }
    client.deleteStream(b -> b.streamName(stream).enforceConsumerDeletion(true)).join();
  }
}

// The scenario of tests/clients/README.md with the AWS SDK for JavaScript v3, default HTTP handler
// (HTTP/2). TLS trust comes from NODE_EXTRA_CA_CERTS.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as kinesis from '@aws-sdk/client-kinesis';

const client = new kinesis.KinesisClient({ maxAttempts: 2 });
const StreamName = `js-${randomBytes(4).toString('hex')}`;

async function shardIterators(type) {
  const { Shards } = await client.send(new kinesis.ListShardsCommand({ StreamName }));
  return Promise.all(Shards.map(async ({ ShardId }) => (await client.send(
    new kinesis.GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: type }))).ShardIterator));
}

await client.send(new kinesis.CreateStreamCommand({ StreamName, ShardCount: 2 }));
await kinesis.waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StreamName });

const sent = new Map();
for (let i = 0; i < 200; i++) sent.set(`key-${i}`, randomBytes(1 + i * 7));
const [first, ...rest] = sent;
const one = await client.send(new kinesis.PutRecordCommand({ StreamName, PartitionKey: first[0], Data: first[1] }));
assert.match(one.ShardId, /^shardId-\d{12}$/);
assert.match(one.SequenceNumber, /^49\d{54}$/);
const many = await client.send(new kinesis.PutRecordsCommand({
  StreamName, Records: rest.map(([PartitionKey, Data]) => ({ PartitionKey, Data })) }));
assert.equal(many.FailedRecordCount, 0);
assert.equal(many.Records.length, rest.length);

const seen = new Map();
for (let iterator of await shardIterators('TRIM_HORIZON')) {
  let last = 0n;
  for (let page = 0; page < 50 && iterator; page++) {
    const answer = await client.send(new kinesis.GetRecordsCommand({ ShardIterator: iterator, Limit: 60 }));
    for (const record of answer.Records) {
      assert.ok(BigInt(record.SequenceNumber) > last, 'sequence numbers must grow');
      last = BigInt(record.SequenceNumber);
      assert.ok(Math.abs(record.ApproximateArrivalTimestamp - Date.now()) < 60_000);
      seen.set(record.PartitionKey, Buffer.from(record.Data));
    }
    if (answer.Records.length === 0) break;
    iterator = answer.NextShardIterator;
  }
}
assert.equal(seen.size, sent.size);
for (const [key, data] of sent) assert.ok(data.equals(seen.get(key)), `data of ${key}`);

const { StreamDescriptionSummary: { StreamARN } } = await client.send(new kinesis.DescribeStreamSummaryCommand({ StreamName }));
const { Consumer } = await client.send(new kinesis.RegisterStreamConsumerCommand({ StreamARN, ConsumerName: 'fan' }));
for (let tries = 0; ; tries++) {
  const { ConsumerDescription } = await client.send(new kinesis.DescribeStreamConsumerCommand({ ConsumerARN: Consumer.ConsumerARN }));
  if (ConsumerDescription.ConsumerStatus === 'ACTIVE') break;
  assert.ok(tries < 100, 'consumer did not become ACTIVE');
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const { EventStream } = await client.send(new kinesis.SubscribeToShardCommand({
  ConsumerARN: Consumer.ConsumerARN, ShardId: one.ShardId, StartingPosition: { Type: 'LATEST' } }));
await client.send(new kinesis.PutRecordCommand({ StreamName, PartitionKey: first[0], Data: Buffer.from('pushed') }));
let pushed;
for await (const event of EventStream) {
  const records = event.SubscribeToShardEvent?.Records ?? [];
  assert.ok(event.SubscribeToShardEvent.ContinuationSequenceNumber);
  if (records.length > 0) {
    pushed = Buffer.from(records[0].Data).toString();
    break;
  }
}
assert.equal(pushed, 'pushed');

await assert.rejects(client.send(new kinesis.DescribeStreamSummaryCommand({ StreamName: 'no-such-stream' })), {
  name: 'ResourceNotFoundException', message: /^Stream no-such-stream under account \d{12} not found\.$/ });
await client.send(new kinesis.DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
client.destroy();
console.log('scenario complete');

"""Enhanced fan-out: consumers and SubscribeToShard (boto3 speaks it over HTTP/1.1)."""
import re
import threading
import time

from .conftest import error_of, shards_of, wait_active, wait_consumer


def arn_of(kinesis, stream):
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]


def make_consumer(kinesis, stream, name="fan"):
    consumer = kinesis.register_stream_consumer(StreamARN=arn_of(kinesis, stream), ConsumerName=name)["Consumer"]
    wait_consumer(kinesis, consumer["ConsumerARN"])
    return consumer["ConsumerARN"]


def collect(subscription, count, seconds=20):
    """Records of the subscription until there are `count`."""
    records, deadline = [], time.monotonic() + seconds
    for event in subscription["EventStream"]:
        records += event["SubscribeToShardEvent"]["Records"]
        assert "ContinuationSequenceNumber" in event["SubscribeToShardEvent"]
        if len(records) >= count or time.monotonic() > deadline:
            break
    return records


def test_consumer_life(kinesis, stream):
    arn = arn_of(kinesis, stream)
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="one")["Consumer"]
    assert consumer["ConsumerStatus"] == "CREATING"
    assert re.fullmatch(re.escape(arn) + r"/consumer/one:\d{10}", consumer["ConsumerARN"])
    described = wait_consumer(kinesis, consumer["ConsumerARN"])
    assert described["StreamARN"] == arn and described["ConsumerName"] == "one"
    assert kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="one")["ConsumerDescription"]["ConsumerARN"] == consumer["ConsumerARN"]
    code, _, _ = error_of(kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="one")
    assert code == "ResourceInUseException"
    make_consumer(kinesis, stream, "two")
    page = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=1)
    rest = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=5, NextToken=page["NextToken"])
    assert sorted(c["ConsumerName"] for c in page["Consumers"] + rest["Consumers"]) == ["one", "two"]
    assert kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["ConsumerCount"] == 2
    code, _, _ = error_of(kinesis.delete_stream, StreamName=stream)
    assert code == "ResourceInUseException"
    kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])


def test_subscribe_reads_old_and_new(server, kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    for i in range(10):
        kinesis.put_record(StreamName=stream, Data=str(i).encode(), PartitionKey="k")
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"})
    writer = threading.Timer(0.3, lambda: [server.client("kinesis").put_record(StreamName=stream, Data=str(i).encode(), PartitionKey="k") for i in range(10, 15)])
    writer.start()
    records = collect(subscription, 15)
    writer.join()
    subscription["EventStream"].close()
    assert [int(r["Data"]) for r in records] == list(range(15))


def test_push_comes_within_milliseconds(server, kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition={"Type": "LATEST"})
    sent = []
    def write():
        writer = server.client("kinesis")
        for _ in range(5):
            sent.append(time.monotonic())
            writer.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    arrived = []
    threading.Timer(0.2, write).start()
    for event in subscription["EventStream"]:
        arrived += [time.monotonic()] * len(event["SubscribeToShardEvent"]["Records"])
        if len(arrived) >= 5:
            break
    subscription["EventStream"].close()
    assert len(arrived) == 5
    assert min(a - s for s, a in zip(sent, arrived)) < 0.25


def test_resume_after_a_continuation(kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    for i in range(6):
        kinesis.put_record(StreamName=stream, Data=str(i).encode(), PartitionKey="k")
    first = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"})
    event = next(iter(first["EventStream"]))["SubscribeToShardEvent"]
    first["EventStream"].close()
    seen = [int(r["Data"]) for r in event["Records"]]
    kinesis.put_record(StreamName=stream, Data=b"6", PartitionKey="k")
    again = make_consumer(kinesis, stream, "other")
    second = kinesis.subscribe_to_shard(ConsumerARN=again, ShardId="shardId-000000000000", StartingPosition={
        "Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]})
    seen += [int(r["Data"]) for r in collect(second, 7 - len(seen))]
    second["EventStream"].close()
    assert seen == list(range(7))


def test_one_subscription_per_consumer_and_shard(server, kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    position = {"Type": "LATEST"}
    first = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition=position)
    code, _, _ = error_of(server.client("kinesis").subscribe_to_shard, ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition=position)
    assert code == "ResourceInUseException"
    first["EventStream"].close()


def test_the_end_of_a_shard_is_told(kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    kinesis.put_record(StreamName=stream, Data=b"last", PartitionKey="k")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    wait_active(kinesis, stream)
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"})
    records, children = [], []
    for event in subscription["EventStream"]:
        body = event["SubscribeToShardEvent"]
        records += body["Records"]
        children = body.get("ChildShards", [])
        if children:
            break
    assert [r["Data"] for r in records] == [b"last"]
    assert sorted(c["ShardId"] for c in children) == ["shardId-000000000001", "shardId-000000000002"]


def test_subscribe_errors(kinesis, stream):
    consumer = make_consumer(kinesis, stream)
    code, _, _ = error_of(kinesis.subscribe_to_shard, ConsumerARN=consumer, ShardId="shardId-000000000007", StartingPosition={"Type": "LATEST"})
    assert code == "ResourceNotFoundException"
    code, _, _ = error_of(kinesis.subscribe_to_shard, ConsumerARN=consumer.rsplit(":", 1)[0] + ":1", ShardId="shardId-000000000000", StartingPosition={"Type": "LATEST"})
    assert code == "ResourceNotFoundException"

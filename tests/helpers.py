"""Small things that several test files need."""
import time


def eventually(condition, seconds=20):
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def read_shard(kinesis, stream, shard_id):
    """Every record from the oldest to the tip, in order."""
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = []
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
        records += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            break
    return records


def read_stream(kinesis, stream):
    """Records of all shards, shard by shard."""
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    return [record for shard in shards for record in read_shard(kinesis, stream, shard["ShardId"])]


def put_and_read_everything(kinesis, stream, count):
    """Puts numbered records and checks that each is there once, in order within its shard."""
    eventually(lambda: kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    for first in range(0, count, 100):
        numbers = range(first, min(first + 100, count))
        answer = kinesis.put_records(StreamName=stream, Records=[
            {"Data": str(n).encode(), "PartitionKey": f"key-{n % 17}"} for n in numbers])
        assert answer["FailedRecordCount"] == 0
    seen = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        numbers = [int(r["Data"]) for r in read_shard(kinesis, stream, shard["ShardId"])]
        assert numbers == sorted(numbers)
        seen += numbers
    assert sorted(seen) == list(range(count))

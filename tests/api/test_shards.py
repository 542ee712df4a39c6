"""Split, merge, UpdateShardCount, ListShards and reading across a reshard."""
import re
from datetime import datetime, timedelta, timezone

import pytest

from .conftest import error_of, read_all, shards_of, wait_active


def ranges(shards):
    return sorted((int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in shards)


def open_shards(kinesis, stream):
    return [s for s in shards_of(kinesis, stream) if "EndingSequenceNumber" not in s["SequenceNumberRange"]]


def assert_partition(shards):
    """Open shards cover the key space without gap or overlap."""
    low = 0
    for start, end in ranges(shards):
        assert start == low
        low = end + 1
    assert low == 2**128


def test_split(kinesis, stream):
    kinesis.put_record(StreamName=stream, Data=b"before", PartitionKey="k")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    wait_active(kinesis, stream)
    parent, left, right = shards_of(kinesis, stream)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert left["ParentShardId"] == right["ParentShardId"] == "shardId-000000000000"
    assert (left["ShardId"], right["ShardId"]) == ("shardId-000000000001", "shardId-000000000002")
    assert ranges([left, right]) == [(0, 2**127 - 1), (2**127, 2**128 - 1)]
    assert int(left["SequenceNumberRange"]["StartingSequenceNumber"]) > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    assert kinesis.put_record(StreamName=stream, Data=b"after", PartitionKey="k")["ShardId"] in (left["ShardId"], right["ShardId"])


def test_the_end_of_a_shard(kinesis, stream):
    kinesis.put_record(StreamName=stream, Data=b"last", PartitionKey="k")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    wait_active(kinesis, stream)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator)
    while "NextShardIterator" in answer:
        assert "ChildShards" not in answer or not answer["ChildShards"]
        answer = kinesis.get_records(ShardIterator=answer["NextShardIterator"])
    assert [(c["ShardId"], c["ParentShards"]) for c in answer["ChildShards"]] == [
        ("shardId-000000000001", ["shardId-000000000000"]), ("shardId-000000000002", ["shardId-000000000000"])]
    assert ranges(answer["ChildShards"]) == [(0, 2**126 - 1), (2**126, 2**128 - 1)]


def test_merge(kinesis, make_stream):
    stream = make_stream(shards=3)
    kinesis.merge_shards(StreamName=stream, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
    wait_active(kinesis, stream)
    merged = shards_of(kinesis, stream)[-1]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == ("shardId-000000000001", "shardId-000000000002")
    assert_partition(open_shards(kinesis, stream))
    code, message, _ = error_of(kinesis.merge_shards, StreamName=stream, ShardToMerge="shardId-000000000000",
                                AdjacentShardToMerge="shardId-000000000002")
    assert code in ("InvalidArgumentException", "ResourceInUseException")


def test_reshard_errors(kinesis, stream):
    code, message, _ = error_of(kinesis.split_shard, StreamName=stream, ShardToSplit="shardId-000000000009", NewStartingHashKey="5")
    assert code == "ResourceNotFoundException"
    assert re.fullmatch(rf"Could not find shard shardId-000000000009 in stream {stream} under account \d{{12}}\.", message)
    code, _, _ = error_of(kinesis.split_shard, StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="0")
    assert code == "InvalidArgumentException"


@pytest.mark.parametrize("before, after", [(2, 4), (4, 2), (3, 4), (4, 3), (4, 6), (5, 5)])
def test_update_shard_count(kinesis, make_stream, before, after):
    stream = make_stream(shards=before)
    for i in range(20):
        kinesis.put_record(StreamName=stream, Data=str(i).encode(), PartitionKey=f"k{i}")
    answer = kinesis.update_shard_count(StreamName=stream, TargetShardCount=after, ScalingType="UNIFORM_SCALING")
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (before, after)
    wait_active(kinesis, stream)
    now = open_shards(kinesis, stream)
    assert len(now) == after
    assert_partition(now)
    records = sum(len(read_all(kinesis, stream, s["ShardId"])) for s in shards_of(kinesis, stream))
    assert records == 20


def test_update_shard_count_limits(server, make_stream):
    kinesis = server.client("kinesis", parameter_validation=False)
    stream = make_stream(shards=2)
    for target in (5,):
        code, _, _ = error_of(kinesis.update_shard_count, StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        assert code in ("InvalidArgumentException", "LimitExceededException", "ValidationException")




def test_list_shards_pages_and_filters(kinesis, make_stream):
    stream = make_stream(shards=4)
    first = kinesis.list_shards(StreamName=stream, MaxResults=3)
    assert len(first["Shards"]) == 3
    second = kinesis.list_shards(NextToken=first["NextToken"])
    assert [s["ShardId"] for s in second["Shards"]] == ["shardId-000000000003"] and "NextToken" not in second
    after = kinesis.list_shards(StreamName=stream, ExclusiveStartShardId="shardId-000000000001")["Shards"]
    assert [s["ShardId"] for s in after] == ["shardId-000000000002", "shardId-000000000003"]
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="12345")
    wait_active(kinesis, stream)
    ids = lambda f: [s["ShardId"] for s in shards_of(kinesis, stream, ShardFilter=f)]
    assert ids({"Type": "AT_LATEST"}) == [f"shardId-{i:012}" for i in (1, 2, 3, 4, 5)]
    assert ids({"Type": "AT_TRIM_HORIZON"}) == [f"shardId-{i:012}" for i in (0, 1, 2, 3)]
    assert ids({"Type": "FROM_TRIM_HORIZON"}) == [f"shardId-{i:012}" for i in range(6)]
    assert ids({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000004"}) == ["shardId-000000000005"]
    assert ids({"Type": "FROM_TIMESTAMP", "Timestamp": datetime.now(timezone.utc) - timedelta(hours=1)}) == [f"shardId-{i:012}" for i in range(6)]


def test_list_shards_errors(kinesis, stream):
    code, message, _ = error_of(kinesis.list_shards, StreamName=stream, NextToken="abc")
    assert (code, message) == ("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")
    code, message, _ = error_of(kinesis.list_shards)
    assert (code, message) == ("InvalidArgumentException", "Either NextToken or StreamName should be provided.")

"""PutRecord, PutRecords, iterators and GetRecords."""
import hashlib
import re
import time
from datetime import datetime, timedelta, timezone

import pytest

from .conftest import error_of, read_all, shards_of

# A shard creation too far ahead (kinesalite, test/getShardIterator.js). Small numbers are sequence
# numbers of the oldest layout, which AWS reads.
IMPOSSIBLE = "26227199374822427428162556223570313216"


def position(sequence_number):
    """The record's index in its shard, out of the number's layout (version 2, 186 bits)."""
    digits = f"{int(sequence_number):047x}"
    return int(digits[11:27], 16)


def test_put_and_get_in_order(kinesis, stream):
    sent = [f"record {i}".encode() for i in range(50)]
    answers = [kinesis.put_record(StreamName=stream, Data=data, PartitionKey=f"k{i}") for i, data in enumerate(sent)]
    numbers = [int(a["SequenceNumber"]) for a in answers]
    assert numbers == sorted(set(numbers))
    assert "EncryptionType" not in answers[0]
    records = read_all(kinesis, stream, answers[0]["ShardId"], limit=7)
    assert [r["Data"] for r in records] == sent
    assert [int(r["SequenceNumber"]) for r in records] == numbers
    for record in records:
        assert abs(record["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 60


def test_records_go_where_their_key_hashes(kinesis, make_stream):
    stream = make_stream(shards=5)
    ranges = [(s["ShardId"], int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
              for s in shards_of(kinesis, stream)]
    keys = [f"key-{i}-ü" for i in range(200)]
    answer = kinesis.put_records(StreamName=stream, Records=[{"Data": b"x", "PartitionKey": k} for k in keys])
    assert answer["FailedRecordCount"] == 0
    for key, row in zip(keys, answer["Records"]):
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        assert row["ShardId"] == next(i for i, low, high in ranges if low <= hashed <= high)


def test_explicit_hash_key(kinesis, make_stream):
    stream = make_stream(shards=2)
    for hash_key, shard in (("0", 0), (str(2**127 - 1), 0), (str(2**127), 1), (str(2**128 - 1), 1)):
        answer = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=hash_key)
        assert answer["ShardId"] == f"shardId-{shard:012}"
    code, message, _ = error_of(kinesis.put_record, StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**128))
    assert code == "InvalidArgumentException"
    assert message == f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {2**128}"


def test_put_records_keeps_request_order(kinesis, make_stream):
    stream = make_stream(shards=3)
    entries = [{"Data": str(i).encode(), "PartitionKey": f"k{i % 17}"} for i in range(500)]
    answer = kinesis.put_records(StreamName=stream, Records=entries)
    assert len(answer["Records"]) == 500 and answer["FailedRecordCount"] == 0
    seen = 0
    for shard in shards_of(kinesis, stream):
        values = [int(r["Data"]) for r in read_all(kinesis, stream, shard["ShardId"])]
        assert values == sorted(values)
        seen += len(values)
    assert seen == 500


def test_empty_and_binary_data(kinesis, stream):
    kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="k")
    kinesis.put_record(StreamName=stream, Data=bytes(range(256)), PartitionKey="schlüssel \"\\\n 日本")
    records = read_all(kinesis, stream, "shardId-000000000000")
    assert [r["Data"] for r in records] == [b"", bytes(range(256))]
    assert records[1]["PartitionKey"] == "schlüssel \"\\\n 日本"


def test_iterator_types(kinesis, stream):
    shard = shards_of(kinesis, stream)[0]["ShardId"]
    first = kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="k")
    time.sleep(1.1)  # the arrival second is what AT_TIMESTAMP sees
    between = datetime.now(timezone.utc)
    latest = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    time.sleep(0.05)
    for i in range(1, 4):
        last = kinesis.put_record(StreamName=stream, Data=str(i).encode(), PartitionKey="k")
    data = lambda records: [r["Data"] for r in records]
    assert data(kinesis.get_records(ShardIterator=latest)["Records"]) == [b"1", b"2", b"3"]
    assert data(read_all(kinesis, stream, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first["SequenceNumber"])) == [b"0", b"1", b"2", b"3"]
    assert data(read_all(kinesis, stream, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first["SequenceNumber"])) == [b"1", b"2", b"3"]
    assert data(read_all(kinesis, stream, shard, "AT_TIMESTAMP", Timestamp=between)) == [b"1", b"2", b"3"]
    assert data(read_all(kinesis, stream, shard, "AT_TIMESTAMP", Timestamp=between - timedelta(days=3))) == [b"0", b"1", b"2", b"3"]
    assert data(read_all(kinesis, stream, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=last["SequenceNumber"])) == []


def test_iterators_look_like_aws_and_change(kinesis, stream):
    import base64
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    raw = base64.b64decode(iterator)
    assert raw[:8] == bytes([0] * 7 + [1]) and (len(raw) - 8) % 16 == 0
    answer = kinesis.get_records(ShardIterator=iterator)
    assert answer["Records"] == [] and answer["MillisBehindLatest"] == 0
    assert answer["NextShardIterator"] != iterator
    # An iterator may be used again after a lost answer.
    assert kinesis.get_records(ShardIterator=iterator)["Records"] == []


def test_shard_ids_in_short_form(kinesis, stream):
    for shard in ("0", "shardId-0", "shardId-00000"):
        assert kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]


def test_sequence_number_for_ordering(kinesis, stream):
    first = kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="k")["SequenceNumber"]
    second = kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k", SequenceNumberForOrdering=first)["SequenceNumber"]
    assert int(second) > int(first)
    code, message, _ = error_of(kinesis.put_record, StreamName=stream, Data=b"1", PartitionKey="k", SequenceNumberForOrdering=IMPOSSIBLE)
    assert code == "InvalidArgumentException"
    assert re.fullmatch(rf"ExclusiveMinimumSequenceNumber {IMPOSSIBLE} used in PutRecord on stream {stream} under account \d{{12}} is invalid\.", message)


@pytest.mark.parametrize("iterator", ["", "abc", "AAAAAAAAAAE=", "AAAAAAAAAAE" + "A" * 60])
def test_bad_iterators(server, iterator):
    kinesis = server.client("kinesis", parameter_validation=False)
    code, message, _ = error_of(kinesis.get_records, ShardIterator=iterator)
    if iterator == "":
        assert code == "ValidationException"
    else:
        assert (code, message) == ("InvalidArgumentException", "Invalid ShardIterator.")


def test_bad_iterator_requests(kinesis, stream):
    code, message, _ = error_of(kinesis.get_shard_iterator, StreamName=stream, ShardId="shardId-000000000005", ShardIteratorType="LATEST")
    assert code == "ResourceNotFoundException"
    assert re.fullmatch(rf"Shard shardId-000000000005 in stream {stream} under account \d{{12}} does not exist", message)
    code, message, _ = error_of(kinesis.get_shard_iterator, StreamName=stream, ShardId="shardId-000000000000",
                                ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=IMPOSSIBLE)
    assert code == "InvalidArgumentException"
    assert re.fullmatch(rf"StartingSequenceNumber {IMPOSSIBLE} used in GetShardIterator on shard shardId-000000000000 in stream {stream} under account \d{{12}} is invalid\.", message)
    code, message, _ = error_of(kinesis.get_shard_iterator, StreamName=stream, ShardId="shardId-000000000000",
                                ShardIteratorType="AT_TIMESTAMP", Timestamp=datetime.now(timezone.utc) + timedelta(hours=1))
    assert code == "InvalidArgumentException"
    assert message.startswith("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.")


def test_limits_of_a_request(kinesis, stream):
    code, _, _ = error_of(kinesis.put_records, StreamName=stream, Records=[{"Data": b"x", "PartitionKey": "k"}] * 501)
    assert code == "ValidationException"
    code, _, _ = error_of(kinesis.put_records, StreamName=stream, Records=[{"Data": b"x" * (1 << 20), "PartitionKey": "k"}] * 1)
    assert code in ("ValidationException", "InvalidArgumentException")  # the key counts too: over 1 MiB
    code, _, _ = error_of(kinesis.put_records, StreamName=stream, Records=[{"Data": b"x" * 1_000_000, "PartitionKey": "k"}] * 11)
    assert code in ("ValidationException", "InvalidArgumentException")  # over 10 MiB together


def test_pages_by_size(kinesis, stream):
    for _ in range(3):
        kinesis.put_records(StreamName=stream, Records=[{"Data": b"x" * 1_000_000, "PartitionKey": "k"}] * 5)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    page = kinesis.get_records(ShardIterator=iterator)
    assert 5 <= len(page["Records"]) <= 10
    assert page["MillisBehindLatest"] >= 0
    rest = kinesis.get_records(ShardIterator=page["NextShardIterator"])
    assert len(page["Records"]) + len(rest["Records"]) == 15 or rest["Records"]


def test_sequence_numbers_carry_their_position(kinesis, stream):
    answer = kinesis.put_records(StreamName=stream, Records=[{"Data": b"x", "PartitionKey": "k"}] * 3)
    positions = [position(r["SequenceNumber"]) for r in answer["Records"]]
    assert positions == [positions[0], positions[0] + 1, positions[0] + 2]

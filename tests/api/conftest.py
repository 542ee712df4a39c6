"""Fixtures of the operation tests: one server for all of them, a stream for each test."""
import time
import uuid

import pytest


@pytest.fixture(scope="session")
def server(millstream_factory_session):
    # Limits as AWS has them would make the suite slow and flaky; tests of limits start their own.
    return millstream_factory_session(limits="off")


@pytest.fixture
def kinesis(server):
    return server.client("kinesis")


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:12]}"


def wait_active(kinesis, stream):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        if summary["StreamStatus"] == "ACTIVE":
            return summary
        time.sleep(0.01)
    raise AssertionError(f"{stream} did not become ACTIVE")


def wait_consumer(kinesis, arn, status="ACTIVE"):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        consumer = kinesis.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]
        if consumer["ConsumerStatus"] == status:
            return consumer
        time.sleep(0.01)
    raise AssertionError(f"{arn} did not become {status}")


@pytest.fixture
def make_stream(kinesis):
    made = []

    def make(stream=None, shards=1, **options):
        stream = stream or f"t-{uuid.uuid4().hex[:12]}"
        if options.get("StreamModeDetails", {}).get("StreamMode") != "ON_DEMAND":
            options["ShardCount"] = shards
        kinesis.create_stream(StreamName=stream, **options)
        made.append(stream)
        wait_active(kinesis, stream)
        return stream

    yield make
    for stream in made:
        try:
            kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
        except kinesis.exceptions.ResourceNotFoundException:
            pass


@pytest.fixture
def stream(make_stream):
    return make_stream()


def shards_of(kinesis, stream, **options):
    return kinesis.list_shards(StreamName=stream, **options)["Shards"]


def read_all(kinesis, stream, shard_id, type="TRIM_HORIZON", limit=10_000, **start):
    """Every record from the position to the tip, in order."""
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType=type, **start)["ShardIterator"]
    records = []
    for _ in range(10_000):
        answer = kinesis.get_records(ShardIterator=iterator, Limit=limit)
        records += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if iterator is None or (not answer["Records"] and answer["MillisBehindLatest"] == 0):
            return records
    raise AssertionError("the shard has no end")


def error_of(call, **arguments):
    """(code, message, status) of a call that must fail."""
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]

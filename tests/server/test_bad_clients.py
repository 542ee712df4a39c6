"""Clients that misbehave: ten thousand of them, slow ones, silent ones, ones that send too much. The server
goes on serving the others, and its memory stays bounded."""
import os
import time

import pytest
import raw
from botocore.exceptions import ClientError
from helpers import eventually

CONNECTIONS = 10_000
SHARD = "shardId-000000000000"
MIB = 1 << 20


@pytest.fixture
def make_server(millstream_factory):
    """A server with the stream `orders` of one shard, its client, and what it held before."""
    def make(**options):
        server = millstream_factory(streams=[("orders", 1)], **options)
        kinesis = server.client()
        eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
        return server, kinesis, raw.memory_mib(server)
    return make


def put(kinesis, mib, record_bytes=10_000):
    for _ in range(mib):
        answer = kinesis.put_records(StreamName="orders", Records=[
            {"Data": os.urandom(record_bytes), "PartitionKey": str(n)} for n in range(MIB // record_bytes)])
        assert answer["FailedRecordCount"] == 0


def oldest(kinesis):
    return kinesis.get_shard_iterator(StreamName="orders", ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]


def serves(server, kinesis):
    """A well-behaved client is served, and soon."""
    started = time.monotonic()
    sequence = kinesis.put_record(StreamName="orders", Data=b"still here", PartitionKey="k")["SequenceNumber"]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=SHARD, ShardIteratorType="AT_SEQUENCE_NUMBER",
                                          StartingSequenceNumber=sequence)["ShardIterator"]
    assert kinesis.get_records(ShardIterator=iterator)["Records"][0]["Data"] == b"still here"
    assert server.get("/health/ready")[0] == 200
    assert time.monotonic() - started < 5


def test_ten_thousand_connections(make_server):
    raw.allow_open_files(CONNECTIONS + 1_000)
    server, kinesis, before = make_server()
    connections = [raw.connect(server) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for connection in connections:
        assert raw.answer(connection)[0] == 200
    idle = raw.memory_mib(server) - before
    serves(server, kinesis)

    # Each sends most of a request, and no more.
    for connection in connections:
        connection.sendall(raw.request("PutRecord", b'{"StreamName":"orders","PartitionKey":"1","Data":"' + b"A" * 3_000, length=5_000))
    serves(server, kinesis)
    half_sent = raw.memory_mib(server) - before
    for connection in connections:
        raw.reset(connection)
    serves(server, kinesis)
    print(f"{CONNECTIONS} connections: {idle:.1f} MiB idle, {half_sent:.1f} MiB with 3 KB each of a request that does not end")
    assert idle < 100
    assert half_sent < 300


def test_connections_above_the_limit_are_closed_and_others_served(make_server):
    server, kinesis, _ = make_server(flags=["--set", "listen.connections_max=50"])
    kinesis.list_streams()
    connections = [raw.connect(server) for _ in range(80)]
    closed = 0
    for connection in connections:
        try:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.answer(connection)[0] == 200
        except (EOFError, ConnectionError):
            closed += 1
    assert 30 <= closed < 40
    for connection in connections:
        connection.close()
    eventually(lambda: kinesis.list_streams()["StreamNames"] == ["orders"])


@pytest.mark.parametrize("pipelined", [1, 30])
def test_get_records_that_is_not_read(make_server, pipelined):
    server, kinesis, before = make_server(flags=["--set", "log.cache_bytes=16MiB", "--set", "log.page_bytes=64MiB"])
    put(kinesis, 40)
    iterator = oldest(kinesis)
    readers = [raw.connect(server, receive_buffer=4096) for _ in range(100)]
    for reader in readers:
        reader.sendall(raw.request("GetRecords", {"ShardIterator": iterator}) * pipelined)
    # Other readers get their pages too, if smaller ones.
    for _ in range(20):
        serves(server, kinesis)
        assert kinesis.get_records(ShardIterator=iterator)["Records"]
    held = raw.memory_mib(server, "VmHWM") - before
    for reader in readers:
        raw.reset(reader)

    eventually(lambda: sum(len(r["Data"]) for r in kinesis.get_records(ShardIterator=iterator)["Records"]) > 900_000)
    print(f"100 connections, {pipelined} unread pages each: {held:.0f} MiB")
    assert held < 16 + 2 * 64 + 100


def test_subscribers_that_do_not_read(make_server):
    server, kinesis, before = make_server(flags=["--set", "log.cache_bytes=16MiB"])
    arn = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]
    subscribers = []
    for n in range(20):
        consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"slow-{n}")["Consumer"]["ConsumerARN"]
        eventually(lambda: kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE")
        subscribers.append(raw.connect(server, receive_buffer=4096))
        subscribers[-1].sendall(raw.request("SubscribeToShard", {
            "ConsumerARN": consumer, "ShardId": SHARD, "StartingPosition": {"Type": "TRIM_HORIZON"}}))
    for subscriber in subscribers:
        assert subscriber.recv(15) == b"HTTP/1.1 200 OK"
    put(kinesis, 100)
    serves(server, kinesis)
    held = raw.memory_mib(server, "VmHWM") - before
    print(f"20 subscriptions that do not read 100 MiB: {held:.0f} MiB")
    assert held < 16 + 20 * 6 + 100


def test_bodies_of_a_hundred_megabytes(make_server):
    server, kinesis, before = make_server()
    size = 100 * MIB

    # Announced: refused before a byte of it is read.
    connection = raw.connect(server)
    connection.sendall(raw.request("PutRecords", b"{", length=size))
    assert raw.answer(connection) == (413, b"the request body is too large\n")

    # In chunks: refused where it becomes too large.
    connection = raw.connect(server)
    connection.sendall(raw.request("PutRecords", b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    for _ in range(size // MIB):
        connection.sendall(chunk)  # what follows the refusal is read and dropped, so that the answer arrives
    assert raw.answer(connection) == (413, b"the request body is too large\n")

    # An SDK's own way.
    with pytest.raises(ClientError) as caught:
        kinesis.put_record(StreamName="orders", Data=bytes(80 * MIB), PartitionKey="k")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413

    # Within the size of a body, but not of a record or a request.
    with pytest.raises(ClientError) as caught:
        kinesis.put_record(StreamName="orders", Data=bytes(20 * MIB), PartitionKey="k")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "Member must have length less than or equal to 10485760" in caught.value.response["Error"]["Message"]
    serves(server, kinesis)
    held = raw.memory_mib(server, "VmHWM") - before
    print(f"bodies of 100 MiB and 26 MiB: {held:.0f} MiB at most")
    assert held < 250


def test_many_large_bodies_at_once(make_server):
    """What is announced takes no memory; what is sent is bounded for all connections together."""
    server, kinesis, before = make_server()
    connections = [raw.connect(server) for _ in range(40)]
    refused = 0
    for connection in connections:
        connection.sendall(raw.request("PutRecords", b" " * 1_000, length=60 * MIB))
    serves(server, kinesis)
    for connection in connections:
        connection.settimeout(0.05)
        try:
            status, body = raw.answer(connection)
            assert (status, body) == (503, b"too many request bodies are being received\n")
            refused += 1
        except TimeoutError:
            pass
    print(f"40 bodies of 60 MiB begun: {refused} refused, {raw.memory_mib(server) - before:.0f} MiB")
    assert refused == 40 - 1024 // 60
    assert raw.memory_mib(server) - before < 100
    for connection in connections:
        raw.reset(connection)
    eventually(lambda: raw.answer_to(server, raw.request("PutRecords", b" " * 1_000, length=60 * MIB)) is None)
    serves(server, kinesis)


def test_requests_that_stop_in_the_middle(make_server):
    """Cut at every byte, with a polite end and with a reset."""
    server, kinesis, _ = make_server()
    whole = raw.request("PutRecord", {"StreamName": "orders", "PartitionKey": "cut", "Data": "YQ=="})
    for end in range(len(whole)):
        connection = raw.connect(server)
        connection.sendall(whole[:end])
        if end % 2:
            raw.reset(connection)
        else:
            connection.close()
    serves(server, kinesis)
    records = kinesis.get_records(ShardIterator=oldest(kinesis))["Records"]
    assert all(record["PartitionKey"] != "cut" for record in records)

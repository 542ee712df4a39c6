"""Starting with much: 10,000 shards and 10 GB of data are ready in under 3 s, with little memory for each shard."""
import time

import pytest
import raw
from helpers import eventually, read_shard

SHARDS = 10_000
GROUP = 500  # shards that one PutRecords reaches
RECORD_BYTES = 20_000
START_SECONDS_MAX = 3.0
SHARD_KIB_MAX = 32


def hash_key(shard, shards):
    return str((1 << 128) * shard // shards + 1)


def text(content):
    return cbor_head(3, len(content)) + content.encode()


def cbor_head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    size, code = (1, 24) if argument < 1 << 8 else (2, 25) if argument < 1 << 16 else (4, 26)
    return bytes([major << 5 | code]) + argument.to_bytes(size, "big")


def put_records_body(stream, shards, first, count, record_bytes):
    rows = [cbor_head(5, 3) + text("PartitionKey") + text("k") + text("ExplicitHashKey") + text(hash_key(first + n, shards))
            + text("Data") + cbor_head(2, record_bytes) + bytes([n % 256]) * record_bytes for n in range(count)]
    return cbor_head(5, 2) + text("StreamName") + text(stream) + text("Records") + cbor_head(4, count) + b"".join(rows)


def measured_start(server):
    began = time.monotonic()
    server.start()
    assert server.get("/health/ready")[0] == 200
    return time.monotonic() - began


def large_start(millstream_factory, shards, bytes_per_shard):
    server = millstream_factory(loops=2, flags=["--set", "log.wal_file_bytes=256MiB"])
    empty = raw.memory_mib(server)
    kinesis = server.client()
    began = time.monotonic()
    kinesis.create_stream(StreamName="large", ShardCount=shards)
    eventually(lambda: kinesis.describe_stream_summary(StreamName="large")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", 60)
    created = time.monotonic() - began
    idle_fresh = raw.memory_mib(server)
    bodies = [raw.request("PutRecords", put_records_body("large", shards, first, min(GROUP, shards), RECORD_BYTES), raw.CBOR)
              for first in range(0, shards, GROUP)]
    connections = [raw.connect(server, timeout=120) for _ in range(4)]
    rounds = bytes_per_shard // RECORD_BYTES
    began, requests = time.monotonic(), 0
    for _ in range(rounds):
        for first in range(0, len(bodies), len(connections)):
            used = list(zip(connections, bodies[first:first + len(connections)]))
            for connection, body in used:
                connection.sendall(body)
            for connection, _ in used:
                status, answer = raw.answer(connection)
                assert status == 200, answer[:1000]
                requests += 1
    gigabytes = shards * rounds * RECORD_BYTES / 1e9
    print(f"{shards} shards made in {created:.1f} s; {gigabytes:.1f} GB put in {time.monotonic() - began:.0f} s")
    for connection in connections:
        connection.close()

    server.kill()
    after_kill = measured_start(server)
    server.stop(120)
    after_stop = measured_start(server)
    time.sleep(1)
    per_shard = (raw.memory_mib(server) - empty) * 1024 / shards
    print(f"start after kill -9 {after_kill:.2f} s, after a clean stop {after_stop:.2f} s; "
          f"{per_shard:.1f} KiB a shard ({(idle_fresh - empty) * 1024 / shards:.1f} KiB when new), {raw.memory_mib(server):.0f} MiB in all")
    assert len(server.client().list_shards(StreamName="large")["Shards"]) == min(shards, 1_000)
    for shard in (0, shards - 1):
        records = read_shard(server.client(), "large", f"shardId-{shard:012}")
        assert len(records) == rounds and all(len(r["Data"]) == RECORD_BYTES for r in records)
    assert max(after_kill, after_stop) < START_SECONDS_MAX
    assert per_shard < SHARD_KIB_MAX


def test_a_large_directory_starts_quickly(millstream_factory):
    large_start(millstream_factory, 1_000, 100_000)


@pytest.mark.long
def test_10000_shards_and_10_gb_start_quickly(millstream_factory):
    large_start(millstream_factory, SHARDS, 1_000_000)

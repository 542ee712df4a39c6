"""A full disk, a slow disk, a wall clock that jumps: under a live server.

The same at every single operation, and power cuts, are simulated in src/log/crash_test.cc (SimFileSystem);
clocks in src/streams/*_test.cc (ManualClock).
"""
import mmap
import shutil
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
import raw
from botocore.exceptions import ClientError
from helpers import eventually, read_shard

SHARD = "shardId-000000000000"
MIB = 1 << 20
HOUR_S = 3600


def active(kinesis, stream="orders"):
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


# -- a full disk ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """An ext4 file system of 160 MiB in a file."""
    image, disk = tmp_path / "disk.img", tmp_path / "disk"
    disk.mkdir()
    with open(image, "wb") as file:
        file.truncate(160 * MIB)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a disk of our own here ({error}); src/log/crash_test.cc fills a simulated one")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_refuses_puts_serves_reads_and_recovers(small_disk, millstream_factory):
    server = millstream_factory(start=False, streams=[("orders", 1)], flags=["--data-directory", str(small_disk / "data")])
    server.start()
    kinesis = server.client()
    eventually(lambda: active(kinesis))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(60 * MIB))

    acknowledged, refusals = [], []

    def put(number, size=200_000):
        text = f"{number}-".encode()
        try:
            answer = kinesis.put_records(StreamName="orders", Records=[
                {"Data": text + bytes(size), "PartitionKey": "k"}, {"Data": text + b"b", "PartitionKey": "k"}])
        except ClientError as error:
            refusals.append(error.response["Error"]["Code"])
            return
        for record, tail in zip(answer["Records"], (bytes(size), b"b")):
            if "SequenceNumber" in record:
                acknowledged.append((record["SequenceNumber"], text + tail))
            else:
                refusals.append(record["ErrorCode"])

    def check():
        found = [(r["SequenceNumber"], r["Data"]) for r in read_shard(server.client(), "orders", SHARD)]
        assert found == acknowledged

    number = 0
    while len(refusals) < 20:
        put(number)
        number += 1
        assert number < 2_000, "the disk does not fill"
    print(f"{len(acknowledged)} records until the disk was full; refused with {set(refusals)}")
    assert set(refusals) == {"InternalFailure"} or set(refusals) == {"ServiceUnavailable"}, set(refusals)
    assert "no space left" in server.log()
    assert server.get("/health/live")[0] == 200
    check()

    # Killed and started on the full disk: what was acknowledged is readable.
    server.kill()
    server.start()
    check()

    # Space again, and no restart needed.
    kinesis = server.client()
    filler.unlink()

    def accepts():
        before = len(acknowledged)
        put(10_000)
        return len(acknowledged) > before
    eventually(accepts)
    for number in range(10_001, 10_050):
        put(number, 1_000)
    assert acknowledged[-1][1] == b"10049-b"
    assert server.get("/health/ready")[0] == 200
    server.restart()
    check()
    assert server.stop() == 0


# -- a slow disk and a clock that jumps ------------------------------------------------------------


class Weather:
    def __init__(self, path):
        path.write_bytes(struct.pack("qq", 0, 0))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 16)

    def set(self, disk_delay_s=0, wall_offset_s=0):
        self.memory[:] = struct.pack("qq", int(disk_delay_s * 1e6), int(wall_offset_s * 1e9))


@pytest.fixture(scope="session")
def weather_library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("weather") / "weather.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).parent / "weather.c", "-ldl"], check=True)
    return library


@pytest.fixture
def make_weathered(weather_library, tmp_path, millstream_factory):
    def make(**options):
        weather = Weather(tmp_path / "weather")
        server = millstream_factory(streams=[("orders", 1)], environment={
            "LD_PRELOAD": str(weather_library), "WEATHER_FILE": str(tmp_path / "weather")}, **options)
        kinesis = server.client()
        eventually(lambda: active(kinesis))
        return server, kinesis, weather
    return make


def put_one(kinesis, text):
    return kinesis.put_record(StreamName="orders", Data=text.encode(), PartitionKey="k")["SequenceNumber"]


def test_a_slow_disk_slows_puts_alone(make_weathered):
    server, kinesis, weather = make_weathered()
    put_one(kinesis, "before")
    weather.set(disk_delay_s=0.3)
    started = time.monotonic()
    last = put_one(kinesis, "slow")
    assert time.monotonic() - started >= 0.3, "acknowledged before it was written"

    # Meanwhile reads and other operations are as quick as ever, and one write carries everybody's records.
    putters = [threading.Thread(target=put_one, args=(server.client(), f"together-{n}")) for n in range(20)]
    begun = time.monotonic()
    for putter in putters:
        putter.start()
    slowest = 0
    while any(putter.is_alive() for putter in putters):
        started = time.monotonic()
        assert kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(
            StreamName="orders", ShardId=SHARD, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=last)["ShardIterator"])["Records"]
        slowest = max(slowest, time.monotonic() - started)
    together = time.monotonic() - begun
    print(f"reads took at most {slowest * 1000:.0f} ms, 20 puts together {together:.1f} s")
    assert slowest < 0.25
    assert together < 20 * 0.3 / 2
    weather.set()
    assert sorted(r["Data"].decode() for r in read_shard(kinesis, "orders", SHARD)) == sorted(
        ["before", "slow", *(f"together-{n}" for n in range(20))])


def test_a_disk_that_cannot_follow_refuses_puts_and_bounds_memory(make_weathered):
    server, kinesis, weather = make_weathered(flags=["--set", "log.queue_bytes=16MiB", "--set", "log.cache_bytes=16MiB"])
    before = raw.memory_mib(server)
    weather.set(disk_delay_s=1)
    body = {"StreamName": "orders", "Records": [{"PartitionKey": "k", "Data": "QUFB" * 200_000}] * 4}
    wanted = 60
    connections = [raw.connect(server, timeout=60) for _ in range(wanted)]
    for connection in connections:
        connection.sendall(raw.request("PutRecords", body))
    held = raw.memory_mib(server, "VmHWM") - before
    weather.set()
    accepted = refused = 0
    for connection in connections:
        status, answer = raw.answer(connection)
        if status == 200 and b'"FailedRecordCount":0' in answer:
            accepted += 1
        else:
            assert b"ProvisionedThroughputExceededException" in answer or b"InternalFailure" in answer, answer[:500]
            refused += 1
    print(f"{wanted} puts of 2.4 MB on a disk that writes once a second: {refused} refused, {held:.0f} MiB held")
    assert accepted > 0 and refused > 0
    assert held < 16 + 16 + 150
    assert len(read_shard(kinesis, "orders", SHARD)) == 4 * accepted


@pytest.mark.parametrize("offset_s", [-HOUR_S, 400 * 24 * HOUR_S], ids=["back an hour", "ahead 400 days"])
def test_a_wall_clock_that_jumps(make_weathered, offset_s):
    """Order, arrival times that never go back, iterators and retention hold; the server stays up."""
    server, kinesis, weather = make_weathered()
    numbers = [int(put_one(kinesis, "0"))]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    weather.set(wall_offset_s=offset_s)
    numbers.append(int(put_one(kinesis, "1")))
    time.sleep(0.2)  # let tasks of the background look at the new time
    assert server.get("/health/ready")[0] == 200
    records = read_shard(kinesis, "orders", SHARD)
    assert [r["Data"] for r in records] == [b"0", b"1"], "retention believed the clock"
    weather.set()
    numbers.append(int(put_one(kinesis, "2")))
    assert numbers == sorted(set(numbers))
    records = read_shard(kinesis, "orders", SHARD)
    assert [r["Data"] for r in records] == [b"0", b"1", b"2"]
    times = [r["ApproximateArrivalTimestamp"] for r in records]
    assert times == sorted(times)
    assert kinesis.get_records(ShardIterator=iterator)["Records"][0]["Data"] == b"0"
    server.kill()
    server.start()
    assert [r["Data"] for r in read_shard(server.client(), "orders", SHARD)] == [b"0", b"1", b"2"]

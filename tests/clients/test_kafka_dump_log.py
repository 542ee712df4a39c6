"""Kafka's own tool reads our segment files: kafka-dump-log, from the artifacts that kafka/pom.xml names.

What Kafka says about a healthy segment is fixed: every batch `isvalid: true`, each record's offset one more
than the last, and of each index only its name. Everything else that it prints is a complaint.
"""
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import eventually
from test_clients import copied, run

RECORDS, BATCH = 6_000, 100


@pytest.fixture(scope="session")
def dump_log():
    if not shutil.which("mvn") or not shutil.which("java"):
        pytest.skip("needs Java and Maven")
    home = copied("kafka")
    run(["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath"], home)
    classpath = (home / "classpath").read_text().strip()

    def dump(files, *options):
        done = subprocess.run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", classpath,
                               "kafka.tools.DumpLogSegments", "--files", ",".join(str(f) for f in files), *options],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert done.stderr == ""
        return done.stdout.splitlines()
    return dump


def segment_files(server, suffix):
    return sorted(p for p in (Path(server.home) / "data/log/logs").rglob(f"*{suffix}") if p.stat().st_size > 0)


def put(server, records, seed):
    random_ = random.Random(seed)
    kinesis = server.client()
    for _ in range(records // BATCH):
        answer = kinesis.put_records(StreamName="orders", Records=[
            {"Data": random_.randbytes(random_.choice([0, 1, 100, 1_000, 3_000])), "PartitionKey": f"{random_.getrandbits(64)}-é"}
            for _ in range(BATCH)])
        assert answer["FailedRecordCount"] == 0


@pytest.fixture(scope="module")
def segments(millstream_factory_session):
    """A data directory with several segments a shard, some of them rebuilt after a crash; the server is stopped."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    server = millstream_factory_session(streams=[("orders", 2)], flags=["--set", "log.segment_bytes=1MiB"])
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    put(server, RECORDS // 2, seed)
    server.kill()
    server.start()
    put(server, RECORDS // 2, seed + 1)
    assert server.stop() == 0
    assert len(segment_files(server, ".log")) > 4
    return server


def test_every_record_of_every_segment(segments, dump_log):
    lines = dump_log(segment_files(segments, ".log"), "--deep-iteration")
    offsets, next_offset, start = 0, None, None
    for line in lines:
        if line.startswith("Dumping "):
            path = Path(line.removeprefix("Dumping "))
            continue
        if line.startswith("Log starting offset: "):
            start = int(line.removeprefix("Log starting offset: "))
            assert start == int(path.stem)
            assert next_offset in (start, None) or start == 0, "a segment begins where the one before ends"
            next_offset = start
            continue
        if line.startswith("baseOffset: "):
            assert "isvalid: true" in line and "compresscodec: none" in line and "magic: 2" in line, line
            continue
        record = re.match(r"\| offset: (\d+) CreateTime: (\d+) keySize: (-?\d+) valueSize: (\d+) ", line)
        assert record, f"kafka-dump-log complains: {line}"
        assert int(record[1]) == next_offset
        next_offset += 1
        offsets += 1
    assert offsets == RECORDS


@pytest.mark.parametrize("options", [(), ("--verify-index-only",), ("--index-sanity-check",)], ids=lambda o: (*o, "dump")[0])
@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
def test_indexes_agree_with_their_segments(segments, dump_log, suffix, options):
    files = segment_files(segments, suffix)
    assert len(files) > 4
    entries = dict.fromkeys(files, 0)
    for line in dump_log(files, *options):
        if line.startswith("Dumping "):
            path = Path(line.removeprefix("Dumping "))
        elif options == ("--index-sanity-check",):
            assert re.fullmatch(r"\S+ passed sanity check\.", line), line
        else:
            assert not options and re.fullmatch(r"(offset: \d+ position: \d+|timestamp: \d+ offset: \d+)", line), \
                f"kafka-dump-log complains: {line}"
            entries[path] += 1
    if not options:
        assert all(entries.values())


def test_a_damaged_segment_is_told(segments, dump_log, tmp_path):
    """The tool does look: one flipped bit and it says so."""
    healthy = segment_files(segments, ".log")[0]
    content = bytearray(healthy.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / healthy.name
    damaged.write_bytes(content)
    assert any("isvalid: false" in line for line in dump_log([damaged]))

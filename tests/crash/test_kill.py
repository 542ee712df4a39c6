"""kill -9 at random moments under load: nothing acknowledged is lost, reordered or doubled."""
import random
import threading

import pytest
from helpers import eventually, read_shard

STREAM, SHARDS, WRITERS = "crash", 3, 4
LONG_ROUNDS = 300


class Writer(threading.Thread):
    """Puts numbered records of its own until the server goes away, and remembers what was acknowledged:
    by shard, the sequence number and the text of each."""

    def __init__(self, server, name, first):
        super().__init__(daemon=True)
        self.kinesis, self.name, self.next = server.client(), name, first
        self.acknowledged, self.problem = [], None

    def run(self):
        shuffle = random.Random(self.name)
        try:
            while True:
                texts = [f"{self.name}-{self.next + i}" for i in range(shuffle.choice([1, 1, 10, 100]))]
                self.next += len(texts)
                if len(texts) == 1:
                    answer = self.kinesis.put_record(StreamName=STREAM, Data=texts[0].encode(), PartitionKey=texts[0])
                    self.acknowledged.append((answer["ShardId"], int(answer["SequenceNumber"]), texts[0]))
                    continue
                answer = self.kinesis.put_records(StreamName=STREAM, Records=[
                    {"Data": text.encode(), "PartitionKey": text} for text in texts])
                for text, result in zip(texts, answer["Records"]):
                    if "SequenceNumber" in result:
                        self.acknowledged.append((result["ShardId"], int(result["SequenceNumber"]), text))
        except Exception as error:  # noqa: BLE001  the connection breaks in many ways
            self.problem = error


def check(kinesis, acknowledged):
    found = {}
    for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
        records = read_shard(kinesis, STREAM, shard["ShardId"])
        numbers = [int(r["SequenceNumber"]) for r in records]
        assert numbers == sorted(set(numbers)), "sequence numbers must rise"
        for record in records:
            text = bytes(record["Data"]).decode()
            assert text not in found, f"{text} is there twice"
            found[text] = (shard["ShardId"], int(record["SequenceNumber"]))
    for shard_id, number, text in acknowledged:
        assert found.get(text) == (shard_id, number), f"acknowledged record {text} is {found.get(text, 'lost')}"


def crash_rounds(server, rounds, seed):
    """Returns how many times the server was killed, and how many records had been acknowledged."""
    print(f"seed {seed}")
    moments = random.Random(seed)
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    acknowledged = []
    next_number = 0
    for killed in range(1, rounds + 1):
        writers = [Writer(server, f"w{i}", next_number) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        eventually(lambda: any(w.acknowledged for w in writers))
        killer = threading.Event()
        killer.wait(moments.uniform(0, 0.25))
        server.kill()
        for writer in writers:
            writer.join(30)
            assert not writer.is_alive()
            acknowledged += writer.acknowledged
        next_number = max(w.next for w in writers)
        server.start()
        check(server.client(), acknowledged)
        # The whole history is checked again and again; keep it of a bearable size.
        if len(acknowledged) > 50_000:
            break
    return killed, len(acknowledged)


def test_kill_9_under_load(millstream_factory):
    crash_rounds(millstream_factory(streams=[(STREAM, SHARDS)]), 6, random.randrange(1 << 32))


@pytest.mark.long
def test_kill_9_under_load_for_long(millstream_factory):
    kills = records = 0
    while kills < LONG_ROUNDS:
        server = millstream_factory(streams=[(STREAM, SHARDS)])
        killed, acknowledged = crash_rounds(server, min(12, LONG_ROUNDS - kills), random.randrange(1 << 32))
        kills, records = kills + killed, records + acknowledged
        server.stop()
    print(f"{kills} times killed, {records} records acknowledged and found")


def test_kill_9_between_control_operations(millstream_factory):
    server = millstream_factory()
    kinesis = server.client()
    kinesis.create_stream(StreamName="kept", ShardCount=2)
    eventually(lambda: kinesis.describe_stream_summary(StreamName="kept")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    kinesis.add_tags_to_stream(StreamName="kept", Tags={"a": "b"})
    kinesis.split_shard(StreamName="kept", ShardToSplit="shardId-000000000000", NewStartingHashKey="5")
    kinesis.create_stream(StreamName="gone", ShardCount=1)
    kinesis.delete_stream(StreamName="gone")
    server.kill()
    server.start()
    kinesis = server.client()
    eventually(lambda: kinesis.list_streams()["StreamNames"] == ["kept"])
    eventually(lambda: kinesis.describe_stream_summary(StreamName="kept")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    assert len(kinesis.list_shards(StreamName="kept")["Shards"]) == 4
    assert kinesis.list_tags_for_stream(StreamName="kept")["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize("tail", [b"", b"\x00" * 100, b"garbage at the end of a file"])
def test_an_unfinished_port_file_or_lock_does_not_matter(millstream_factory, tail):
    """What a crash leaves beside the data is replaced, not trusted."""
    server = millstream_factory()
    server.kill()
    (server.home / "data/lock").write_bytes(b"1" + tail)
    server.start()
    assert server.get("/health/ready")[0] == 200

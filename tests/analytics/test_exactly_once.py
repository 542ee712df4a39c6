"""kill -9 at random moments: every window's results are those of an uninterrupted run.

ROWTIME is the moment at which a record is read, so no second run would see the same. The application therefore
also writes every row with its ROWTIME; from these rows a few lines of Python compute what tumbling, sliding and
stagger windows must have given.
"""
import json
import random
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
from conftest import SCHEMA, arn_of
from helpers import eventually, read_shard

CODE = """
CREATE STREAM raw (t TIMESTAMP, id INTEGER, k VARCHAR(16));
CREATE PUMP raw_pump AS INSERT INTO raw SELECT STREAM s.ROWTIME, "v", "k" FROM "SOURCE_SQL_STREAM_001" AS s;
CREATE STREAM tumbling (t TIMESTAMP, k VARCHAR(16), n BIGINT, total BIGINT);
CREATE PUMP tumbling_pump AS INSERT INTO tumbling
SELECT STREAM STEP(s.ROWTIME BY INTERVAL '1' SECOND), "k", COUNT(*), SUM("v") FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY "k", STEP(s.ROWTIME BY INTERVAL '1' SECOND);
CREATE STREAM sliding (id INTEGER, n BIGINT, total BIGINT);
CREATE PUMP sliding_pump AS INSERT INTO sliding
SELECT STREAM "v", COUNT(*) OVER w, SUM("v") OVER w FROM "SOURCE_SQL_STREAM_001"
WINDOW w AS (PARTITION BY "k" RANGE INTERVAL '2' SECOND PRECEDING);
CREATE STREAM stagger (k VARCHAR(16), n BIGINT, first_id INTEGER);
CREATE PUMP stagger_pump AS INSERT INTO stagger SELECT STREAM "k", COUNT(*), MIN("v") FROM "SOURCE_SQL_STREAM_001"
WINDOWED BY STAGGER (PARTITION BY "k" RANGE INTERVAL '1' SECOND);
"""
OUTPUTS = ["RAW", "TUMBLING", "SLIDING", "STAGGER"]


class Feeder(threading.Thread):
    """Puts numbered rows until the server goes away; remembers which numbers were acknowledged and which may be there."""

    def __init__(self, server, first, seed):
        super().__init__(daemon=True)
        self.kinesis, self.next, self.random = server.client(), first, random.Random(seed)
        self.acknowledged, self.unsure = [], []

    def run(self):
        try:
            while True:
                numbers = range(self.next, self.next + self.random.choice([1, 2, 20]))
                self.next = numbers[-1] + 1
                self.unsure = list(numbers)
                self.kinesis.put_records(StreamName="source", Records=[
                    {"Data": json.dumps({"v": n, "k": f"k{n % 5}"}).encode(), "PartitionKey": str(n)} for n in numbers])
                self.acknowledged += numbers
                self.unsure = []
                threading.Event().wait(self.random.uniform(0, 0.02))
        except Exception:  # noqa: BLE001  the connection breaks in many ways
            pass


def rows_of(kinesis, stream):
    return [json.loads(r["Data"]) for shard in kinesis.list_shards(StreamName=stream)["Shards"]
            for r in read_shard(kinesis, stream, shard["ShardId"])]


def expected_of(rows):
    """The windows over rows in the order of arrival."""
    rows = sorted(((datetime.fromisoformat(r["T"]), r["ID"], r["K"]) for r in rows))
    tumbling, sliding, stagger, opened = {}, Counter(), Counter(), {}
    second, by_key = timedelta(seconds=1), {}
    for t, number, key in rows:
        window = tumbling.setdefault((t.replace(microsecond=0), key), [0, 0])
        window[0] += 1
        window[1] += number
        seen = by_key.setdefault(key, [])
        seen.append((t, number))
        inside = [n for when, n in seen if when >= t - 2 * second]
        sliding[(number, len(inside), sum(inside))] += 1
        if key not in opened or t >= opened[key][0] + second:
            if key in opened:
                stagger[(key, *opened[key][1:])] += 1
            opened[key] = [t, 0, number]
        opened[key][1] += 1
    for key, window in opened.items():
        stagger[(key, *window[1:])] += 1
    return Counter((t, key, n, total) for (t, key), (n, total) in tumbling.items()), sliding, stagger


@pytest.mark.parametrize("rounds", [8, pytest.param(60, marks=pytest.mark.long)])
def test_kill_9_changes_no_result(millstream_factory, rounds):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    streams = [("source", 1), *((name, 2) for name in OUTPUTS)]
    server = millstream_factory(streams=streams, config="[analytics]\ncheckpoint_interval_ms = 400\n")
    analytics = server.client("kinesisanalyticsv2")
    schema = {**SCHEMA, "RecordColumns": [{"Name": "k", "SqlType": "VARCHAR(16)", "Mapping": "$.k"},
                                          {"Name": "v", "SqlType": "INTEGER", "Mapping": "$.v"}]}
    analytics.create_application(
        ApplicationName="windows", RuntimeEnvironment="SQL-1_0", ServiceExecutionRole="arn:aws:iam::000000000000:role/r",
        ApplicationConfiguration={
            "SqlApplicationConfiguration": {
                "Inputs": [{"NamePrefix": "SOURCE_SQL_STREAM", "InputSchema": schema,
                            "KinesisStreamsInput": {"ResourceARN": arn_of(server, "source")}}],
                "Outputs": [{"Name": name, "KinesisStreamsOutput": {"ResourceARN": arn_of(server, name)},
                             "DestinationSchema": {"RecordFormatType": "JSON"}} for name in OUTPUTS]},
            "ApplicationCodeConfiguration": {"CodeContentType": "PLAINTEXT", "CodeContent": {"TextContent": CODE}}})
    analytics.start_application(ApplicationName="windows", RunConfiguration={"SqlRunConfigurations": [
        {"InputId": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "TRIM_HORIZON"}}]})
    eventually(lambda: analytics.describe_application(ApplicationName="windows")["ApplicationDetail"]
               ["ApplicationStatus"] == "RUNNING")

    acknowledged, next_number = [], 0
    for _ in range(rounds):
        feeder = Feeder(server, next_number, moments.random())
        feeder.start()
        eventually(lambda: feeder.acknowledged)
        threading.Event().wait(moments.uniform(0.05, 0.9))
        server.kill()
        feeder.join(30)
        acknowledged += feeder.acknowledged
        next_number = feeder.next
        server.start()
    kinesis = server.client()
    records = [json.loads(r["Data"])["v"] for r in read_shard(kinesis, "source", "shardId-000000000000")]
    assert set(acknowledged) <= set(records)

    eventually(lambda: len(rows_of(kinesis, "RAW")) >= len(records), 30)
    raw = rows_of(kinesis, "RAW")
    assert Counter(r["ID"] for r in raw) == Counter(records)
    tumbling, sliding, stagger = expected_of(raw)

    def tumbled():
        return Counter((datetime.fromisoformat(r["T"]), r["K"], r["N"], r["TOTAL"]) for r in rows_of(kinesis, "TUMBLING"))

    def staggered():
        return Counter((r["K"], r["N"], r["FIRST_ID"]) for r in rows_of(kinesis, "STAGGER"))
    eventually(lambda: sum(tumbled().values()) >= sum(tumbling.values()) and
               sum(staggered().values()) >= sum(stagger.values()))
    threading.Event().wait(0.5)  # for what must not come
    assert tumbled() == tumbling
    assert staggered() == stagger
    assert Counter((r["ID"], r["N"], r["TOTAL"]) for r in rows_of(kinesis, "SLIDING")) == sliding
    assert "did not give again" not in server.log()
    assert "after a crash" in server.log()

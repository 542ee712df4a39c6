"""Time to result: from the acknowledgement of the record that a result follows from to the result in its stream.

Printed (pytest -s); asserted generously, since the machine may be busy.
"""
import json
import time

from conftest import ROLE, arn_of, input_of, output_of, wait_for

CODE = """
CREATE STREAM rows_out (k VARCHAR(16), v INTEGER);
CREATE PUMP p1 AS INSERT INTO rows_out SELECT STREAM "k", "v" FROM "SOURCE_SQL_STREAM_001";
CREATE STREAM seconds_out (t TIMESTAMP, n BIGINT);
CREATE PUMP p2 AS INSERT INTO seconds_out
SELECT STREAM STEP(s.ROWTIME BY INTERVAL '1' SECOND), COUNT(*) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY STEP(s.ROWTIME BY INTERVAL '1' SECOND);
"""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_results_come_in_time(server, kinesis, v2, name, make_stream):
    source, rows, seconds = make_stream(), make_stream(), make_stream()
    v2.create_application(
        ApplicationName=name, RuntimeEnvironment="SQL-1_0", ServiceExecutionRole=ROLE, ApplicationConfiguration={
            "SqlApplicationConfiguration": {
                "Inputs": [input_of(server, source)],
                "Outputs": [output_of(server, rows, "ROWS_OUT"), output_of(server, seconds, "SECONDS_OUT")]},
            "ApplicationCodeConfiguration": {"CodeContentType": "PLAINTEXT", "CodeContent": {"TextContent": CODE}}})
    v2.start_application(ApplicationName=name, RunConfiguration={"SqlRunConfigurations": [
        {"InputId": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "TRIM_HORIZON"}}]})
    wait_for(v2, name, "RUNNING")

    # The arrival time of a result is when its stream took it; both clocks are the server's.
    count = 150
    for i in range(count):
        kinesis.put_record(StreamName=source, PartitionKey="k", Data=json.dumps({"k": "a", "v": i}).encode())
        time.sleep(0.013)
    time.sleep(1.3)

    def read(stream):
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="0", ShardIteratorType="TRIM_HORIZON")
        return kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=10_000)["Records"]
    put_at = {json.loads(r["Data"])["v"]: r["ApproximateArrivalTimestamp"].timestamp() for r in read(source)}
    row_ms = [1000 * (r["ApproximateArrivalTimestamp"].timestamp() - put_at[json.loads(r["Data"])["V"]])
              for r in read(rows)]
    window_ms = [1000 * (r["ApproximateArrivalTimestamp"].timestamp() % 1) for r in read(seconds)]
    assert len(row_ms) == count and sum(json.loads(r["Data"])["N"] for r in read(seconds)) == count
    p50, p99 = percentile(row_ms, 0.5), percentile(row_ms, 0.99)
    print(f"row to result: p50 {p50:.0f} ms, p99 {p99:.0f} ms; end of window to result: at most {max(window_ms):.0f} ms")
    assert p99 < 100 and max(window_ms) < 250

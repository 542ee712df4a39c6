"""What an operator relies on: health, metrics, the audit trail, faults, reload, graceful stop."""
import json
import re
import signal
import socket
import threading
import time

import pytest
from botocore.exceptions import ClientError

from helpers import eventually, put_and_read_everything, read_stream


def test_health(millstream):
    assert millstream.get("/health/live")[0] == 200
    assert millstream.get("/health/ready")[0] == 200
    assert millstream.get("/health/nothing")[0] == 404


def test_metrics_follow_what_happened(millstream_factory):
    server = millstream_factory(streams=[("m", 1)])
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="m")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    kinesis.put_record(StreamName="m", Data=b"12345", PartitionKey="k")
    kinesis.put_records(StreamName="m", Records=[{"Data": b"x", "PartitionKey": "k"}] * 3)
    status, text = server.get("/metrics")
    assert status == 200
    labels = '{account="000000000000",region="eu-west-1",stream="m"}'
    assert f"streams_put_record_success_total{labels} 1\n" in text
    assert f"streams_put_records_successful_total{labels} 3\n" in text
    assert f"streams_open_shards{labels} 1\n" in text
    assert re.search(r"^log_commit_seconds_count [1-9]", text, re.M)
    assert re.search(r'^aws_requests_total\{[^}]*PutRecord', text, re.M)
    for line in text.splitlines():  # the format itself
        assert line.startswith("#") or re.fullmatch(r'[a-z_0-9]+(\{[^{}]*\})? [-+0-9.eEinfaN]+', line), line


def test_shard_metrics_come_with_enhanced_monitoring(millstream_factory):
    server = millstream_factory(streams=[("m", 1)])
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="m")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    assert "streams_shard_incoming_bytes_total{" not in server.get("/metrics")[1]
    kinesis.enable_enhanced_monitoring(StreamName="m", ShardLevelMetrics=["IncomingBytes"])
    kinesis.put_record(StreamName="m", Data=b"12345", PartitionKey="k")
    text = server.get("/metrics")[1]
    assert re.search(r'^streams_shard_incoming_bytes_total\{.*shard="shardId-000000000000"\} [1-9]', text, re.M)
    assert "streams_shard_incoming_records_total{" not in text


def test_the_audit_trail_is_a_stream_of_cloudtrail_events(millstream_factory):
    server = millstream_factory(audit=True, config='[defaults]\nregion = "eu-west-1"\n')
    kinesis = server.client()
    kinesis.create_stream(StreamName="audited", ShardCount=1)
    with pytest.raises(ClientError):
        kinesis.describe_stream(StreamName="missing")

    def events():
        return [json.loads(r["Data"]) for r in read_stream(kinesis, "millstream-audit")]
    eventually(lambda: {"CreateStream", "DescribeStream"} <= {e["eventName"] for e in events()})
    created = next(e for e in events() if e["eventName"] == "CreateStream")
    assert created["eventSource"] == "kinesis.amazonaws.com"
    assert created["awsRegion"] == "eu-west-1"
    assert created["sourceIPAddress"] == "127.0.0.1"
    assert created["requestParameters"]["streamName"] == "audited"
    assert "boto" in created["userAgent"].lower()
    failed = next(e for e in events() if e["eventName"] == "DescribeStream")
    assert failed["errorCode"] == "ResourceNotFoundException"
    # Reading the trail is not itself a source of records in it.
    assert not any(e["eventName"] == "GetRecords" for e in events())
    assert re.search(r"^audit_dropped_total 0$", server.get("/metrics")[1], re.M)


def test_faults_on_demand(millstream_factory):
    server = millstream_factory(streams=[("f", 1)], config='[[fault]]\noperation = "PutRecord"\n'
                                'error = "ProvisionedThroughputExceededException"\ntimes = 1\n')
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="f")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
        kinesis.put_record(StreamName="f", Data=b"x", PartitionKey="k")
    kinesis.put_record(StreamName="f", Data=b"x", PartitionKey="k")

    server.put_faults([{"operation": "ListStreams", "error": "InternalFailure", "delay_ms": 50}])
    before = time.monotonic()
    with pytest.raises(ClientError) as caught:
        kinesis.list_streams()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert time.monotonic() - before >= 0.05
    server.put_faults([])
    kinesis.list_streams()


def test_access_keys_are_reloaded_on_sighup(millstream_factory):
    server = millstream_factory(credentials=True)
    server.client().list_streams()
    text = server.config_file.read_text()
    server.config_file.write_text(text.replace(server.secret_key, "another-secret"))
    server.process.send_signal(signal.SIGHUP)

    def refused():
        try:
            server.client().list_streams()
        except ClientError as error:
            return error.response["Error"]["Code"] == "InvalidSignatureException"
        return False
    eventually(refused)
    server.secret_key = "another-secret"
    server.client().list_streams()


def test_policies_of_access_keys(millstream_factory):
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kinesis:List*", "Resource": "*"}]}
    server = millstream_factory(credentials=True, config=(
        f"[[access_key]]\nid = 'READER'\nsecret = 'r'\nprincipal = 'arn:aws:iam::000000000000:user/reader'\n"
        f"policy = '''{json.dumps(policy)}'''\n"))
    reader = server.client(access_key="READER", secret_key="r")
    reader.list_streams()
    with pytest.raises(ClientError) as caught:
        reader.create_stream(StreamName="s", ShardCount=1)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "user/reader is not authorized to perform: kinesis:CreateStream" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_stop_exits_0_and_keeps_everything(millstream_factory, how):
    server = millstream_factory(streams=[("s", 2)], durability="interval")
    kinesis = server.client()
    put_and_read_everything(kinesis, "s", 200)
    server.process.send_signal(how)
    assert server.process.wait(20) == 0
    server.process = None
    server.start()
    assert len(read_stream(server.client(), "s")) == 200


def test_a_stop_ends_subscriptions_and_idle_connections(millstream_factory):
    server = millstream_factory(streams=[("s", 1)])
    kinesis = server.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    arn = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    eventually(lambda: kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE")
    stream = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="shardId-000000000000",
                                        StartingPosition={"Type": "LATEST"})["EventStream"]
    ended = threading.Event()

    def follow():
        try:
            for _ in stream:
                pass
        except Exception:  # noqa: BLE001  how a client sees a lost connection is its own affair
            pass
        ended.set()
    threading.Thread(target=follow, daemon=True).start()
    idle = socket.create_connection(("127.0.0.1", server.port))
    before = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - before < 5
    assert ended.wait(5)
    idle.close()


def test_the_start_is_quick(millstream_factory):
    """From nothing to the first answer; the goal is 50 ms, the bound leaves room for a busy machine."""
    server = millstream_factory()
    startup = float(re.search(r"^server_startup_seconds (\S+)$", server.get("/metrics")[1], re.M).group(1))
    assert startup < 1.0

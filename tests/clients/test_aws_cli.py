"""The AWS command line, version 1 (PyPI's `awscli`), as people use it. Version 2: test_aws_cli_v2.py.

Most calls run the command's main function in this process, which saves a second each.
"""
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
from awscli.clidriver import create_clidriver

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module", params=["open", "signed_tls"])
def aws(request, millstream_factory_session, tmp_path_factory):
    secured = request.param == "signed_tls"
    server = millstream_factory_session(tls=secured, credentials=secured)
    environment = {**os.environ, "AWS_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": server.region,
                   "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
                   "HOME": str(tmp_path_factory.mktemp("home"))}
    if secured:
        environment["AWS_CA_BUNDLE"] = str(server.ca_file)

    impatient = mock.Mock(sleep=lambda _: time.sleep(0.05))  # waiters sleep for ten seconds

    def run(operation, *arguments, fails=None, **changed):
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.dict(os.environ, {**environment, **changed}), mock.patch("botocore.waiter.time", impatient), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(["kinesis", operation, *arguments, "--output", "json"])
        if fails is not None:
            assert code != 0 and f"({fails})" in err.getvalue(), err.getvalue()
            return err.getvalue()
        assert code == 0, err.getvalue()
        return json.loads(out.getvalue()) if out.getvalue().strip() else None
    run.environment = environment
    return run


def test_the_program_itself(aws):
    done = subprocess.run([AWS, "kinesis", "describe-limits", "--query", "OpenShardCount"], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **aws.environment})
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def read(aws, shard="shardId-000000000000"):
    iterator = aws("get-shard-iterator", "--stream-name", "cli", "--shard-id", shard, "--shard-iterator-type", "TRIM_HORIZON")["ShardIterator"]
    return [base64.b64decode(record["Data"]) for record in aws("get-records", "--shard-iterator", iterator)["Records"]]


def test_the_life_of_a_stream(aws):
    aws("create-stream", "--stream-name", "cli", "--shard-count", "1", "--tags", "team=a")
    aws("wait", "stream-exists", "--stream-name", "cli")
    assert aws("list-streams")["StreamNames"] == ["cli"]
    summary = aws("describe-stream-summary", "--stream-name", "cli")["StreamDescriptionSummary"]
    assert (summary["StreamStatus"], summary["OpenShardCount"]) == ("ACTIVE", 1)

    put = aws("put-record", "--stream-name", "cli", "--partition-key", "k", "--data", "one")
    assert put["ShardId"] == "shardId-000000000000"
    put = aws("put-records", "--stream-name", "cli", "--records", "Data=two,PartitionKey=k", "Data=three,PartitionKey=l,ExplicitHashKey=5")
    assert put["FailedRecordCount"] == 0
    assert read(aws) == [b"one", b"two", b"three"]

    aws("split-shard", "--stream-name", "cli", "--shard-to-split", "shardId-000000000000", "--new-starting-hash-key", "1000")
    aws("wait", "stream-exists", "--stream-name", "cli")
    shards = aws("list-shards", "--stream-name", "cli")["Shards"]
    assert [s.get("ParentShardId") for s in shards] == [None, "shardId-000000000000", "shardId-000000000000"]
    aws("merge-shards", "--stream-name", "cli", "--shard-to-merge", "shardId-000000000001", "--adjacent-shard-to-merge", "shardId-000000000002")
    updated = aws("update-shard-count", "--stream-name", "cli", "--target-shard-count", "2", "--scaling-type", "UNIFORM_SCALING")
    assert (updated["CurrentShardCount"], updated["TargetShardCount"]) == (1, 2)

    aws("increase-stream-retention-period", "--stream-name", "cli", "--retention-period-hours", "48")
    aws("start-stream-encryption", "--stream-name", "cli", "--encryption-type", "KMS", "--key-id", "alias/aws/kinesis")
    aws("put-record", "--stream-name", "cli", "--partition-key", "k", "--explicit-hash-key", "0", "--data", "secret")
    described = aws("describe-stream", "--stream-name", "cli")["StreamDescription"]
    assert (described["RetentionPeriodHours"], described["EncryptionType"]) == (48, "KMS")
    open_shard = [s["ShardId"] for s in described["Shards"] if "EndingSequenceNumber" not in s["SequenceNumberRange"]][0]
    assert read(aws, open_shard) == [b"secret"]

    arn = described["StreamARN"]
    consumer = aws("register-stream-consumer", "--stream-arn", arn, "--consumer-name", "c")["Consumer"]
    assert [c["ConsumerName"] for c in aws("list-stream-consumers", "--stream-arn", arn)["Consumers"]] == ["c"]
    aws("deregister-stream-consumer", "--consumer-arn", consumer["ConsumerARN"])
    aws("add-tags-to-stream", "--stream-name", "cli", "--tags", "size=small")
    assert aws("list-tags-for-stream", "--stream-name", "cli")["Tags"] == [{"Key": "size", "Value": "small"}, {"Key": "team", "Value": "a"}]

    aws("delete-stream", "--stream-name", "cli", "--enforce-consumer-deletion")
    aws("wait", "stream-not-exists", "--stream-name", "cli")
    assert "Stream cli under account 000000000000 not found." in aws("describe-stream", "--stream-name", "cli", fails="ResourceNotFoundException")


def test_what_is_wrong_is_said(aws):
    assert "1 validation error detected: Value 'NEWEST' at 'shardIteratorType'" in aws(
        "get-shard-iterator", "--stream-name", "none", "--shard-id", "shardId-0", "--shard-iterator-type", "NEWEST", fails="ValidationException")
    assert "Stream none under account 000000000000 not found." in aws(
        "put-record", "--stream-name", "none", "--partition-key", "k", "--data", "x", fails="ResourceNotFoundException")


def test_a_wrong_secret_is_refused(aws, request):
    if "signed_tls" not in request.node.name:
        assert aws("list-streams", AWS_SECRET_ACCESS_KEY="any")["StreamNames"] == []
        return
    aws("list-streams", fails="InvalidSignatureException", AWS_SECRET_ACCESS_KEY="wrong")
    aws("list-streams", fails="UnrecognizedClientException", AWS_ACCESS_KEY_ID="AKIDUNKNOWN")

"""The AWS command line, version 2, as Debian packages it (`awscli` 2.9): a program of its own, so few calls.

It is older than AWS_ENDPOINT_URL, so the endpoint is an option; it takes and prints blobs as base64.
"""
import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
from helpers import eventually

AWS = Path("/usr/bin/aws")


def version():
    if not AWS.exists():
        return ""
    done = subprocess.run([AWS, "--version"], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


pytestmark = pytest.mark.skipif(not version().startswith("aws-cli/2."), reason="needs Debian's awscli (./mill test --all installs it)")


@pytest.fixture(scope="module", params=["open", "signed_tls"])
def aws(request, millstream_factory_session, tmp_path_factory):
    secured = request.param == "signed_tls"
    server = millstream_factory_session(tls=secured, credentials=secured)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "AWS_DEFAULT_REGION": server.region,
                   "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    options = ["--endpoint-url", server.endpoint, "--output", "json"]
    if secured:
        options += ["--ca-bundle", str(server.ca_file)]

    def run(operation, *arguments, fails=None, **changed):
        done = subprocess.run([AWS, "kinesis", operation, *arguments, *options], capture_output=True, text=True, timeout=60,
                              env={**environment, **changed})
        if fails is not None:
            assert done.returncode != 0 and f"({fails})" in done.stderr, done.stderr
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None
    return run


def test_the_life_of_a_stream_with_version_2(aws):
    aws("create-stream", "--stream-name", "cli2", "--shard-count", "1")
    active = lambda: aws("describe-stream-summary", "--stream-name", "cli2")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
    eventually(active)
    aws("put-record", "--stream-name", "cli2", "--partition-key", "k", "--data", base64.b64encode(b"one").decode())
    put = aws("put-records", "--stream-name", "cli2", "--cli-binary-format", "raw-in-base64-out", "--records",
              "Data=two,PartitionKey=k", "Data=three,PartitionKey=l,ExplicitHashKey=5")
    assert put["FailedRecordCount"] == 0
    iterator = aws("get-shard-iterator", "--stream-name", "cli2", "--shard-id", "shardId-000000000000", "--shard-iterator-type", "TRIM_HORIZON")
    records = aws("get-records", "--shard-iterator", iterator["ShardIterator"])["Records"]
    assert [base64.b64decode(record["Data"]) for record in records] == [b"one", b"two", b"three"]
    aws("split-shard", "--stream-name", "cli2", "--shard-to-split", "shardId-000000000000", "--new-starting-hash-key", "1000")
    eventually(active)
    assert len(aws("list-shards", "--stream-name", "cli2")["Shards"]) == 3
    aws("delete-stream", "--stream-name", "cli2")
    assert "Stream none under account 000000000000 not found." in aws("describe-stream", "--stream-name", "none", fails="ResourceNotFoundException")


def test_a_wrong_secret_is_refused_with_version_2(aws, request):
    if "signed_tls" in request.node.name:
        aws("list-streams", fails="InvalidSignatureException", AWS_SECRET_ACCESS_KEY="wrong")
    else:
        assert "StreamNames" in aws("list-streams", AWS_SECRET_ACCESS_KEY="any")

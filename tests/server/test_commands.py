"""The command line that people use."""
import json
import os
import signal
import subprocess

import pytest
from helpers import eventually, read_stream


@pytest.fixture
def server(millstream_factory):
    made = millstream_factory(streams=[("orders", 2)])
    kinesis = made.client()
    eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    return made


def test_version_and_help(run_millstream):
    assert run_millstream("version").stdout.startswith("millstream ")
    text = run_millstream("--help").stdout
    for command in ("serve", "config", "certificate", "streams", "put", "tail", "bench", "doctor", "sql", "version"):
        assert command in text


def test_wrong_usage_exits_2(run_millstream):
    for arguments in ([], ["nothing"], ["tail"], ["serve", "--set", "novalue"]):
        assert run_millstream(*arguments, check=False).returncode == 2
    assert "nothing is no command; there are serve, config" in run_millstream("nothing", check=False).stderr
    assert "--output: xml is none of human, json, ndjson" in run_millstream("tail", "s", "-o", "xml", check=False).stderr


def test_put_and_tail_in_all_formats(server):
    done = server.command("put", "orders", "one", "two", "-k", "k")
    assert "put 2 records" in done.stderr
    server.command("put", "orders", stdin='{"n": 3}\n\n{"n": 4}\n')
    assert [bytes(r["Data"]) for r in read_stream(server.client(), "orders") if r["PartitionKey"] == "k"] == [b"one", b"two"]

    lines = server.command("tail", "orders", "--from", "oldest", "-o", "ndjson").stdout.splitlines()
    assert sorted(lines) == sorted(["one", "two", '{"n": 3}', '{"n": 4}'])
    records = [json.loads(line) for line in server.command("tail", "orders", "--from", "oldest", "-o", "json").stdout.splitlines()]
    assert len(records) == 4 and all(r["SequenceNumber"].startswith("49") for r in records)
    human = server.command("tail", "orders", "--from", "oldest", "-n", "1").stdout
    assert len(human.splitlines()) == 1


def test_tail_follows(server, binary):
    follow = subprocess.Popen([binary, "tail", "-f", "-o", "ndjson", "--from", "oldest", "orders"], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}", "AWS_REGION": server.region})
    try:
        server.command("put", "orders", "first")
        assert follow.stdout.readline() == "first\n"
        server.command("put", "orders", "second")
        assert follow.stdout.readline() == "second\n"
    finally:
        follow.send_signal(signal.SIGKILL)
        follow.wait()


def test_tail_goes_on_with_the_children_of_a_split_shard(server):
    kinesis = server.client()
    server.command("put", "orders", "before", "-k", "k", "--explicit-hash-key", "1")
    kinesis.split_shard(StreamName="orders", ShardToSplit="shardId-000000000000", NewStartingHashKey="1000")
    eventually(lambda: kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    server.command("put", "orders", "after", "-k", "k", "--explicit-hash-key", "1")
    out = server.command("tail", "orders", "--from", "oldest", "-o", "ndjson").stdout
    assert out.splitlines() == ["before", "after"]


def test_streams_lists_and_describes(server):
    table = server.command("streams").stdout
    assert "STREAM" in table and "orders" in table and "ACTIVE" in table
    listed = json.loads(server.command("streams", "--json").stdout)
    assert [s["name"] for s in listed] == ["orders"] and listed[0]["open_shards"] == 2
    described = json.loads(server.command("streams", "orders", "--json").stdout)
    assert [s["id"] for s in described["shards"]] == ["shardId-000000000000", "shardId-000000000001"]
    assert "open" in server.command("streams", "orders").stdout


def test_errors_are_the_services_own(server):
    done = server.command("tail", "missing", check=False)
    assert done.returncode == 1
    assert "ResourceNotFoundException: Stream missing under account 000000000000 not found." in done.stderr


def test_an_absent_server_is_named(run_millstream):
    done = run_millstream("streams", "--endpoint", "http://127.0.0.1:9", check=False)
    assert done.returncode == 1 and "cannot connect to 127.0.0.1:9" in done.stderr


def test_commands_sign_and_speak_tls(millstream_factory, run_millstream):
    server = millstream_factory(tls=True, credentials=True, streams=[("s", 1)])
    environment = dict(AWS_ENDPOINT_URL=server.endpoint, AWS_REGION=server.region, AWS_CA_BUNDLE=str(server.ca_file),
                       AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    assert "s" in run_millstream("streams", **environment).stdout
    wrong = run_millstream("streams", check=False, **{**environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert "InvalidSignatureException" in wrong.stderr
    untrusted = run_millstream("streams", check=False, **{k: v for k, v in environment.items() if k != "AWS_CA_BUNDLE"})
    assert untrusted.returncode == 1 and "TLS" in untrusted.stderr


def test_certificate_keeps_its_authority(run_millstream, tmp_path):
    run_millstream("certificate", "--directory", tmp_path)
    authority = (tmp_path / "ca.pem").read_text()
    assert (tmp_path / "server-key.pem").stat().st_mode & 0o077 == 0
    run_millstream("certificate", "--directory", tmp_path, "--name", "stream.test")
    assert (tmp_path / "ca.pem").read_text() == authority
    (tmp_path / "ca-key.pem").unlink()
    assert run_millstream("certificate", "--directory", tmp_path, check=False).returncode == 1


def test_bench_puts_records(server):
    out = server.command("bench", "--seconds", "1", "--connections", "2", "--batch", "10", "--stream", "orders").stdout
    assert "records/s" in out and "p99" in out
    assert len(read_stream(server.client(), "orders")) > 0


def test_doctor_finds_a_healthy_directory_healthy_and_a_damaged_one_not(server, run_millstream):
    server.command("put", "orders", *[f"record {n}" for n in range(50)])
    busy = run_millstream("doctor", server.home / "data", check=False)
    assert busy.returncode == 1 and "in use" in busy.stderr
    assert server.stop() == 0
    healthy = run_millstream("doctor", server.home / "data")
    assert "50 records" in healthy.stdout and healthy.stdout.endswith("healthy\n")

    segments = [p for p in (server.home / "data/log").rglob("*.log") if p.stat().st_size > 0]
    assert segments
    damaged = segments[0]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0x10
    damaged.write_bytes(content)
    sick = run_millstream("doctor", server.home / "data", check=False)
    assert sick.returncode == 1
    assert damaged.name in sick.stdout + sick.stderr
    assert run_millstream("doctor", server.home, check=False).returncode == 1

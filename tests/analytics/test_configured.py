"""Applications of the configuration, the one on the audit trail among them."""
import json
from pathlib import Path

import pytest
from conftest import wait_for
from helpers import eventually, read_stream

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/demo"


def configuration(home, code):
    (home / "app.sql").write_text(code)
    (home / "app.json").write_text((EXAMPLE / "callsper_ip.schema.json").read_text())
    return """
[defaults]
region = "eu-west-1"
[[application]]
name = "callsper_ip_pump"
code_file = "app.sql"
schema_file = "app.json"
input = "millstream-audit"
outputs = { CALLS_PER_IP_STREAM = "calls-per-ip" }
"""


def make(millstream_factory, code):
    server = millstream_factory(start=False, streams=[("calls-per-ip", 1)], audit=True)
    server.config_file.write_text(server.config_file.read_text() + configuration(server.home, code))
    return server.start()


def counted(server):
    return [json.loads(r["Data"]) for r in read_stream(server.client(), "calls-per-ip")]


def test_counts_the_calls_of_the_audit_trail(millstream_factory):
    """The query of the example by the second, so that the test need not wait for a minute."""
    code = (EXAMPLE / "callsper_ip.sql").read_text().replace("MINUTE", "SECOND")
    server = make(millstream_factory, code)
    analytics = server.client("kinesisanalyticsv2")
    wait_for(analytics, "callsper_ip_pump", "RUNNING")
    for _ in range(5):
        server.client().list_streams()
    eventually(lambda: sum(r["calls"] for r in counted(server)) >= 5)
    row = counted(server)[0]
    assert set(row) == {"eventTimestamp", "calls", "sourceIPAddress"} and row["sourceIPAddress"] == "127.0.0.1"

    # The streams of the configuration's names are shown as AWS shows them.
    detail = analytics.describe_application(ApplicationName="callsper_ip_pump")["ApplicationDetail"]
    described = detail["ApplicationConfigurationDescription"]["SqlApplicationConfigurationDescription"]
    arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/"
    assert described["InputDescriptions"][0]["KinesisStreamsInputDescription"]["ResourceARN"] == arn + "millstream-audit"
    assert described["OutputDescriptions"][0]["KinesisStreamsOutputDescription"]["ResourceARN"] == arn + "calls-per-ip"

    # A changed file changes the application when the server starts again.
    (server.home / "app.sql").write_text(code.replace("COUNT(*)", "1000 + COUNT(*)"))
    server.restart()
    analytics = server.client("kinesisanalyticsv2")
    wait_for(analytics, "callsper_ip_pump", "RUNNING")
    assert analytics.describe_application(ApplicationName="callsper_ip_pump")["ApplicationDetail"]["ApplicationVersionId"] == 2
    eventually(lambda: any(r["calls"] > 1000 for r in counted(server)))


@pytest.mark.long
def test_the_example_as_it_stands(millstream_factory):
    server = make(millstream_factory, (EXAMPLE / "callsper_ip.sql").read_text())
    wait_for(server.client("kinesisanalyticsv2"), "callsper_ip_pump", "RUNNING")
    server.client().list_streams()
    eventually(lambda: counted(server), 70)


def test_says_where_a_configured_application_is_wrong(millstream_factory):
    server = millstream_factory(start=False, streams=[("calls-per-ip", 1)], audit=True)
    server.config_file.write_text(server.config_file.read_text() + configuration(server.home, "CREATE STREAMM x;"))
    with pytest.raises(Exception) as failed:
        server.start()
    assert "line 1, column 8" in failed.value.output and "millstream.toml:" in failed.value.output

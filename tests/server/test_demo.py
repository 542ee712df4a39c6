"""The demo of `./mill run` starts, feeds its stream from both sources and stops cleanly."""
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
from helpers import eventually, read_stream

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_feeds_its_stream(binary, tmp_path):
    out = open(tmp_path / "out", "w+")
    demo = subprocess.Popen([sys.executable, ROOT / "examples/demo/run.py", "--server", binary, "--data", tmp_path / "data",
                             "--port", "0", "--key-ring", tmp_path / "ring"], stdout=out, stderr=out)
    try:
        def said():
            return (tmp_path / "out").read_text()
        eventually(lambda: "aws kinesis get-records" in said() or demo.poll() is not None, 60)
        assert demo.poll() is None, said()
        port = re.search(r"AWS_ENDPOINT_URL=http://127.0.0.1:(\d+)", said()).group(1)
        kinesis = boto3.client("kinesis", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                               aws_access_key_id="demo", aws_secret_access_key="demo")
        kinesis.list_streams()

        def sources():
            texts = [bytes(r["Data"]) for r in read_stream(kinesis, "demo")]
            time.sleep(0.5)  # GetRecords has a rate
            return any(b'"city"' in t for t in texts), any(b'"eventName"' in t for t in texts)
        eventually(lambda: sources() == (True, True), 60)

        # The SQL application on the audit trail runs; its first results come when a minute ends.
        analytics = boto3.client("kinesisanalyticsv2", endpoint_url=kinesis.meta.endpoint_url, region_name="us-east-1",
                                 aws_access_key_id="demo", aws_secret_access_key="demo")
        detail = analytics.describe_application(ApplicationName="callsper_ip_pump")["ApplicationDetail"]
        assert detail["ApplicationStatus"] == "RUNNING"
        assert kinesis.describe_stream_summary(StreamName="calls-per-ip")
    finally:
        demo.send_signal(signal.SIGTERM)
        code = demo.wait(30)
    assert code == 0, (tmp_path / "out").read_text()

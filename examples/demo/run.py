#!/usr/bin/env python3
"""Runs the demo: the server, two feeders of the stream `demo`, and some commands to try."""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

TRY = """
The stream `demo` is filling. In another terminal:

  export AWS_ENDPOINT_URL=http://127.0.0.1:{port} AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo

  aws kinesis list-streams
  aws kinesis describe-stream-summary --stream-name demo
  aws kinesis get-records --limit 2 --shard-iterator $(aws kinesis get-shard-iterator --stream-name demo --shard-id 0 \\
      --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)

Or without the AWS CLI:

  {server} tail -f demo

A SQL application counts the calls per address and minute on the server's own audit trail (examples/demo/callsper_ip.sql):

  {server} tail -f calls-per-ip
  aws kinesisanalyticsv2 describe-application --application-name callsper_ip_pump

Ctrl-C stops everything.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--data", required=True)
    arguments, serve_options = parser.parse_known_args()
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]

    processes = []

    def start(command, **options):
        # In sessions of their own: Ctrl-C reaches only this script, which stops them in order.
        process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
        processes.append(process)
        return process

    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)

    with tempfile.TemporaryDirectory() as scratch:
        port_file = Path(scratch) / "port"
        server = start([arguments.server, "serve", "--config", HERE / "demo.toml", "--data-directory", arguments.data,
                        "--port-file", port_file, "--set", "audit.level=management", "--log-level", "warn",
                        *serve_options])
        try:
            while not port_file.exists():
                if server.poll() is not None:
                    return server.returncode
                time.sleep(0.005)
            port = port_file.read_text().strip()
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"

            wait_until_active(arguments.server, ["demo", "millstream-audit"])
            readings = start([sys.executable, HERE / "replay.py", "--cache", ROOT / "build/demo"], stdout=subprocess.PIPE)
            start([arguments.server, "put", "demo"], stdin=readings.stdout, stderr=subprocess.DEVNULL)
            audit = start([arguments.server, "tail", "-f", "-o", "ndjson", "millstream-audit"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
            start([arguments.server, "put", "demo"], stdin=audit.stdout, stderr=subprocess.DEVNULL)
            print(TRY.format(port=port, server=arguments.server), flush=True)
            while server.poll() is None:
                if readings is not None and readings.poll() is not None:
                    print("The readings could not be replayed (see above); the audit trail still feeds `demo`.", flush=True)
                    readings = None
                time.sleep(0.2)
            return server.returncode
        except KeyboardInterrupt:
            return 0
        finally:
            for process in reversed(processes):
                if process.poll() is None:
                    process.terminate()
            for process in processes:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_until_active(server, names):
    for _ in range(600):
        listed = subprocess.run([server, "streams"], capture_output=True, text=True).stdout.splitlines()
        if all(any(line.split()[:2] == [name, "ACTIVE"] for line in listed) for name in names):
            return
        time.sleep(0.05)
    raise SystemExit("the streams did not become ACTIVE")


if __name__ == "__main__":
    sys.exit(main())

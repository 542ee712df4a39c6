"""Starts the built server for tests: on a port of the system's choosing, with a data directory of its own.

  def test_something(millstream_factory):
      server = millstream_factory(limits="off", streams=[("orders", 2)])
      server.client("kinesis").list_streams()
      server.kill(); server.start()      # same data directory, perhaps another port

The binary is build/release/src/server/millstream, or what MILLSTREAM_BINARY names.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("MILLSTREAM_BINARY", ROOT / "build/release/src/server/millstream"))
START_SECONDS = 60

# Nothing of the machine's own AWS set-up may leak into a test.
for name in list(os.environ):
    if name.startswith(("AWS_", "MILLSTREAM_")):
        del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the tests marked long: soaks, hundreds of crashes")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: minutes; runs with --long (./mill test --all)")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long; runs with ./mill test --all"))


class ServerFailed(Exception):
    """The server ended before it served; `returncode` and `output` say how."""

    def __init__(self, returncode, output):
        super().__init__(f"exit code {returncode}\n{output}")
        self.returncode, self.output = returncode, output


class Millstream:
    """One server process and its data directory. Options that are not named go into the TOML file."""

    def __init__(self, home, limits="off", tls=False, credentials=False, streams=(), transitions_ms=0, audit=False,
                 durability="sync", loops=2, config="", flags=(), environment=None):
        self.home = Path(home)
        self.tls, self.credentials = tls, credentials
        self.region = "eu-west-1"
        self.access_key = "AKIDMILLSTREAMTEST" if credentials else "test"
        self.secret_key = "secret-of-the-tests" if credentials else "test"
        self.flags, self.environment = list(flags), environment or {}
        self.process = self.port = self.ca_file = None
        lines = [
            f'data_directory = "{self.home}/data"',
            f'[listen]\nport = 0\nport_file = "{self.home}/port"\nloops = {loops}',
            f'[log]\ndurability = "{durability}"\nwal_file_bytes = "16MiB"',
            f'[limits]\nmode = "{limits}"',
            f"[transitions]\ncreate_ms = {transitions_ms}\nupdate_ms = {transitions_ms}\n"
            f"delete_ms = {transitions_ms}\nconsumer_ms = {transitions_ms}",
            f'[encryption]\nkey_ring = "{self.home}/keys/ring"',
            f"[audit]\nenabled = {'true' if audit else 'false'}",
        ]
        if tls:
            run([BINARY, "certificate", "--directory", self.home / "tls"])
            self.ca_file = self.home / "tls/ca.pem"
            lines.append(f'[tls]\ncertificate = "{self.home}/tls/server.pem"\nkey = "{self.home}/tls/server-key.pem"')
        if credentials:
            lines.append(f'[[access_key]]\nid = "{self.access_key}"\nsecret = "{self.secret_key}"')
        for name, shards in streams:
            lines.append(f'[[stream]]\nname = "{name}"\nshards = {shards}\nregion = "{self.region}"')
        self.config_file = self.home / "millstream.toml"
        self.config_file.write_text("\n".join(lines) + "\n" + config)

    # -- process ---------------------------------------------------------------------------------

    def start(self):
        assert self.process is None
        port_file = self.home / "port"
        port_file.unlink(missing_ok=True)
        log = open(self.home / "log", "ab")
        self.process = subprocess.Popen([BINARY, "serve", "--config", self.config_file, *self.flags],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env={**os.environ, **self.environment})
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise ServerFailed(code, self.log())
            assert time.monotonic() < deadline, f"the server does not start:\n{self.log()}"
            time.sleep(0.002)
        self.port = int(port_file.read_text())
        return self

    def kill(self):
        """As a crash of the machine's process table: SIGKILL, no farewell."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, seconds=30):
        """Gracefully; returns the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server does not stop:\n{self.log()}") from None
        finally:
            self.process = None

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def log(self):
        path = self.home / "log"
        return path.read_text(errors="replace")[-20_000:] if path.exists() else ""

    # -- talking to it -----------------------------------------------------------------------------

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def client(self, service="kinesis", region=None, access_key=None, secret_key=None, **options):
        import boto3
        from botocore.config import Config
        config = Config(retries={"total_max_attempts": options.pop("attempts", 1)}, read_timeout=60,
                        parameter_validation=options.pop("parameter_validation", True), max_pool_connections=64)
        return boto3.client(service, **{
            "endpoint_url": self.endpoint, "region_name": region or self.region,
            "aws_access_key_id": access_key or self.access_key,
            "aws_secret_access_key": secret_key or self.secret_key, "verify": str(self.ca_file) if self.tls else None,
            "config": config, **options})

    def get(self, path):
        """(status, text) of a GET on a path of the server's own."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def command(self, *arguments, stdin=None, **environment):
        """Runs a client command of the binary against this server."""
        return run([BINARY, *arguments], input=stdin, AWS_ENDPOINT_URL=f"http://127.0.0.1:{self.port}",
                   AWS_REGION=self.region, AWS_ACCESS_KEY_ID=self.access_key,
                   AWS_SECRET_ACCESS_KEY=self.secret_key, **environment)

    def put_faults(self, rules):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_millstream/faults", method="PUT",
                                         data=json.dumps(rules).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def run(command, input=None, check=True, timeout=60, **environment):
    done = subprocess.run([str(word) for word in command], input=input, capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **environment})
    assert not check or done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def make_factory(started):
    def make(start=True, **options):
        home = tempfile.mkdtemp(prefix="millstream-test-")
        server = Millstream(home, **options)
        started.append(server)
        return server.start() if start else server
    return make


def close(started):
    for server in started:
        try:
            if server.process is not None and server.process.poll() is not None:
                raise AssertionError(f"the server ended by itself with {server.process.returncode}:\n{server.log()}")
            server.stop()
        finally:
            shutil.rmtree(server.home, ignore_errors=True)


@pytest.fixture
def millstream_factory():
    started = []
    yield make_factory(started)
    close(started)


@pytest.fixture(scope="session")
def millstream_factory_session():
    started = []
    yield make_factory(started)
    close(started)


@pytest.fixture
def millstream(millstream_factory):
    """A server with everything at its default for tests."""
    return millstream_factory()


@pytest.fixture
def binary():
    return BINARY


@pytest.fixture
def run_millstream():
    """Runs the binary: run_millstream("config", "--port", "1", check=False)."""
    return lambda *arguments, **options: run([BINARY, *arguments], **options)

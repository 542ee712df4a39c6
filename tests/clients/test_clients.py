"""Runs the scenarios of the SDK programs beside this file against a server of its own.

Each SDK runs over plaintext with any credentials, and over TLS with signatures verified.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "build" / "clients"


def run(command, cwd, **environment):
    result = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, f"{command}: {result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def copied(name):
    """The program's folder copied below build/, so that the source tree stays clean."""
    target = BUILD / name
    shutil.copytree(HERE / name, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "target"))
    return target


@pytest.fixture(scope="session")
def js_program():
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    home = copied("js")
    if not (home / "node_modules/@aws-sdk/client-kinesis").exists():
        run(["npm", "install", "--no-audit", "--no-fund"], home)
    return ["node", "scenario.mjs"], home


@pytest.fixture(scope="session")
def go_program():
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    home = copied("go")
    run(["go", "build", "-o", "scenario", "."], home)
    return ["./scenario"], home


@pytest.fixture(scope="session")
def java_program():
    if not shutil.which("mvn"):
        pytest.skip("maven is not installed")
    home = copied("java")
    run(["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath"], home)
    classpath = f"{home}/target/classes:{(home / 'target/classpath').read_text().strip()}"
    return ["java", "-cp", classpath, "scenario.Scenario"], home


def trust(kind, ca, home):
    """Environment that makes a client of this kind trust our certificate authority."""
    if kind == "js":
        return {"NODE_EXTRA_CA_CERTS": str(ca)}
    if kind == "go":
        return {"AWS_CA_BUNDLE": str(ca)}
    store = home / "target/trust.jks"
    store.unlink(missing_ok=True)
    run(["keytool", "-importcert", "-noprompt", "-alias", "millstream", "-file", str(ca), "-keystore", str(store),
         "-storepass", "changeit"], home)
    return {"JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"}


@pytest.mark.parametrize("kind", ["js", "go", "java"])
@pytest.mark.parametrize("mode", ["open", "signed", "signed_tls"])
def test_scenario(kind, mode, request, millstream_factory):
    command, home = request.getfixturevalue(f"{kind}_program")
    server = millstream_factory(tls=mode == "signed_tls", credentials=mode != "open")
    environment = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if mode == "signed_tls":
        environment |= trust(kind, server.ca_file, home)
    assert "scenario complete" in run(command, home, **environment)

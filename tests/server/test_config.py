"""A wrong configuration stops the start with the place, the key and the remedy."""
from pathlib import Path

import pytest


def refuse(run_millstream, tmp_path, text, *flags, command="serve", **environment):
    file = tmp_path / "m.toml"
    file.write_text(text)
    done = run_millstream(command, "--config", file, *flags, check=False, **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (tmp_path / "data").exists()
    return done.stderr.replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize("command", ["serve", "config"])
def test_a_misspelt_key_names_line_and_remedy(run_millstream, tmp_path, command):
    assert refuse(run_millstream, tmp_path, "[listen]\nprot = 1\n", command=command) == (
        "millstream: m.toml:2:1: listen.prot: unknown key (did you mean listen.port?)\n")


def test_every_problem_is_reported(run_millstream, tmp_path):
    said = refuse(run_millstream, tmp_path, '[listen]\nport = 99999\n[log]\ndurability = "no"\n', "--loops", "x",
                  MILLSTREAM_LISTN_PORT="1")
    assert len(said.splitlines()) == 4
    assert "m.toml:2:8: listen.port: expected a number from 0 to 65535, found 99999" in said
    assert "MILLSTREAM_LISTN_PORT: unknown variable (did you mean MILLSTREAM_LISTEN_PORT?)" in said
    assert "command line: --loops: expected a whole number" in said


def test_other_machines_are_not_let_in_without_access_keys(run_millstream, tmp_path):
    said = refuse(run_millstream, tmp_path, "", "--address", "0.0.0.0")
    assert "configure at least one [[access_key]]" in said


def test_a_missing_file_is_named(run_millstream, tmp_path):
    done = run_millstream("serve", "--config", tmp_path / "none.toml", check=False)
    assert done.returncode == 2 and "none.toml" in done.stderr


def test_flags_win_over_environment_over_file(run_millstream, tmp_path):
    file = tmp_path / "m.toml"
    file.write_text("[listen]\nport = 1\nloops = 1\nconnections_max = 5\n")
    out = run_millstream("config", "--config", file, "--port", "3", MILLSTREAM_LISTEN_PORT="2",
                         MILLSTREAM_LISTEN_LOOPS="2").stdout
    assert "port = 3 " in out and "From command line --port." in out
    assert "loops = 2 " in out and "From environment MILLSTREAM_LISTEN_LOOPS." in out
    assert "connections_max = 5 " in out and f"From {file}:4." in out


def test_the_printed_configuration_reproduces_itself(run_millstream, tmp_path):
    first = run_millstream("config", "--set", "log.interval_ms=7", "--stream", "a:3").stdout
    (tmp_path / "again.toml").write_text(first)
    second = run_millstream("config", "--config", tmp_path / "again.toml").stdout

    def values(text):
        return [line.split(" #")[0].rstrip() for line in text.splitlines()]
    assert values(first) == values(second)


def test_a_data_directory_has_one_owner(millstream, run_millstream):
    done = run_millstream("serve", "--port", "0", "--data-directory", millstream.home / "data", check=False)
    assert done.returncode == 1
    assert f"in use by another Millstream (process {millstream.process.pid})" in done.stderr


def test_a_taken_port_is_named(millstream, run_millstream, tmp_path):
    done = run_millstream("serve", "--port", str(millstream.port), "--data-directory", tmp_path / "data", check=False)
    assert done.returncode == 1 and str(millstream.port) in done.stderr


def test_the_documentation_has_every_key_with_its_default(run_millstream):
    page = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()
    section = ""
    for line in run_millstream("config", HOME="", XDG_STATE_HOME="").stdout.splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif "  # " in line:
            key, value = line.split("  # ")[0].strip().lstrip("# ").split(" = ")
            shown = "(below)" if section + key == "encryption.key_ring" else value
            assert f"| `{section}{key}` | `{shown}` |" in page

"""Every example of the SQL documentation prints what it says."""
import difflib
import json
import re
from collections import Counter
from pathlib import Path

import doc_examples
import pytest
from doc_examples import ROOT, replay
from helpers import eventually

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/sql").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(page, binary, monkeypatch):
    monkeypatch.setattr(doc_examples, "BINARY", binary)
    text = Path(page).read_text()
    now = replay(text)
    assert now == text, "\n".join(difflib.unified_diff(text.split("\n"), now.split("\n"), page.name, "as it runs", lineterm="", n=2))


def test_the_reference_has_examples():
    assert (ROOT / "docs/sql/reference.md").read_text().count("$ millstream sql") > 15


def test_the_migrated_application_runs_on_a_server(millstream_factory, tmp_path):
    """What migration.md says under "Run it live", with its own document and configuration."""
    page = (ROOT / "docs/sql/migration.md").read_text()
    blocks = dict(re.findall(r"^```(?:json (\S+)|(?:toml))\n(.*?)^```$", page, re.M | re.S)) | {
        "millstream.toml": re.search(r"^```toml\n(.*?)^```$", page, re.M | re.S)[1]}
    server = millstream_factory(start=False, config=blocks["millstream.toml"].replace('"app.json"', f'"{tmp_path}/app.json"'))
    # A window of a second instead of a minute: nobody waits for it.
    (tmp_path / "app.json").write_text(blocks["app.json"].replace("'60' SECOND", "'1' SECOND"))
    server.region = "us-east-1"
    server.start()
    server.command("put", "ticker", stdin=blocks["records.json"])
    counted = Counter()
    def all_counted():
        counted.clear()
        for line in server.command("tail", "counts", "--from", "oldest", "-o", "ndjson").stdout.splitlines():
            row = json.loads(line)
            counted[row["TICKER_SYMBOL"]] += row["TICKER_COUNT"]
        return counted.total() >= 3
    eventually(all_counted)
    assert counted == {"AMZN": 2, "TGT": 1}


def test_the_example_gives_its_expected_result(run_millstream):
    home = ROOT / "examples/sql"
    run_millstream("sql", home / "calls_per_ip.sql", "--check")
    done = run_millstream("sql", home / "calls_per_ip.sql", "--input", home / "calls.json", "--rowtime", "$.eventTime", "--strict")
    assert done.stdout == (home / "calls_per_ip.expected.json").read_text() and done.stderr == ""

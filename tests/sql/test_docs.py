"""Every example of the SQL documentation prints what it says."""
import difflib
from pathlib import Path

import pytest

import doc_examples
from doc_examples import ROOT, replay

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/sql").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(page, binary, monkeypatch):
    monkeypatch.setattr(doc_examples, "BINARY", binary)
    text = Path(page).read_text()
    now = replay(text)
    assert now == text, "\n".join(difflib.unified_diff(text.split("\n"), now.split("\n"), page.name, "as it runs", lineterm="", n=2))


def test_the_reference_has_examples():
    assert (ROOT / "docs/sql/reference.md").read_text().count("$ millstream sql") > 15


def test_the_example_gives_its_expected_result(run_millstream):
    home = ROOT / "examples/sql"
    run_millstream("sql", home / "calls_per_ip.sql", "--check")
    done = run_millstream("sql", home / "calls_per_ip.sql", "--input", home / "calls.json", "--rowtime", "$.eventTime", "--strict")
    assert done.stdout == (home / "calls_per_ip.expected.json").read_text() and done.stderr == ""

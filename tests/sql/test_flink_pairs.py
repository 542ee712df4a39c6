"""Queries of Kinesis Data Analytics and their translations to Flink SQL, as AWS's migration page pairs them: the same rows come out.

The KDA sides are the code of migration_pairs.test, by their names there; Flink (bench/nexmark/flink) and `millstream sql` read the
same records. The event time `at` is ROWTIME here and the time attribute there, wherever the page lets Flink take the time of
processing, which no two runs share. What else Flink's side says otherwise than on the page, and what is not compared:

| pair | compared | otherwise than on the page |
|---|---|---|
| multi_step | rows | the streams between the steps are views |
| datetime | rows; whole seconds and fractions below a half | UNIX_TIMESTAMP of the event; the page's has no argument, so it is the time of the query. KDA rounds a second's fraction, Flink drops it |
| simple_alerts | rows | |
| throttled_alerts | rows | an OVER window; the page counts in tumbling minutes, by CHANGE too, and shows only what came twice |
| partial_results | the counts | not the sums: KDA's run over the tickers of a minute, the page's over the minutes of a ticker |
| substring | rows | the length is computed; the page has 6, right for its only record |
| regex_replace | rows, cut to 32 characters | `http://` for `http`, which makes `https` `httpss` |
| regex_log_parse | rows | the pattern with its stars, over the whole text, without dropping what does not match |
| stagger | rows; the records of an event come within its minute | |
| tumbling | rows | |
| top_k | rows; no two items of a minute are as frequent | 10 items for 3 |
| web_logs | rows, cut to 16 characters; a size of `-` is NULL | seven fields of a regular expression; SPLIT_INDEX takes pieces of the date and the request for fields |
| split | rows | at commas |
| join | what remains of the changelog | |
| errors | which rows fail | a function in Python returns -1 for each; here the rows that reach it |
| trades | rows; trades come in their order | TUMBLE_START for TUMBLE_ROWTIME, which is a minute later less 1 ms |
"""
import collections
import csv
import dataclasses
import datetime
import importlib.util
import json
import random
import re
import shutil
import subprocess
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("nexmark", ROOT / "bench/nexmark.py")
nexmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(nexmark)

ROWS = 3000
START = datetime.datetime(2026, 1, 1, 11, 58, 30)
TICKERS = ["AAPL", "AMZN", "MSFT", "QXZ", "TBV", "WAS"]
COMPANIES = [{"Ticker": "AMZN", "Company": "Amazon"}, {"Ticker": "WAS", "Company": "SomeCompany"},
             {"Ticker": "NONE", "Company": "Without trades"}]


def time(ms):
    return (START + datetime.timedelta(milliseconds=ms)).isoformat(" ", "milliseconds")


def rows(make):
    """ROWS of what `make` returns, some hundreds a minute, each later than the one before."""
    def records(rng):
        at = 0
        for _ in range(ROWS):
            at += rng.randint(1, 300)
            yield {**make(rng, at), "at": time(at)}
    return records


@rows
def trades(rng, at):
    """Prices are multiples of a quarter, which REAL and DOUBLE hold alike."""
    return {"TICKER_SYMBOL": rng.choice([*TICKERS, None]), "SECTOR": rng.choice(["TECHNOLOGY", "HEALTHCARE", "FINTECH", "RETAIL"]),
            "CHANGE": rng.randint(-40, 40) / 4, "PRICE": rng.randint(200, 800) / 4, "TICKER": rng.choice(TICKERS)}


@rows
def moments(rng, at):
    moment = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=rng.randint(0, 300_000_000))
    return {"TICKER": rng.choice(TICKERS), "EVENT_TIME": f"{moment}.{rng.choice([0, 1, 250, 499]):03d}"}


@rows
def referrers(rng, at):
    site = "".join(rng.choices("abcdefghijkl", k=rng.randint(1, 12)))
    text = f"http://www.{site}.com{rng.choice(['', '/', '/?from=http://b', '/www.'])}"
    return {"referrer": text, "REFERRER": rng.choice([text, "https" + text[4:], text[7:], None])}


@rows
def words(rng, at):
    return {"SECTOR": "".join(rng.choices("AERX", k=rng.randint(0, 9)))}


@rows
def logs(rng, at):
    request = f"{rng.choice(['GET', 'POST'])} /{'a' * rng.randint(0, 12)} HTTP/1.1"
    day = f"{rng.randint(1, 28):02d}/{rng.choice(['Jan', 'Feb'])}/2026:{rng.randint(0, 23):02d}:00:59 {rng.choice(['+0000', '-0700'])}"
    return {"log": f"10.0.{rng.randint(0, 255)}.1 - {rng.choice(['-', 'ann', 'bob'])} [{day}] \"{request}\" "
                   f"{rng.choice([200, 304, 404])} {rng.choice(['-', 0, 17, 123456])}"}


@rows
def unstructured(rng, at):
    fields = ["".join(rng.choices("xyz 1", k=rng.randint(1, 6))) for _ in range(rng.randint(1, 5))]
    return {"Col_A": "a", "Col_B": rng.choice(["b", None]), "Col_C": str(rng.randint(0, 9)), "Col_E_Unstructured": ",".join(fields)}


def spread_events(rng):
    """Up to six records of an event, within 45 s of it."""
    records = []
    for number in range(ROWS // 4):
        ms, ticker = number * 1700, rng.choice(TICKERS)
        for _ in range(rng.randint(1, 6)):
            records.append((ms + rng.randint(100, 45_000), rng.random(), {"EVENT_TIME": time(ms), "TICKER": ticker}))
    return ({**record, "at": time(at)} for at, _, record in sorted(records, key=lambda r: r[:2]))


def items(rng):
    """In each minute up to fourteen items, the one more frequent than the other."""
    records = []
    for minute in range(12):
        names = rng.sample("abcdefghijklmnopqrst", rng.randint(1, 14))
        for count, name in enumerate(names, 1):
            records += [(minute * 60_000 + 30_000 + rng.randint(0, 59_999), name) for _ in range(count)]
    return ({"column1": name, "at": time(at)} for at, name in sorted(records))


@dataclasses.dataclass
class Pair:
    name: str
    records: typing.Callable
    columns: str   # of Flink's table
    select: str    # statements, the last one a query
    output: str = "DESTINATION_SQL_STREAM"
    ours: typing.Callable = dict.values  # what is compared of a row
    rowtime: str = "$.at"
    csv: typing.Sequence[str] = ()


TRADES = "TICKER_SYMBOL VARCHAR(4), SECTOR VARCHAR(16), `CHANGE` DOUBLE, PRICE DOUBLE"
LARGE_CHANGE = "WHERE (ABS(`CHANGE` / (PRICE - `CHANGE`)) * 100) > 1"
COMMON_LOG = r'^(\S+) (\S+) (\S+) (\[[^\]]*\]) "([^"]*)" (\S+) (\S+)$'
SOURCE = "SOURCE_SQL_STREAM_001"

PAIRS = [
    Pair("multi_step", trades, TRADES, f"""
        CREATE VIEW IN_APP_STREAM_001 AS SELECT `at` AS INGEST_TIME, TICKER_SYMBOL, SECTOR, PRICE, `CHANGE` FROM {SOURCE};
        CREATE VIEW IN_APP_STREAM_02 AS SELECT INGEST_TIME, TICKER_SYMBOL, SECTOR, PRICE, `CHANGE` FROM IN_APP_STREAM_001;
        SELECT INGEST_TIME, TICKER_SYMBOL, SECTOR, PRICE, `CHANGE` FROM IN_APP_STREAM_02"""),
    Pair("datetime", moments, "EVENT_TIME TIMESTAMP(3), TICKER VARCHAR(4)", f"""
        SELECT TICKER, EVENT_TIME, EVENT_TIME - INTERVAL '5' MINUTE AS FIVE_MINUTES_BEFORE,
          UNIX_TIMESTAMP(DATE_FORMAT(EVENT_TIME, 'yyyy-MM-dd HH:mm:ss')) * 1000 + EXTRACT(MILLISECOND FROM EVENT_TIME),
          DATE_FORMAT(EVENT_TIME, 'yyyy-MM-dd hh:mm:ss') AS EVENT_TIMESTAMP_AS_CHAR, EXTRACT(SECOND FROM EVENT_TIME) AS EVENT_SECOND
        FROM {SOURCE}"""),
    Pair("simple_alerts", trades, TRADES, f"SELECT TICKER_SYMBOL, SECTOR, `CHANGE`, PRICE FROM {SOURCE} {LARGE_CHANGE}"),
    Pair("throttled_alerts", trades, TRADES, f"""
        CREATE VIEW CHANGE_STREAM AS SELECT TICKER_SYMBOL, `CHANGE`, `at` FROM {SOURCE} {LARGE_CHANGE};
        SELECT TICKER_SYMBOL, `CHANGE`, COUNT(*) OVER (PARTITION BY TICKER_SYMBOL ORDER BY `at`
          RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) FROM CHANGE_STREAM""", output="TRIGGER_COUNT_STREAM"),
    Pair("partial_results", trades, TRADES, f"""
        SELECT TICKER_SYMBOL AS TICKER, TUMBLE_START(`at`, INTERVAL '1' MINUTE), COUNT(*) AS TICKERCOUNT
        FROM {SOURCE} GROUP BY TUMBLE(`at`, INTERVAL '1' MINUTE), TICKER_SYMBOL""", output="CALC_COUNT_SQL_STREAM"),
    Pair("substring", referrers, "referrer VARCHAR(64)", f"""
        SELECT `at`, SUBSTRING(referrer, 12, POSITION('.com' IN referrer) - POSITION('www.' IN referrer) - 4) AS referrer FROM {SOURCE}"""),
    Pair("regex_replace", referrers, "REFERRER VARCHAR(64)",
         f"SELECT `at`, SUBSTRING(REGEXP_REPLACE(REFERRER, 'http://', 'https://'), 1, 32) AS referrer FROM {SOURCE}"),
    Pair("regex_log_parse", words, "SECTOR VARCHAR(16)", f"""
        SELECT SECTOR, REGEXP_EXTRACT(SECTOR, '^.*([E].).*([R].*)$', 1), REGEXP_EXTRACT(SECTOR, '^.*([E].).*([R].*)$', 2) FROM {SOURCE}"""),
    Pair("stagger", spread_events, "EVENT_TIME TIMESTAMP(3), TICKER VARCHAR(4), WATERMARK FOR EVENT_TIME AS EVENT_TIME - INTERVAL '60' SECOND", f"""
        SELECT EVENT_TIME, TICKER, COUNT(TICKER) AS ticker_count FROM {SOURCE}
        GROUP BY TUMBLE(EVENT_TIME, INTERVAL '60' SECOND), EVENT_TIME, TICKER"""),
    Pair("tumbling", trades, "TICKER VARCHAR(4), PRICE DOUBLE", f"""
        SELECT TICKER, MIN(PRICE) AS MIN_PRICE, MAX(PRICE) AS MAX_PRICE FROM {SOURCE}
        GROUP BY TUMBLE(`at`, INTERVAL '60' SECOND), TICKER"""),
    Pair("top_k", items, "column1 VARCHAR(16)", f"""
        SELECT ITEM, ITEM_COUNT FROM (
          SELECT *, ROW_NUMBER() OVER (PARTITION BY AGG_WINDOW ORDER BY ITEM_COUNT DESC) AS rownum FROM (
            SELECT TUMBLE_ROWTIME(`at`, INTERVAL '60' SECOND) AS AGG_WINDOW, column1 AS ITEM, COUNT(*) AS ITEM_COUNT
            FROM {SOURCE} GROUP BY TUMBLE(`at`, INTERVAL '60' SECOND), column1))
        WHERE rownum <= 10"""),
    Pair("web_logs", logs, "log VARCHAR(1024)",
         "SELECT " + ", ".join(f"SUBSTRING(REGEXP_EXTRACT(log, '{COMMON_LOG}', {n}), 1, 16)" for n in range(1, 7))
         + f", NULLIF(REGEXP_EXTRACT(log, '{COMMON_LOG}', 7), '-') FROM {SOURCE}"),
    Pair("split", unstructured, "Col_A VARCHAR(4), Col_B VARCHAR(4), Col_C VARCHAR(4), Col_E_Unstructured VARCHAR(64)",
         "SELECT Col_A, Col_B, Col_C, " + ", ".join(f"SPLIT_INDEX(Col_E_Unstructured, ',', {n})" for n in range(3)) + f" FROM {SOURCE}"),
    Pair("join", trades, TRADES, f"""
        CREATE TABLE CompanyName (Ticker VARCHAR(4), Company VARCHAR(20))
        WITH ('connector' = 'filesystem', 'path' = '${{COMPANIES}}', 'format' = 'json');
        SELECT TICKER_SYMBOL, c.Company, SECTOR, `CHANGE`, PRICE FROM {SOURCE}
        LEFT JOIN CompanyName AS c ON {SOURCE}.TICKER_SYMBOL = c.Ticker"""),
    Pair("errors", trades, TRADES, f"SELECT `at` FROM {SOURCE} WHERE SECTOR SIMILAR TO '%TECH%'", output="error_stream",
         ours=lambda row: [row["DATA_ROWTIME"]]),
    Pair("trades", trades, "TICKER VARCHAR(4), PRICE DOUBLE", f"""
        SELECT TUMBLE_START(`at`, INTERVAL '1' MINUTE), TUMBLE_START(`at`, INTERVAL '1' MINUTE), TICKER, COUNT(*) AS VOLUME,
          AVG(PRICE) AS AVG_PRICE, MIN(PRICE) AS MIN_PRICE, MAX(PRICE) AS MAX_PRICE
        FROM {SOURCE} GROUP BY TUMBLE(`at`, INTERVAL '1' MINUTE), TICKER""", rowtime="tradeTimestamp", csv=("at", "TICKER", "PRICE")),
]


def sections():
    """Name to (columns, code) of each pair in migration_pairs.test; one without an input of its own has the one before."""
    found, columns = {}, None
    text = (Path(__file__).parent / "migration_pairs.test").read_text()
    for section in re.split(r"^# pair ", text, flags=re.M)[1:]:
        if given := re.search(r"^input SOURCE_SQL_STREAM_001 \((.*)\)$", section, re.M):
            columns = given[1]
        found[re.match(r"\w+", section)[0]] = columns, re.search(r"^code\n(.*?)^end$", section, re.M | re.S)[1]
    return found


def test_every_pair_is_here():
    assert [pair.name for pair in PAIRS] == list(sections())


def flink_classpath():
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}: Apache Flink needs a JDK (17 or newer) and Maven")
    try:
        return nexmark.build_flink(ROOT / "build/bench/flink")
    except subprocess.CalledProcessError as failed:
        if re.search(r"Could not (transfer|find) artifact|Unknown host|offline mode|could not be resolved", failed.stdout):
            pytest.skip(f"Maven cannot get Apache Flink: {failed.stdout.strip().splitlines()[0]}")
        pytest.fail(failed.stdout)


@pytest.fixture(scope="module")
def flink(tmp_path_factory):
    """A directory with, of each pair, its records (NAME.json) and Flink's changelog (NAME.out): one process for all, for its start
    takes longer than the queries."""
    classpath, home = flink_classpath(), tmp_path_factory.mktemp("flink")
    (home / "companies.json").write_text("".join(json.dumps(company) + "\n" for company in COMPANIES))
    arguments = []
    for pair in PAIRS:
        events, tables, query, results = (home / f"{pair.name}.{kind}" for kind in ("json", "tables.sql", "query.sql", "out"))
        events.write_text("".join(json.dumps(record) + "\n" for record in pair.records(random.Random(20))))
        watermark = "" if "WATERMARK" in pair.columns else ", WATERMARK FOR `at` AS `at` - INTERVAL '1' SECOND"
        tables.write_text(f"""CREATE TABLE {SOURCE} ({pair.columns}, `at` TIMESTAMP(3){watermark})
            WITH ('connector' = 'filesystem', 'path' = '${{EVENTS}}', 'format' = 'json');""")
        *before, last = pair.select.replace("${COMPANIES}", (home / "companies.json").as_uri()).split(";\n")
        query.write_text(";\n".join([*before, f"INSERT INTO results {last.strip()}"]))
        arguments += [events, tables, query, results]
    ran = subprocess.run(["java", "-cp", classpath, "millstream.nexmark.Main", "--results", *arguments], capture_output=True, text=True,
                         timeout=600)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return home


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_rows_are_those_of_flink(pair, flink, run_millstream, tmp_path):
    columns, code = sections()[pair.name]
    (tmp_path / "app.sql").write_text(code)
    events = flink / f"{pair.name}.json"
    if pair.csv:
        with open(events) as lines, open(tmp_path / "events.csv", "w", newline="") as out:
            csv.writer(out).writerows([record[name] for name in pair.csv] for record in map(json.loads, lines))
        events = tmp_path / "events.csv"
    reference = ["--reference", f'"CompanyName"={flink}/companies.json',
                 "--columns", '"CompanyName"="Ticker" VARCHAR(4), "Company" VARCHAR(20)'] if pair.name == "join" else []
    done = run_millstream("sql", tmp_path / "app.sql", "--input", f"{SOURCE}={events}", "--columns", f"{SOURCE}={columns}", *reference,
                          "--rowtime", pair.rowtime, "--output", pair.output, "--bare", check=True)
    ours = collections.Counter(tuple(map(nexmark.field, pair.ours(json.loads(line)))) for line in done.stdout.splitlines())
    theirs = nexmark.flink_rows(flink / f"{pair.name}.out")
    assert len(theirs) > 10
    assert ours == theirs, f"ours alone {list((ours - theirs).items())[:5]}, Flink's alone {list((theirs - ours).items())[:5]}"

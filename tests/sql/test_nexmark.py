"""The Nexmark queries of bench/nexmark against a slow, obvious evaluator over the same events.

A hundred events a second, so that the windows of the queries hold some hundreds of them; in order, and shuffled by as much as the
queries' watermarks allow.
"""
import collections
import datetime
import importlib.util
import json
import random
from decimal import Decimal
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "bench/nexmark.py"
SPEC = importlib.util.spec_from_file_location("nexmark", SOURCE)
nexmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(nexmark)

EVENTS, RATE = 6_000, 100
SECOND = 1000
DAY = "2026-01-01"


def ms(text):
    return round(datetime.datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def text(at):
    return datetime.datetime.fromtimestamp(at // 1000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S") + f".{at % 1000:03d}"


class Events:
    def __init__(self, lines):
        kinds = {"person": [], "auction": [], "bid": []}
        self.arrived = []  # bids by the number of their line
        for number, line in enumerate(lines):
            event = json.loads(line)
            for kind, of_kind in kinds.items():
                if event[kind] is not None:
                    event[kind]["at"] = ms(event[kind]["dateTime"])
                    of_kind.append(event[kind])
                    if kind == "bid":
                        self.arrived.append((number, event[kind]))
        self.persons, self.auctions, self.bids = kinds.values()


def rows(values):
    return collections.Counter(tuple(map(nexmark.field, value)) for value in values)


def q0(e):
    return [(b["auction"], b["bidder"], b["price"], b["dateTime"], b["extra"]) for b in e.bids]


def q1(e):
    return [(b["auction"], b["bidder"], Decimal("0.908") * b["price"], b["dateTime"], b["extra"]) for b in e.bids]


def q2(e):
    return [(b["auction"], b["price"]) for b in e.bids if b["auction"] % 123 == 0]


def q3(e):
    return [(p["name"], p["city"], p["state"], a["id"]) for a in e.auctions for p in e.persons
            if a["seller"] == p["id"] and a["category"] == 10 and p["state"] in ("OR", "ID", "CA")]


def q4(e):
    finals = collections.defaultdict(list)
    for a in e.auctions:
        prices = [b["price"] for b in e.bids if b["auction"] == a["id"] and a["at"] <= b["at"] <= ms(a["expires"])]
        if prices:
            finals[a["category"]].append(max(prices))
    return [(category, sum(prices) // len(prices)) for category, prices in finals.items()]


def windows(at, size, slide):
    start = at // slide * slide
    while start > at - size:
        yield start
        start -= slide


def q5(e):
    counts = collections.defaultdict(collections.Counter)
    for b in e.bids:
        for start in windows(b["at"], 10 * SECOND, 2 * SECOND):
            counts[start][b["auction"]] += 1
    return [(auction, n) for of_window in counts.values() for auction, n in of_window.items() if n == max(of_window.values())]


def q7(e):
    highest = collections.defaultdict(int)
    for b in e.bids:
        end = b["at"] // (10 * SECOND) * 10 * SECOND + 10 * SECOND
        highest[end] = max(highest[end], b["price"])
    return [(b["auction"], b["price"], b["bidder"], b["dateTime"], b["extra"]) for end, price in highest.items() for b in e.bids
            if b["price"] == price and end - 10 * SECOND <= b["at"] <= end]


def q8(e):
    start = lambda x: x["at"] // (10 * SECOND) * 10 * SECOND
    sellers = {(a["seller"], start(a)) for a in e.auctions}
    return [(p["id"], p["name"], text(start(p))) for p in e.persons if (p["id"], start(p)) in sellers]


def q11(e):
    times = collections.defaultdict(list)
    for b in e.bids:
        times[b["bidder"]].append(b["at"])
    sessions = []
    for bidder, of_bidder in times.items():
        of_bidder.sort()
        begin = last = of_bidder[0]
        count = 0
        for at in [*of_bidder, None]:
            if at is None or at >= last + 10 * SECOND:
                sessions.append((bidder, count, text(begin), text(last + 10 * SECOND)))
                begin, count = at, 0
            last = at
            count += 1
    return sessions


def q12(e):
    counts = collections.Counter()
    for number, b in e.arrived:
        arrival = ms("2026-01-01 00:00:00") + number * 10  # --tick 10ms
        counts[b["bidder"], arrival // (10 * SECOND) * 10 * SECOND] += 1
    return [(bidder, n, text(start), text(start + 10 * SECOND)) for (bidder, start), n in counts.items()]


def ranks(bids):
    return ([b for b in bids if b["price"] < 10_000], [b for b in bids if 10_000 <= b["price"] < 1_000_000],
            [b for b in bids if b["price"] >= 1_000_000])


def q15(e):
    groups = [e.bids, *ranks(e.bids)]
    return [(DAY, *map(len, groups), *(len({b[of] for b in bids}) for of in ("bidder", "auction") for bids in groups))]


def q17(e):
    by_auction = collections.defaultdict(list)
    for b in e.bids:
        by_auction[b["auction"]].append(b)
    out = []
    for auction, bids in by_auction.items():
        prices = [b["price"] for b in bids]
        out.append((auction, DAY, len(bids), *map(len, ranks(bids)), min(prices), max(prices), sum(prices) // len(prices), sum(prices)))
    return out


@pytest.fixture(scope="module")
def lines():
    return list(nexmark.generator.Generator(RATE).lines(EVENTS))


@pytest.mark.parametrize("shuffled", [False, True], ids=["in-order", "shuffled"])
@pytest.mark.parametrize("query", nexmark.QUERIES)
def test_results_are_those_of_the_obvious_evaluator(query, shuffled, lines, run_millstream, tmp_path):
    if shuffled:
        rng = random.Random(3)
        order = sorted(range(EVENTS), key=lambda i: i + rng.random() * 3.9 * RATE)
        lines = [lines[i] for i in order]
    (tmp_path / "events.ndjson").write_text("".join(lines))
    _, *command = nexmark.millstream_command("", query, tmp_path / "events.ndjson")
    done = run_millstream(*command, "--tick", "10ms", "--strict", check=True)
    ours = rows(json.loads(line, parse_float=Decimal).values() for line in done.stdout.splitlines())
    expected = rows(globals()[query](Events(lines)))
    assert len(expected) > 0
    assert ours == expected


def test_the_generator_keeps_its_promises(lines):
    assert lines == list(nexmark.generator.Generator(RATE).lines(EVENTS)), "the same arguments give the same bytes"
    events = Events(lines)
    assert [len(events.persons), len(events.auctions), len(events.bids)] == [EVENTS // 50, EVENTS * 3 // 50, EVENTS * 46 // 50]
    times = [e["at"] for e in events.bids]
    assert times == sorted(times)
    hot = sum(b["auction"] % 100 == 0 for b in events.bids) / len(events.bids)
    assert 0.45 < hot < 0.6
    assert sum((b["bidder"] - 1) % 100 == 0 for b in events.bids) / len(events.bids) > 0.7

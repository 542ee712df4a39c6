#!/usr/bin/env python3
"""Measures Nexmark queries against Apache Flink SQL on the same file, and writes docs/performance-nexmark.md.

Both on one core, in turn, with the file in the page cache; what is counted of each, and why, is in
bench/nexmark/README.md. Needs a JDK (17 or newer) and Maven, which fetches Flink.

  ./mill bench nexmark [--events N] [--rounds N] [--only q5,q7] [--no-compare] [--write]
"""
import argparse
import collections
import decimal
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "bench/nexmark"
sys.path.insert(0, str(HOME))
import generator  # noqa: E402

QUERIES = ["q0", "q1", "q2", "q3", "q4", "q5", "q7", "q8", "q11", "q12", "q15", "q17"]
ABOUT = {"q0": "pass through", "q1": "currency", "q2": "filter", "q3": "join, unbounded", "q4": "join, average of maxima",
         "q5": "hot items, HOP", "q7": "highest bid, TUMBLE and join", "q8": "new sellers, two TUMBLE and join", "q11": "sessions",
         "q12": "TUMBLE over arrival time", "q15": "distinct counts per day", "q17": "statistics per auction and day"}
# Flink queries that give the same rows another way; the faster one is compared with.
OTHER_SHAPES = {"q15": ["q15.window"], "q17": ["q17.window"]}
# Rows depend on the clock of the machine.
BY_ARRIVAL = {"q12"}
OUR_RUNS = 3  # before Flink's, and again after them
SHORT = 1000  # events of the run that is taken off Flink's long ones


def millstream_command(server, query, events):
    return [server, "sql", HOME / f"{query}.sql", "--input", f"EVENTS={events}", "--schema", f"EVENTS={HOME / 'schema.json'}",
            "--output", "RESULTS", "--bare"]


def field(value):
    """One spelling for a value of either system."""
    if value is None or value == "null":
        return "NULL"
    text = str(value)
    if isinstance(value, decimal.Decimal) or re.fullmatch(r"-?\d+\.\d+", text):
        return format(decimal.Decimal(text).normalize(), "f")
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?", text):
        return f"{match[1]} {match[2]}{match[3] or ':00'}{(match[4] or '.')[:4]:0<4}"
    return text


def our_rows(path):
    with open(path, encoding="utf-8") as lines:
        return collections.Counter(tuple(map(field, json.loads(line, parse_float=decimal.Decimal).values())) for line in lines)


def flink_rows(path):
    """What a changelog leaves: +I and +U add a row, -U and -D take one away."""
    rows = collections.Counter()
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            rows[tuple(map(field, fields))] += 1 if kind[0] == "+" else -1
    return +rows


def build_flink(target):
    """Compiles the program that runs Flink; its class path. Maven fetches what it needs."""
    subprocess.run(["mvn", "-q", "-B", f"-Dbuild={target}", "compile", "dependency:build-classpath",
                    f"-Dmdep.outputFile={target}/classpath"], cwd=HOME / "flink", check=True, stdout=subprocess.PIPE, text=True)
    return f"{target}/classes:{(Path(target) / 'classpath').read_text().strip()}"


class Bench:
    def __init__(self, args):
        self.args = args
        self.files = ROOT / "build/bench"
        self.files.mkdir(parents=True, exist_ok=True)
        self.events = generator.generate(self.files / f"nexmark-{args.events}.ndjson", args.events)
        self.short = generator.generate(self.files / f"nexmark-{SHORT}.ndjson", SHORT)
        with open(self.events, "rb") as f:  # into the page cache
            while f.read(1 << 20):
                pass
        try:
            self.classpath = build_flink(self.files / "flink")
        except subprocess.CalledProcessError as failed:
            raise SystemExit(f"Maven did not build bench/nexmark/flink:\n{failed.stdout}") from failed
        self.rows = []

    def pinned(self, command, **kwargs):
        return subprocess.Popen(["taskset", "-c", str(self.args.core), *map(str, command)], **kwargs)

    def millstream(self, query):
        """(CPU seconds, wall seconds) of a whole process, and where its rows are."""
        output = self.files / f"nexmark-{query}.ndjson.out"
        command = millstream_command(self.args.server, query, self.events)
        with open(output, "wb") as out:
            start = time.perf_counter()
            process = self.pinned(command, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        if status != 0:
            raise SystemExit(f"millstream sql {query} ended with {os.waitstatus_to_exitcode(status)}")
        return usage.ru_utime + usage.ru_stime, wall, output

    def flink(self, query, results=None):
        """(CPU seconds, wall seconds) of the long runs in one JVM, less what the short ones take."""
        command = ["java", "-Xmx4g", "-cp", self.classpath, "millstream.nexmark.Main", self.events, self.short,
                   HOME / "tables.flink.sql", HOME / f"{query}.flink.sql", self.args.rounds, *([results] if results else [])]
        with self.pinned(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            out, err = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"flink {query}: {err.strip()[-2000:]}")
        runs = [tuple(map(float, line.split())) for line in out.splitlines()]
        long, short = runs[0::2], runs[1::2]
        return [min(r[i] for r in long) - min(r[i] for r in short) for i in (1, 0)]

    def agree(self, query, ours, flinks):
        if query in BY_ARRIVAL:
            return "by the clock"
        mine, theirs = our_rows(ours), flink_rows(flinks)
        if mine == theirs:
            return "yes"
        print(f"{query}: ours alone {list((mine - theirs).items())[:3]}, Flink's alone {list((theirs - mine).items())[:3]}", file=sys.stderr)
        return "NO"

    def measure(self, query):
        ours = [self.millstream(query) for _ in range(OUR_RUNS)]
        results = None if self.args.no_compare or query in BY_ARRIVAL else self.files / f"nexmark-{query}.flink.out"
        flink = self.flink(query, results)
        for other in OTHER_SHAPES.get(query, []):
            again = self.flink(other)
            flink = min(flink, again)
        ours += [self.millstream(query) for _ in range(OUR_RUNS)]
        count = sum(1 for _ in open(ours[-1][2], "rb"))
        agree = "not compared" if self.args.no_compare else self.agree(query, ours[-1][2], results)
        cpu, wall = (statistics.median(o[i] for o in ours) for i in (0, 1))
        row = {"query": query, "cpu": self.args.events / cpu, "wall": self.args.events / wall,
               "flink_cpu": (self.args.events - SHORT) / flink[0], "flink_wall": (self.args.events - SHORT) / flink[1],
               "rows": count, "agree": agree}
        self.rows.append(row)
        print(f"{query:4s} {row['cpu'] / 1e3:8.0f} k/s  flink {row['flink_cpu'] / 1e3:6.0f} k/s  CPU {row['cpu'] / row['flink_cpu']:6.2f}x"
              f"  wall {row['wall'] / row['flink_wall']:6.2f}x  {count:,} rows, agree: {agree}", flush=True)

    def verdict(self):
        ratios = {r["query"]: min(r["cpu"] / r["flink_cpu"], r["wall"] / r["flink_wall"]) for r in self.rows}
        behind = [q for q, ratio in ratios.items() if ratio < 1]
        short_of_goal = [q for q, ratio in ratios.items() if ratio < 5]
        differ = [r["query"] for r in self.rows if r["agree"] == "NO"]
        return behind, short_of_goal, differ

    def write(self):
        behind, short_of_goal, differ = self.verdict()
        lines = ["# Performance of Nexmark queries", "",
                 "Written by `./mill bench nexmark`. Events per second on one core of `millstream sql`, from the start of the process to its "
                 "end, JSON in and JSON out, and of Apache Flink SQL 2.3.0, warmed up, its start taken off, JSON in and rows thrown away: the "
                 f"same file of {self.args.events:,} events, in the same run. What is compared, and how the queries differ, is in "
                 "[bench/nexmark/README.md](../bench/nexmark/README.md).", "",
                 f"Gate: ahead on every query: {'MISSED by ' + ', '.join(behind) if behind else 'reached'}. "
                 f"Goal: 5 times: {'missed by ' + ', '.join(short_of_goal) if short_of_goal else 'reached'}. "
                 f"Results that differ: {', '.join(differ) or 'none'}.", "",
                 "| query | | thousand events per CPU-second | Flink's | ratio | ratio of wall time | rows | results agree |",
                 "|---|---|---|---|---|---|---|---|"]
        for r in self.rows:
            lines.append(f"| {r['query']} | {ABOUT[r['query']]} | {r['cpu'] / 1e3:,.0f} | {r['flink_cpu'] / 1e3:,.0f} | "
                         f"**{r['cpu'] / r['flink_cpu']:.1f}** | {r['wall'] / r['flink_wall']:.1f} | {r['rows']:,} | {r['agree']} |")
        (ROOT / "docs/performance-nexmark.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=ROOT / "build/release/src/server/millstream", type=Path)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=2, help="timed runs of Flink after the one that warms it up")
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--only", default=",".join(QUERIES))
    parser.add_argument("--no-compare", action="store_true", help="only the times, not the results")
    parser.add_argument("--write", action="store_true", help="write docs/performance-nexmark.md")
    args = parser.parse_args()
    bench = Bench(args)
    for query in args.only.split(","):
        bench.measure(query)
    if args.write:
        bench.write()
    behind, _, differ = bench.verdict()
    if behind or differ:
        raise SystemExit(f"behind: {', '.join(behind) or 'none'}; results differ: {', '.join(differ) or 'none'}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures the SQL engine against DuckDB and `wc -l` on the same file, applications of a live server against
the clock, and writes docs/performance-sql.md.

CPU seconds of one process pinned to one core, kernel time included, files in the page cache; arms
alternate and the median of the rounds is reported. `millstream sql` is measured as its users run it:
from the start of the process to its end, JSON in and JSON out.

  ./mill bench sql [--rounds N] [--events N] [--only PART,...] [--write]
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = '"ts" TIMESTAMP, "user_id" VARCHAR(16), "event_type" VARCHAR(16), "page" VARCHAR(64), "amount" DOUBLE'


AGENTS = ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
          "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "okhttp/5.1.0"]
KINDS = ["view", "click", "cart", "purchase"]
TITLES = ["Caf\u00e9 am Markt", "\u6771\u4eac\u306e\u304a\u571f\u7523", "Men\u00fc \u2013 Startseite"]


def long_event(rng, i, ts, user):
    """About 1,025 bytes: what queries use lies between what they do not; one title in 100 has escapes, three have more than ASCII."""
    kind, page = KINDS[i & 3], f"/products/category-{i % 97}/item-{i % 1009}"
    title = f"Item {i % 1009} of category {i % 97}"
    if i % 100 == 50:
        title = f'{title}: the \\"{i % 89}-inch\\" one'
    elif i % 100 > 96:
        title = f"{TITLES[i % 3]}: {title}"
    campaign = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz-", k=rng.randrange(146, 266)))
    return (f'{{"event_id":"{rng.getrandbits(128):032x}","ts":"{ts}","user_agent":"{AGENTS[i & 3]}","user_id":"{user}",'
            f'"ip":"10.{i % 251}.{i % 241}.{i % 239}","event_type":"{kind}",'
            f'"referrer":"https://www.example.com/search?q=term-{i % 509}&utm_source=newsletter&utm_medium=email&utm_campaign={campaign}",'
            f'"page":"{page}","title":"{title}",'
            f'"device":{{"os":"linux","screen":{{"width":1920,"height":{i % 977 + 200}}},"languages":["de-DE","de","en"],"touch":false,'
            f'"session":{{"id":"{rng.getrandbits(64):016x}","started":{1767225600000 + i},"pages":{i % 31},"first":null}}}},'
            f'"amount":{rng.randrange(1, 99999) / 100},'
            f'"tags":["shop","{kind}","{page}","experiment-{i % 7}","variant-{"ab"[i & 1]}",'
            f'"{"".join(rng.choices("0123456789abcdef", k=rng.randrange(80, 120)))}"]}}\n')


def short_event(rng, i, ts, user):
    """About 400 bytes, what queries use in front."""
    return (f'{{"ts":"{ts}","user_id":"{user}","event_type":"{KINDS[i & 3]}",'
            f'"page":"/products/category-{i % 97}/item-{i % 1009}","amount":{rng.randrange(1, 99999) / 100},'
            f'"session":"{rng.getrandbits(64):016x}","ip":"10.{i % 251}.{i % 241}.{i % 239}","agent":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",'
            f'"country":"DE","device":{{"os":"linux","width":1920}},"referrer":"https://www.example.com/search?q=term-{i % 509}&lang=en",'
            f'"experiment":{i % 7}}}\n')


def generate(path, event, events, users):
    """Clickstream events of twelve fields, of which queries use five, over four windows of ten seconds."""
    if path.exists():
        return
    rng = random.Random(7)
    part = path.with_suffix(".part")
    with open(part, "w", buffering=1 << 20, encoding="utf-8") as out:
        for i in range(events):
            ms = i * 40_000 // events
            out.write(event(rng, i, f"2026-01-01 00:00:{ms // 1000:02d}.{ms % 1000:03d}", f"user-{rng.randrange(users):07d}"))
    part.rename(path)


def cpu_of(command, core="0", **kwargs):
    """(CPU seconds, wall seconds, peak RSS in KB) of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(["taskset", "-c", core, *map(str, command)], **kwargs)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss


DUCKDB = """
import sys, time, duckdb
connection = duckdb.connect()
connection.execute("SET threads = 1")
connection.execute("SET enable_progress_bar = false")
for setup in sys.argv[2:]:
    connection.execute(setup)
start = time.process_time()
connection.execute(sys.argv[1]).fetchall()
print(time.process_time() - start)
"""


class Bench:
    def __init__(self, args):
        self.args, self.rows = args, []
        self.files = ROOT / "build/bench"
        self.files.mkdir(parents=True, exist_ok=True)

    def millstream(self, sql, file, columns=COLUMNS, rowtime="ts"):
        app = self.files / "app.sql"
        app.write_text(sql)
        output = self.files / "out.ndjson"
        with open(output, "wb") as out:
            cpu, wall, rss = cpu_of([self.args.server, "sql", app, "--input", f"SOURCE={file}", "--columns", columns, "--rowtime", rowtime,
                                     "--output", "RESULTS", "--bare"], stdout=out)
        return {"cpu": cpu, "wall": wall, "rss": rss, "rows": sum(1 for _ in open(output, "rb"))}

    def duckdb(self, query, *setup):
        """CPU seconds of the query alone, after what sets it up."""
        out = subprocess.run(["taskset", "-c", "0", sys.executable, "-c", DUCKDB, query, *setup], capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit("duckdb: " + out.stderr.strip())
        return {"cpu": float(out.stdout)}

    def row(self, name, against, ratio, gate, goal, note):
        verdict = "" if gate is None else "goal" if ratio >= goal else "gate" if ratio >= gate else "MISSED"
        bounds = ("", "") if gate is None else (f"{gate:g}", f"{goal:g}")
        self.rows.append((name, against, ratio, *bounds, verdict, note))
        print(f"{name:60s} {ratio:7.2f}  {'' if gate is None else 'gate %s goal %s' % bounds}  {verdict}  {note}", flush=True)

    def rounds(self, **arms):
        results = {name: [] for name in arms}
        for _ in range(self.args.rounds):
            for name, arm in arms.items():
                results[name].append(arm())
        return results

    def events(self, event, users):
        """The file of these events, in the page cache."""
        file = self.files / f"{event.__name__.removesuffix('_event')}-{users}-{self.args.events}.ndjson"
        generate(file, event, self.args.events, users)
        with open(file, "rb") as f:
            while f.read(1 << 20):
                pass
        return file

    def tumbling(self):
        json_columns = "columns={ts:'TIMESTAMP',user_id:'VARCHAR',event_type:'VARCHAR',page:'VARCHAR',amount:'DOUBLE'}"
        for event, users, gate, goal in ((long_event, 1_000, 2.0, 4.0), (long_event, 1_000_000, 1.8, 3.5),
                                         (short_event, 1_000, None, None), (short_event, 1_000_000, None, None)):
            file = self.events(event, users)
            size = file.stat().st_size
            bytes_each = f"{round(size / self.args.events):,}-byte"
            sql = ('CREATE STREAM RESULTS (user_id VARCHAR(16), n BIGINT, total DOUBLE, lowest DOUBLE, highest DOUBLE);\n'
                   'CREATE PUMP p AS INSERT INTO RESULTS SELECT STREAM "user_id", COUNT(*), SUM("amount"), MIN("amount"), MAX("amount")\n'
                   "FROM SOURCE AS s GROUP BY s.\"user_id\", STEP(s.ROWTIME BY INTERVAL '10' SECOND);\n")
            query = (f"SELECT count(*) FROM (SELECT user_id, time_bucket(INTERVAL 10 SECOND, ts), count(*), sum(amount), min(amount), max(amount) "
                     f"FROM read_json('{file}', format='newline_delimited', {json_columns}) GROUP BY ALL)")
            got = self.rounds(ours=lambda: self.millstream(sql, file), duckdb=lambda: self.duckdb(query),
                              wc=lambda: {"wall": cpu_of(["wc", "-l", file], stdout=subprocess.DEVNULL)[1]})
            ours = statistics.median(r["cpu"] for r in got["ours"])
            ratio = statistics.median(d["cpu"] / o["cpu"] for o, d in zip(got["ours"], got["duckdb"]))
            self.row(f"{bytes_each} JSON events, tumbling GROUP BY, {users:,} keys", "DuckDB read_json + GROUP BY, CPU", ratio, gate, goal,
                     f"{self.args.events / ours / 1e6:.2f} M events per CPU-second, {got['ours'][0]['rows']:,} rows out, "
                     f"{max(r['rss'] for r in got['ours']) / 1024:.0f} MB")
            if users == 1_000:
                through = statistics.median(w["wall"] / o["wall"] for o, w in zip(got["ours"], got["wc"]))
                self.row(f"end to end, bytes/s of {bytes_each} events", "wc -l of the same file", through, gate and 0.4, goal and 0.8,
                         f"{size / statistics.median(r['wall'] for r in got['ours']) / 1e6:.0f} MB/s")

    def state(self, *arguments):
        """What bench/sql_state_main.cc prints: rows as columns in memory, no text read or written."""
        tool = self.args.server.resolve().parents[2] / "bench/sql_state"
        out = subprocess.run(["taskset", "-c", "0", tool, *map(str, arguments)], capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit(f"sql_state {arguments[0]}: {out.stderr.strip()}")
        return json.loads(out.stdout)

    def sliding(self):
        """Both from a table in memory to the results; ours through a whole application, pump and output stream."""
        file = self.events(short_event, 1_000)
        app = self.files / "sliding.sql"
        app.write_text('CREATE STREAM RESULTS (user_id VARCHAR(16), total DOUBLE);\n'
                       'CREATE PUMP p AS INSERT INTO RESULTS SELECT STREAM "user_id", SUM("amount") OVER w FROM SOURCE\n'
                       "WINDOW w AS (PARTITION BY \"user_id\" RANGE INTERVAL '10' SECOND PRECEDING);\n")
        with_table = (f"CREATE TABLE t AS SELECT ts, user_id, amount FROM read_json('{file}', format='newline_delimited', "
                      "columns={ts:'TIMESTAMP',user_id:'VARCHAR',amount:'DOUBLE'})")
        window = ("SELECT max(total) FROM (SELECT sum(amount) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL 10 SECOND "
                  "PRECEDING AND CURRENT ROW) AS total FROM t)")
        got = self.rounds(ours=lambda: self.state("run", app, file), duckdb=lambda: self.duckdb(window, with_table))
        ours = statistics.median(o["cpu"] for o in got["ours"])
        ratio = statistics.median(d["cpu"] / o["cpu"] for o, d in zip(got["ours"], got["duckdb"]))
        self.row("sliding SUM per key over 10 s", "DuckDB window query on a table, CPU", ratio, 8, 15,
                 f"{self.args.events / ours / 1e6:.1f} M rows per CPU-second")

    def memory(self):
        """Resident memory beside what the same process has before its first row."""
        key = 14  # bytes of its text
        worst = self.state("memory", "tumbling", 530_000)["resident"] - key  # tables double behind 2^19 groups
        full = self.state("memory", "tumbling", 1_000_000)["resident"] - key
        self.row("bytes beside the key of a tumbling COUNT", "64 bytes", 64 / worst, 1, 1,
                 f"{worst:.0f} at worst (530,000 keys), {full:.0f} with 1,000,000")
        bound = 2 << 30
        for what, rows, name in (("sliding", 10_000_000, "SUM over 24 hours, 10 M rows held"), ("join", 10_000_000, "join over a day, 10 M rows held")):
            got = self.state("memory", what, rows)
            self.row(name, "the bound of an operator, 2 GiB", bound / (got["resident"] * rows), 1, 1,
                     f"{got['resident']:.0f} bytes a row ({got['counted']:.0f} counted): {bound / got['resident'] / 1e6:.0f} M rows fit; "
                     f"{rows / got['cpu'] / 1e6:.1f} M rows in per CPU-second")

    def forest(self):
        """Scores and learns the same points, one by one, on one thread; the Java machine is warm when its clock starts."""
        classes, artifact = self.files / "forest", "randomcutforest-core:4.3.0"
        jar = classes / f"{artifact.replace(':', '-')}.jar"
        if not jar.exists():
            subprocess.run(["mvn", "-q", "dependency:copy", f"-Dartifact=software.amazon.randomcutforest:{artifact}",
                            f"-DoutputDirectory={classes}"], check=True)
        subprocess.run(["javac", "-d", classes, "-cp", jar, ROOT / "bench/Forest.java"], check=True)
        rows = 20_000

        def java():
            return json.loads(subprocess.run(["taskset", "-c", "0", "java", "-XX:+UseSerialGC", "-cp", f"{jar}:{classes}", "Forest", str(rows)],
                                             capture_output=True, text=True, check=True).stdout)
        got = self.rounds(ours=lambda: self.state("forest", rows), java=java)
        ours = statistics.median(o["cpu"] for o in got["ours"])
        ratio = statistics.median(j["cpu"] / o["cpu"] for o, j in zip(got["ours"], got["java"]))
        self.row("RANDOM_CUT_FOREST, 100 trees of 256 points", "randomcutforest-core 4.3.0 (Java), CPU", ratio, 1, 2,
                 f"{rows / ours / 1e3:.1f} k rows per CPU-second, mean scores {got['ours'][0]['mean']:.3f} and {got['java'][0]['mean']:.3f}")

    def latency(self):
        """A live server, one connection for each of putting, loading and listening. What is told is what a client sees: from the answer
        of PutRecord, or from the end of a window by the clock, to the moment at which SubscribeToShard has pushed the result."""
        import boto3
        from botocore.config import Config
        code = ('CREATE STREAM rows_out (n BIGINT);\nCREATE PUMP p1 AS INSERT INTO rows_out SELECT STREAM "n" FROM source_sql_stream_001 WHERE "n" >= 0;\n'
                "CREATE STREAM windows_out (ended TIMESTAMP, k VARCHAR(8), n BIGINT);\n"
                "CREATE PUMP p2 AS INSERT INTO windows_out SELECT STREAM ROWTIME, \"k\", COUNT(*) FROM source_sql_stream_001 s\n"
                "GROUP BY \"k\", STEP(s.ROWTIME BY INTERVAL '0.1' SECOND);\n")
        schema = {"RecordFormat": {"RecordFormatType": "JSON"}, "RecordColumns": [
            {"Name": "n", "SqlType": "BIGINT", "Mapping": "$.n"}, {"Name": "k", "SqlType": "VARCHAR(8)", "Mapping": "$.k"}]}
        with tempfile.TemporaryDirectory(prefix="millstream-bench-") as home:
            home = Path(home)
            (home / "app.sql").write_text(code)
            (home / "app.schema.json").write_text(json.dumps(schema))
            (home / "millstream.toml").write_text(
                f'data_directory = "{home}/data"\n[listen]\nport = 0\nport_file = "{home}/port"\n[limits]\nmode = "off"\n'
                "[transitions]\ncreate_ms = 0\n" + "".join(f'[[stream]]\nname = "{name}"\n' for name in ("events", "rows", "windows")) +
                '[[application]]\nname = "latency"\ncode_file = "app.sql"\nschema_file = "app.schema.json"\ninput = "events"\n'
                'outputs = { ROWS_OUT = "rows", WINDOWS_OUT = "windows" }\n')
            with open(home / "log", "wb") as log:
                server = subprocess.Popen([self.args.server, "serve", "--config", home / "millstream.toml"], stdout=log, stderr=log)
            try:
                while not (home / "port").exists():
                    if server.poll() is not None:
                        raise SystemExit((home / "log").read_text())
                    time.sleep(0.01)

                def client():
                    return boto3.client("kinesis", endpoint_url=f"http://127.0.0.1:{(home / 'port').read_text().strip()}", region_name="us-east-1",
                                        aws_access_key_id="a", aws_secret_access_key="b", config=Config(retries={"total_max_attempts": 1}))
                for load in (0, 10_000):
                    self.latency_under(client, load)
            finally:
                server.terminate()
                server.wait(30)

    def latency_under(self, client, load, seconds=20, records_per_second=100):
        seen, stop = {"rows": {}, "windows": []}, threading.Event()

        def listen(stream):
            kinesis = client()
            arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
            consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"bench-{load}")["Consumer"]["ConsumerARN"]
            while kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] != "ACTIVE":
                time.sleep(0.05)
            answer = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId="0", StartingPosition={"Type": "LATEST"})
            listening.release()
            for event in answer["EventStream"]:
                now = time.time()
                for record in event["SubscribeToShardEvent"]["Records"]:
                    row = json.loads(record["Data"])
                    if stream == "rows":
                        seen["rows"][row["N"]] = now
                    elif row["K"] == "probe":
                        seen["windows"].append(now - datetime.fromisoformat(row["ENDED"] + "+00:00").timestamp())
                if stop.is_set():
                    return answer["EventStream"].close()

        def push_load():
            kinesis, batch = client(), [{"Data": json.dumps({"n": -1, "k": f"k{i % 10}"}).encode(), "PartitionKey": "p"} for i in range(load // 20)]
            due = time.time()
            while not stop.is_set():
                kinesis.put_records(StreamName="events", Records=batch)
                due += 0.05
                time.sleep(max(0, due - time.time()))

        listening = threading.Semaphore(0)
        threads = [threading.Thread(target=listen, args=(stream,), daemon=True) for stream in ("rows", "windows")]
        for thread in threads:
            thread.start()
        for _ in threads:
            listening.acquire(timeout=30)
        if load:
            threading.Thread(target=push_load, daemon=True).start()
        kinesis, acknowledged = client(), {}
        first = 1_000_000 * (load + 1)
        for n in range(first, first + seconds * records_per_second):
            kinesis.put_record(StreamName="events", PartitionKey="p", Data=json.dumps({"n": n, "k": "probe"}).encode())
            acknowledged[n] = time.time()
            time.sleep(1 / records_per_second)
        deadline = time.time() + 10
        while len(seen["rows"].keys() & acknowledged.keys()) < len(acknowledged) and time.time() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(30)  # an event comes every 100 ms while there is load, else every few seconds
        rows = [max(0, seen["rows"][n] - at) * 1000 for n, at in acknowledged.items() if n in seen["rows"]]
        windows = [1000 * late for late in seen["windows"]]
        if len(rows) < len(acknowledged) or len(windows) < seconds * 5:
            raise SystemExit(f"latency: {len(rows)} of {len(acknowledged)} rows came, and {len(windows)} windows")
        beside = f", beside {load:,} records/s" if load else ""
        for what, measured in ((f"a row in its stream after its record was acknowledged, p99{beside}", rows),
                               (f"a window's row in its stream after its end, p99{beside}", windows)):
            p50, p99 = (sorted(measured)[int(len(measured) * share)] for share in (0.5, 0.99))
            self.row(what, "100 ms", 100 / max(p99, 0.1), 1, 1, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(measured):.1f} ms of {len(measured):,}")

    def write(self):
        lines = ["# Performance of SQL", "", "Written by `./mill bench sql`. Ratios of CPU time on one core to a reference on the same file in "
                 f"the same run; median of {self.args.rounds} rounds of {self.args.events:,} events. A ratio of 2 is twice as fast. Times are what "
                 "one client of a live server sees, pushed by SubscribeToShard, with every record on disk.", "",
                 "| workload | against | ratio | gate | goal | reached | |", "|---|---|---|---|---|---|---|"]
        for name, against, ratio, gate, goal, verdict, note in self.rows:
            lines.append(f"| {name} | {against} | **{ratio:.2f}** | {gate} | {goal} | {verdict} | {note} |")
        (ROOT / "docs/performance-sql.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=ROOT / "build/release/src/server/millstream", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", default="tumbling,sliding,memory,forest,latency")
    parser.add_argument("--write", action="store_true", help="write docs/performance-sql.md")
    bench = Bench(parser.parse_args())
    for part in bench.args.only.split(","):
        getattr(bench, part)()
    if bench.args.write:
        bench.write()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures the server against references in the same run and writes docs/performance.md.

Every figure of the table is a ratio to something measured beside it, because these machines are
shared and noisy. Server on core 0, generator on core 1; arms alternate; the median of the rounds is
reported. A calibration loop runs before each round: rounds on a disturbed machine are repeated.

  bench/run.py --server build/release/src/server/millstream --load build/release/bench/millstream_load
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACCESS_KEY, SECRET = "AKIDBENCH", "bench-secret-key-for-loopback-only"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"server exited with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.002)
    raise SystemExit("server does not listen")


def calibrate():
    """Seconds of a fixed piece of work: tells a quiet moment from a disturbed one."""
    start = time.perf_counter()
    x = 0
    for i in range(400_000):
        x += i * i
    return time.perf_counter() - start


class Bench:
    def __init__(self, args):
        self.args = args
        self.tmp = Path(tempfile.mkdtemp(prefix="millstream-bench-", dir=args.scratch))
        self.rows, self.details, self.best_calibration = [], [], None
        self.processes, self.clients, self.silent = [], {}, []

    # -- processes -----------------------------------------------------------------------------

    def spawn(self, command, core="0", **kwargs):
        process = subprocess.Popen(["taskset", "-c", core, *map(str, command)],
                                   stdout=subprocess.DEVNULL, stderr=kwargs.pop("stderr", subprocess.DEVNULL),
                                   **kwargs)
        self.processes.append(process)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.remove(process)
        if hasattr(process, "data"):  # gigabytes
            shutil.rmtree(process.data, ignore_errors=True)

    def millstream(self, durability="sync", loops=1, core="0", extra=(), config=""):
        port = free_port()
        data = Path(tempfile.mkdtemp(dir=self.tmp))
        toml = data / "bench.toml"
        toml.write_text(
            f'data_directory = "{data}/data"\n'
            f'[listen]\naddress = "127.0.0.1"\nport = {port}\nloops = {loops}\n'
            f'[log]\ndurability = "{durability}"\n'
            '[limits]\nmode = "off"\n'
            '[audit]\nenabled = false\n'
            '[logging]\nlevel = "warn"\n'
            f'[[access_key]]\nid = "{ACCESS_KEY}"\nsecret = "{SECRET}"\n'
            'account = "000000000000"\n'
            '[[stream]]\nname = "bench"\nshards = 4\n' + config)
        process = self.spawn([self.args.server, "serve", "--config", toml, *extra], core,
                             stderr=open(data / "log", "w"))
        wait_port(port, process)
        process.port, process.data = port, data
        self.wait_stream(port)
        return process

    def wait_stream(self, port):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            answer = self.call(port, "DescribeStreamSummary", {"StreamName": "bench"})
            if answer.get("StreamDescriptionSummary", {}).get("StreamStatus") == "ACTIVE":
                return
            time.sleep(0.01)
        raise SystemExit("stream bench did not become ACTIVE")

    def call(self, port, operation, body):
        import boto3
        from botocore.config import Config
        client = self.clients.get(port)
        if client is None:
            client = self.clients[port] = boto3.client(
                "kinesis", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET, config=Config(retries={"max_attempts": 1}))
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        return getattr(client, name)(**body)

    def load(self, port, pid, core="1", **options):
        command = ["taskset", "-c", core, str(self.args.load), "--port", port, "--server-pid", pid,
                   "--access-key", ACCESS_KEY, "--secret-key", SECRET,
                   "--seconds", self.args.seconds, "--warmup", 0.5]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), value]
        out = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if out.returncode != 0:
            raise RuntimeError(f"generator: {out.stderr.strip()}")
        result = json.loads(out.stdout)
        if result["failed"]:
            raise RuntimeError(f"{result['failed']} of {result['requests']} requests failed: {out.stderr.strip()}")
        return result

    # -- references ----------------------------------------------------------------------------

    def openssl_sha256(self, size):
        out = subprocess.run(["taskset", "-c", "0", "openssl", "speed", "-mr", "-evp", "sha256", "-bytes", str(size),
                              "-seconds", "1"], capture_output=True, text=True).stdout
        line = [l for l in out.splitlines() if l.startswith("+F:")][-1]
        return float(line.split(":")[-1])

    def nginx(self, kind):
        port = free_port()
        home = Path(tempfile.mkdtemp(dir=self.tmp))
        os.chmod(home, 0o755)
        modules = "/usr/lib/nginx/modules"
        load, location = "", "return 200 'ok';"
        if kind == "readbody":
            load = f"load_module {modules}/ndk_http_module.so;\nload_module {modules}/ngx_http_lua_module.so;\n"
            location = "content_by_lua_block { ngx.req.read_body() ngx.print('ok') }"
        (home / "nginx.conf").write_text(f"""{load}
worker_processes 1; daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_max_body_size 64m; client_body_buffer_size 1m;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}
""")
        process = self.spawn(["nginx", "-c", home / "nginx.conf", "-p", home])
        wait_port(port, process)
        process.port = port
        return process

    # -- rounds --------------------------------------------------------------------------------

    def quiet(self):
        """Waits (bounded) for a moment in which the calibration loop runs near its best."""
        for _ in range(20):
            took = min(calibrate() for _ in range(3))
            if self.best_calibration is None or took < self.best_calibration:
                self.best_calibration = took
            if took <= self.best_calibration * 1.15:
                return
            time.sleep(0.5)

    def rounds(self, arms, rounds=None):
        """arms: {name: function -> number or dict}. Alternates them; returns {name: [results]}."""
        results = {name: [] for name in arms}
        for _ in range(rounds or self.args.rounds):
            for name, arm in arms.items():
                self.quiet()
                results[name].append(arm())
        return results

    def row(self, workload, reference, ratio, gate, goal, lower_is_better=False, note=""):
        met = ratio <= gate if lower_is_better else ratio >= gate
        reached = ratio <= goal if lower_is_better else ratio >= goal
        verdict = "goal" if reached else "gate" if met else "MISSED"
        self.rows.append((workload, reference, ratio, ("≤" if lower_is_better else "") + f"{gate:g}",
                          ("≤" if lower_is_better else "") + f"{goal:g}", verdict, note))
        print(f"{workload:58s} {ratio:8.3f}  gate {gate:g} goal {goal:g}  {verdict}  {note}", flush=True)

    def detail(self, name, results):
        median = {k: statistics.median(r[k] for r in results) for k in results[0]}
        self.details.append((name, median))
        return median

    # -- the table -----------------------------------------------------------------------------

    def warm(self, server, seconds=4):
        """Until write-ahead log files and buffers are used again: what a server is for most of its life."""
        seconds_of_run, self.args.seconds = self.args.seconds, seconds
        self.load(server.port, server.pid, workload="put_records", stream="bench", payload=1024, connections=32)
        self.args.seconds = seconds_of_run

    def put_records(self):
        server = self.millstream()
        self.warm(server)
        cases = [("PutRecords 500x1KB JSON, 32 connections", dict(encoding="json", payload=1024, connections=32), 712032, 0.45, 0.58),
                 ("PutRecords 500x1KB CBOR, 32 connections", dict(encoding="cbor", payload=1024, connections=32), 534525, 0.43, 0.55),
                 ("PutRecords 500x100B JSON, 32 connections", dict(encoding="json", payload=100, connections=32), 96032, 0.26, 0.36)]
        for name, options, size, gate, goal in cases:
            got = self.rounds({
                "millstream": lambda: self.load(server.port, server.pid, workload="put_records", stream="bench", **options),
                "openssl": lambda: self.openssl_sha256(size)})
            ours = self.detail(name, got["millstream"])
            ratio = statistics.median(r["body_bytes_per_s"] / o for r, o in zip(got["millstream"], got["openssl"]))
            self.row(name, "openssl speed sha256, bytes/s", ratio, gate, goal,
                     note=f"{ours['records_per_s']/1e3:.0f} k rec/s")
        self.stop(server)

    def put_record(self):
        page_cache, durable = self.millstream(durability="interval"), self.millstream()
        plain, reading = self.nginx("return"), self.nginx("readbody")
        self.warm(durable)
        self.warm(page_cache)
        put = dict(workload="put_record", stream="bench", payload=1024)
        got = self.rounds({
            "millstream": lambda: self.load(page_cache.port, page_cache.pid, connections=32, **put),
            "nginx": lambda: self.load(plain.port, plain.pid, connections=32, **put)})
        ours = self.detail("PutRecord 1 KB, page-cache ack, 32 connections", got["millstream"])
        self.detail("  nginx return 200, same requests", got["nginx"])
        self.row("PutRecord 1 KB, page-cache ack, 32 connections", "nginx return 200, req/s",
                 statistics.median(a["requests_per_s"] / b["requests_per_s"] for a, b in zip(got["millstream"], got["nginx"])),
                 0.65, 0.78, note=f"{ours['requests_per_s']/1e3:.0f} k req/s")
        got = self.rounds({
            "millstream": lambda: self.load(durable.port, durable.pid, connections=256, **put),
            "nginx": lambda: self.load(reading.port, reading.pid, connections=256, **put)})
        ours = self.detail("PutRecord 1 KB, durable, 256 connections", got["millstream"])
        self.detail("  nginx reading the body, same requests", got["nginx"])
        pairs = list(zip(got["millstream"], got["nginx"]))
        self.row("PutRecord 1 KB, durable, 256 connections", "nginx reading the body, req/s",
                 statistics.median(a["requests_per_s"] / b["requests_per_s"] for a, b in pairs), 0.70, 0.88,
                 note=f"{ours['requests_per_s']/1e3:.0f} k req/s")
        self.row("p99 of PutRecord at 256 connections", "nginx reading the body, p99",
                 statistics.median(a["p99_us"] / b["p99_us"] for a, b in pairs), 1.2, 0.8, lower_is_better=True,
                 note=f"{ours['p99_us']/1e3:.2f} ms")
        got = self.rounds({
            "sync": lambda: self.load(durable.port, durable.pid, connections=1, **put),
            "open": lambda: self.load(durable.port, durable.pid, connections=64, rate=5000, **put)}, rounds=3)
        self.detail("PutRecord 1 KB, durable, 1 connection", got["sync"])
        self.detail("PutRecord 1 KB, durable, open loop at 5,000/s, no coordinated omission", got["open"])
        for process in (page_cache, durable, plain, reading):
            self.stop(process)

    def get_records(self):
        server = self.millstream()
        # Little enough to stay in the tail cache, as the reference's bytes stay in memory.
        for first in range(0, 60_000, 500):
            self.call(server.port, "PutRecords", {"StreamName": "bench", "Records": [
                {"Data": bytes(1024), "PartitionKey": f"key-{n}"} for n in range(first, first + 500)]})
        shards = self.call(server.port, "ListShards", {"StreamName": "bench"})["Shards"]
        iterator = self.call(server.port, "GetShardIterator", {"StreamName": "bench", "ShardId": shards[0]["ShardId"],
                                                              "ShardIteratorType": "TRIM_HORIZON"})["ShardIterator"]
        body = self.tmp / "get.json"
        body.write_text(json.dumps({"ShardIterator": iterator, "Limit": 10000}))
        call = dict(workload="call", target="Kinesis_20131202.GetRecords", body_file=body, connections=4)
        probe = self.load(server.port, server.pid, **call)
        page = int(probe["response_bytes_per_s"] / probe["requests_per_s"])
        sink = subprocess.Popen(["taskset", "-c", "0", str(self.args.load).replace("_load", "_sink"), "--bytes", str(page)],
                                stdout=subprocess.PIPE, text=True)
        self.processes.append(sink)
        sink_port = int(sink.stdout.readline())
        got = self.rounds({
            "millstream": lambda: self.load(server.port, server.pid, **call),
            "sink": lambda: self.load(sink_port, sink.pid, **call)})
        ours = self.detail("GetRecords 10,000x1KB JSON, 4 connections", got["millstream"])
        self.detail("  the same bytes from memory", got["sink"])
        self.row("GetRecords 10,000x1KB JSON, CPU", "sending the same cached bytes, CPU",
                 statistics.median(a["server_cpu_us_per_request"] / b["server_cpu_us_per_request"]
                                   for a, b in zip(got["millstream"], got["sink"])), 1.6, 1.3, lower_is_better=True,
                 note=f"{page/1e6:.1f} MB page, {ours['server_cpu_us_per_request']/1e3:.2f} ms cpu")
        self.stop(sink)
        self.stop(server)

    def two_cores(self):
        # The generator needs its part of the same cores, so it has them in both arms.
        one, two = self.millstream(loops=1, core="0"), self.millstream(loops=2, core="0,1")
        self.warm(one)
        self.warm(two)
        put = dict(workload="put_records", stream="bench", payload=100, connections=64)
        got = self.rounds({"one": lambda: self.load(one.port, one.pid, core="0", **put),
                           "two": lambda: self.load(two.port, two.pid, core="0,1", **put)})
        self.detail("one reactor and the generator on one core, PutRecords 500x100B", got["one"])
        self.detail("two reactors and the generator on two cores, PutRecords 500x100B", got["two"])
        self.row("two reactors on two cores (500x100B JSON, 64 connections)", "one reactor on one core",
                 statistics.median(b["records_per_s"] / a["records_per_s"] for a, b in zip(got["one"], got["two"])), 1.5, 1.85,
                 note="the generator on the same cores in both arms")
        self.stop(one)
        self.stop(two)

    def fan_out(self):
        binary = Path(str(self.args.load).replace("millstream_load", "fan_out_bench"))
        if not binary.exists():
            print("fan-out: not built, left out")
            return
        got = self.rounds({"fan_out": lambda: json.loads(subprocess.run(
            ["taskset", "-c", "0", binary], capture_output=True, text=True, check=True).stdout)})
        ratio = statistics.median(r["shared_cpu_s_per_gb"] / r["each_cpu_s_per_gb"] for r in got["fan_out"])
        self.row("fan-out to 32 subscribers, CPU per delivered GB", "encoding for each", ratio, 0.80, 0.70, lower_is_better=True)

    def peers(self):
        """The same PutRecords load against the free emulators that are installed under --peers."""
        if not Path(self.args.peers).is_dir():
            print("peers: not installed (bench/peers.sh), left out")
            return
        peers = Path(self.args.peers)
        servers = {
            "kinesis-mock": (["node", "main.js"], dict(KINESIS_MOCK_PLAIN_PORT="{port}", KINESIS_MOCK_TLS_PORT="{other}", LOG_LEVEL="ERROR")),
            "kinesalite": (["node", peers / "node_modules/kinesalite/cli.js", "--port", "{port}", "--shardLimit", "100", "--createStreamMs", "0"], {}),
            "moto": ([peers / "moto/bin/moto_server", "-p", "{port}"], {}),
            "ferrokinesis": ([peers / "ferro/bin/ferrokinesis", "--port", "{port}", "--create-stream-ms", "0"], {}),
        }
        result, total, self.silent = [], 0.0, []
        seconds, self.args.seconds = self.args.seconds, max(self.args.seconds, 6)  # some answer after seconds
        for name, (command, environment) in servers.items():
            port, other = free_port(), free_port()
            fill = lambda text: str(text).replace("{port}", str(port)).replace("{other}", str(other))
            if (not Path(fill(command[0])).exists() and not shutil.which(fill(command[0]))) or (
                    name == "kinesis-mock" and not (peers / "node_modules/kinesis-local").is_dir()):
                print(f"  {name}: not installed, left out")
                continue
            try:
                process = self.spawn([fill(c) for c in command], cwd=peers / "node_modules/kinesis-local" if name == "kinesis-mock" else None, env={**os.environ, **{k: fill(v) for k, v in environment.items()}})
                wait_port(port, process)
                try:
                    self.call(port, "CreateStream", {"StreamName": "bench", "ShardCount": 4})
                except Exception as error:  # kinesis-mock makes it at start
                    if "ResourceInUse" not in str(error):
                        raise
                self.wait_stream(port)
                best = max((self.load(port, process.pid, workload="put_records", stream="bench", payload=1024,
                                      connections=c) for c in (1, 8)), key=lambda r: r["records_per_s"])
                self.stop(process)
            except (RuntimeError, SystemExit) as error:
                print(f"  {name}: {error}")
                self.silent.append(name)
                continue
            result.append((name, best))
            total += best["records_per_s"]
            self.details.append((f"peer {name}: PutRecords 500x1KB JSON (best of 1 and 8 connections)", best))
        self.args.seconds = seconds
        server = self.millstream()
        self.warm(server)
        ours = max((self.load(server.port, server.pid, workload="put_records", stream="bench", payload=1024,
                              connections=c) for c in (8, 32)), key=lambda r: r["records_per_s"])
        self.stop(server)
        if result:
            best = max(r["records_per_s"] for _, r in result)
            self.row("the same PutRecords load, records/s", "all peers together (" + ", ".join(n for n, _ in result) + ")",
                     ours["records_per_s"] / total, 1.0, 1.0, note=f"{ours['records_per_s']/best:.0f} times the best peer (goal 100)")

    def cold_start(self):
        times = []
        for _ in range(5):
            port, data = free_port(), Path(tempfile.mkdtemp(dir=self.tmp))
            start = time.perf_counter()
            process = self.spawn([self.args.server, "serve", "--data-directory", data / "d", "--port", port])
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", port), 0.2) as s:
                        s.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
                        if s.recv(100).startswith(b"HTTP/1.1 200"):
                            break
                except OSError:
                    pass
                time.sleep(0.001)
            times.append(time.perf_counter() - start)
            self.stop(process)
        self.details.append(("cold start to the first answer", {"median_ms": statistics.median(times) * 1e3}))
        print(f"cold start to first answer: {statistics.median(times)*1e3:.0f} ms")

    def write(self):
        cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text()).group(1)
        lines = ["# Performance", "",
                 "Written by `./mill bench`; every ratio is to a reference measured in the same run, the median of "
                 f"{self.args.rounds} alternating rounds of {self.args.seconds:g} s.", "",
                 f"Machine: {os.cpu_count()} cores, {cpu}. Server on one core, generator on the other; SigV4 verified; "
                 "durable (`sync`) unless said; limits off; audit off. Measured after four seconds of load: files of the "
                 "write-ahead log are written once with zeros before their first use.", "",
                 "| workload | against | ratio | gate | goal | reached | |", "|---|---|---|---|---|---|---|"]
        for workload, reference, ratio, gate, goal, verdict, note in self.rows:
            lines.append(f"| {workload} | {reference} | **{ratio:.2f}** | {gate} | {goal} | {verdict} | {note} |")
        missed = [f"{workload} ({ratio:.2f}, gate {gate})" for workload, _, ratio, gate, _, verdict, _ in self.rows if verdict == "MISSED"]
        lines += ["", "Every gate was met in this run." if not missed else "Gates missed in this run: " + "; ".join(missed) + ".",
                  "Rounds on a shared machine differ by 10 to 20 %, references included: a ratio near its gate can fall on either side."]
        if self.silent:
            lines += [f"Peers that answered none of these requests within a round: {', '.join(self.silent)}."]
        lines += ["", "## The figures behind it", "", "Medians. Latency is from send to whole answer (closed loop), or from the scheduled moment where the loop is open.", "",
                  "| run | req/s | rec/s | body MB/s | p50 µs | p99 µs | p99.9 µs | CPU µs/req | CPU ns/rec | RSS MB |", "|---|---|---|---|---|---|---|---|---|---|"]
        for name, r in self.details:
            if "requests_per_s" in r:
                lines.append(f"| {name} | {r['requests_per_s']:,.0f} | {r['records_per_s']:,.0f} | {r['body_bytes_per_s']/1e6:,.0f} | {r['p50_us']:,.0f} | "
                             f"{r['p99_us']:,.0f} | {r['p999_us']:,.0f} | {r['server_cpu_us_per_request']:,.1f} | {r['server_cpu_ns_per_record']:,.0f} | {r['server_rss_kb']/1024:,.0f} |")
        for name, r in self.details:
            if "median_ms" in r:
                lines += ["", f"{name[0].upper()}{name[1:]}: {r['median_ms']:.0f} ms."]
        (ROOT / "docs/performance.md").write_text("\n".join(lines) + "\n")

    def run(self):
        try:
            for part in self.args.only.split(","):
                getattr(self, part)()
            if self.args.write:
                self.write()
        finally:
            for process in list(self.processes):
                process.kill()
                process.wait()
            shutil.rmtree(self.tmp, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=ROOT / "build/release/src/server/millstream", type=Path)
    parser.add_argument("--load", default=ROOT / "build/release/bench/millstream_load", type=Path)
    parser.add_argument("--peers", default=os.environ.get("MILLSTREAM_PEERS", ROOT / "build/bench/peers"), help="folder with the peers installed by bench/peers.sh")
    parser.add_argument("--scratch", default=str(ROOT / "build"), help="where data directories go: a real disk, not tmpfs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--only", default="put_records,put_record,get_records,fan_out,two_cores,peers,cold_start")
    Bench(parser.parse_args()).run()


if __name__ == "__main__":
    main()

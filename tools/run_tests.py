#!/usr/bin/env python3
"""Builds and runs every suite of tests, prints a line for each and one closing line:

  N passed, N failed

`./mill test` prepares the machine and the Python environment and calls this. Nothing stops at the first
failure; the exit code is non-zero when anything failed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = str(os.cpu_count())
RESULTS = ROOT / "build/results"
FUZZ_SECONDS = 60


class Tally:
    """What one suite did. `failures` are names with a reason."""

    def __init__(self):
        self.passed, self.failures, self.skipped = 0, [], []

    def add(self, name, problem=None):
        if problem is None:
            self.passed += 1
        else:
            self.failures.append((name, problem))


def run(command, **options):
    return subprocess.run([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, **options)


def build(preset, *targets):
    """None, or what the compiler said."""
    for command in (["cmake", "--preset", preset], ["ninja", "-j", CORES, "-C", ROOT / "build" / preset, *targets]):
        done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            return done.stdout[-6000:]
    return None


def add_junit(tally, path, prefix=""):
    """Adds the cases of a JUnit file. Returns how many there were."""
    cases = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        cases += 1
        name = f"{prefix}{case.get('classname')}.{case.get('name')}"
        problems = [*case.iter("failure"), *case.iter("error")]
        skips = [*case.iter("skipped")]
        if problems:
            tally.add(name, (problems[0].get("message") or problems[0].text or "failed").strip())
        elif skips or case.get("status") == "notrun" or case.get("result") == "skipped":
            tally.skipped.append((name, (skips[0].get("message") if skips else None) or "skipped"))
        else:
            tally.add(name)
    return cases


def run_ctest(preset, tally):
    """Each GoogleTest program reports its cases in a file; a program without cases (a replayed corpus, a
    crash before the report) counts as one."""
    results = RESULTS / preset
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    report = results / "ctest.xml"
    environment = {
        **os.environ,
        "GTEST_OUTPUT": f"xml:{results}/",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan_suppressions.txt",
    }
    command = ["ctest", "--test-dir", f"build/{preset}", "-j", CORES, "--output-on-failure",
               "--output-junit", report]
    # ThreadSanitizer of g++ 12 does not know the address layouts of kernels with more random bits.
    if preset == "tsan" and subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode == 0:
        command = ["setarch", "-R", *command]
    done = run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (results / "output.txt").write_text(done.stdout)
    if not report.exists():
        return tally.add("ctest", done.stdout[-3000:])
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = case.get("name")
        own_report = results / f"{name}_test.xml"
        failed = case.get("status") != "run"
        before = len(tally.failures)
        cases = add_junit(tally, own_report, f"{name}: ") if own_report.exists() else 0
        if failed and len(tally.failures) == before:
            output = "".join(case.itertext()).strip()
            tally.add(name, output[-3000:] or f"status {case.get('status')}")
        elif not failed and cases == 0:
            tally.add(name)


def unit(tally, _):
    run_ctest("release", tally)


def rules(tally, _):
    for command in (["tools/layers.py"], ["tools/tidy.py", "--headers"]):
        done = run([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        tally.add(command[0], None if done.returncode == 0 else done.stdout[-6000:])


def run_pytest(tally, name, paths, arguments, extra=()):
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    long = ["--long"] if arguments.all else []
    done = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
                *extra, *long, *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (RESULTS / f"{name}.txt").write_text(done.stdout)
    before = len(tally.failures)
    cases = add_junit(tally, report) if report.exists() else 0
    if done.returncode != 0 and len(tally.failures) == before:
        tally.add(f"pytest {name}", done.stdout[-3000:])
    elif cases == 0:
        tally.add(f"pytest {name}", "ran no test")


def black_box(tally, arguments):
    run_pytest(tally, "black-box", ["tests"], arguments, ["--ignore=tests/clients"])


def clients(tally, arguments):
    run_pytest(tally, "clients", ["tests/clients"], arguments)


def sanitized(preset):
    def suite(tally, _):
        problem = build(preset, "unit_tests")
        if problem:
            return tally.add(f"build {preset}", problem)
        run_ctest(preset, tally)
    return suite


def fuzz(tally, _):
    """Each target for a minute from its checked-in corpus; new inputs go below build/."""
    problem = build("fuzz", "fuzzers")
    if problem:
        return tally.add("build fuzz", problem)
    targets = sorted(p for p in (ROOT / "build/fuzz/src").rglob("*_fuzz") if os.access(p, os.X_OK) and p.is_file())
    if not targets:
        return tally.add("fuzz", "no targets")
    for target in targets:
        seeds = ROOT / "tests/corpus" / target.name.removesuffix("_fuzz")
        found = ROOT / "build/fuzz/corpus" / target.name
        found.mkdir(parents=True, exist_ok=True)
        done = run([target, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                    f"-artifact_prefix={found.parent}/{target.name}-", found, seeds],
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        tally.add(target.name, None if done.returncode == 0 else done.stdout[-3000:])


SUITES = [
    ("unit", unit, False),
    ("rules", rules, False),
    ("black-box", black_box, False),
    ("clients", clients, False),
    ("asan", sanitized("asan"), False),
    ("tsan", sanitized("tsan"), False),
    ("fuzz", fuzz, True),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="fuzzers, soaks and long crash loops too")
    parser.add_argument("--suite", action="append", choices=[name for name, _, _ in SUITES],
                        help="only this one (may be repeated)")
    parser.add_argument("--list", action="store_true", help="names of the suites")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(name for name, _, _ in SUITES))
        return 0

    RESULTS.mkdir(parents=True, exist_ok=True)
    total = Tally()
    chosen = [(n, f) for n, f, only_all in SUITES
              if (n in arguments.suite if arguments.suite else arguments.all or not only_all)]

    started = time.monotonic()
    problem = build("release")
    print(f"build: {'failed' if problem else 'done'} in {time.monotonic() - started:.0f} s", flush=True)
    if problem:
        print(problem)
        total.add("build release", problem)
        chosen = []

    for name, suite in chosen:
        tally, started = Tally(), time.monotonic()
        suite(tally, arguments)
        for test, reason in tally.failures:
            print(f"FAILED {name}: {test}\n    " + reason.replace("\n", "\n    "))
        for test, reason in tally.skipped:
            print(f"skipped {name}: {test}: {reason}")
        skipped = f", {len(tally.skipped)} skipped" if tally.skipped else ""
        print(f"{name}: {tally.passed} ok, {len(tally.failures)} not ok{skipped} in {time.monotonic() - started:.0f} s",
              flush=True)
        total.passed += tally.passed
        total.failures += tally.failures

    print(f"{total.passed} passed, {len(total.failures)} failed")
    return 1 if total.failures or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes temperature readings as JSON lines to standard output, in order, at a steady rate, over and over.

The data set lies inside the PyPI package vega_datasets: hourly temperatures of Seattle and San
Francisco in 2010, 17,518 readings (U.S. National Oceanic and Atmospheric Administration). The package
is fetched once into --cache and read there; nothing of it is installed.
"""
import argparse
import csv
import io
import json
import subprocess
import sys
import time
import zipfile
from datetime import datetime
from pathlib import Path

PACKAGE = "vega_datasets==0.9.0"
TABLES = {"Seattle": "seattle-temps.csv", "San Francisco": "sf-temps.csv"}


def package(cache):
    """The package's wheel, fetched when it is not there yet."""
    found = sorted(cache.glob("vega_datasets-*.whl"))
    if not found:
        cache.mkdir(parents=True, exist_ok=True)
        pip = cache / "venv/bin/pip"  # the system's Python may come without one
        if not pip.exists():
            subprocess.run([sys.executable, "-m", "venv", str(cache / "venv")], check=True, stdout=sys.stderr)
        subprocess.run([str(pip), "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--dest", str(cache), PACKAGE], check=True, stdout=sys.stderr)
        found = sorted(cache.glob("vega_datasets-*.whl"))
    return found[0]


def readings(wheel):
    """Of both cities, by time."""
    rows = []
    with zipfile.ZipFile(wheel) as archive:
        for city, name in TABLES.items():
            with archive.open(f"vega_datasets/_data/{name}") as table:
                for row in csv.DictReader(io.TextIOWrapper(table, "utf-8")):
                    at = datetime.fromisoformat(row["date"].replace("/", "-"))
                    rows.append({"city": city, "at": at.isoformat(), "fahrenheit": float(row["temp"])})
    return sorted(rows, key=lambda row: row["at"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--per-second", type=float, default=50)
    arguments = parser.parse_args()
    rows = readings(package(arguments.cache))
    due = time.monotonic()
    try:
        while True:
            for row in rows:
                print(json.dumps(row), flush=True)
                due = max(due + 1 / arguments.per_second, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))
    except (BrokenPipeError, KeyboardInterrupt):
        return 0


if __name__ == "__main__":
    sys.exit(main())

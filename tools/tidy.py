#!/usr/bin/env python3
"""The house rules that a compiler does not know (STYLE.md). Prints every violation; run as a test.

  tools/tidy.py             text rules
  tools/tidy.py --headers   also compiles every header alone, with the flags of build/release; a header
                            whose text and project includes did not change since it passed is skipped
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layers import LAYERS

# Third-party header -> folders whose .cc files may include it.
CONFINED = [
    (re.compile(r"<simdjson"), {"codec", "sql"}),
    (re.compile(r"<nghttp2/"), {"http"}),
    (re.compile(r"<openssl/"), {"codec", "net", "streams"}),
    (re.compile(r"<sqlite3\.h>"), {"catalog"}),
    (re.compile(r"<re2/"), {"aws", "sql"}),
    (re.compile(r"<toml\+\+/"), {"server"}),
    (re.compile(r"<CLI/"), {"server"}),
    (re.compile(r"<(boost|asio)"), set()),
    (re.compile(r"<nlohmann/"), set()),
]
NOT_IN_HEADERS = re.compile(r"#\s*include\s+<(iostream|regex)>")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"][^>"]+[>"])')
LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
COROUTINE = re.compile(r"\bco_(await|yield|return)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|home|root)/")
TEXT_SUFFIXES = {".h", ".cc", ".py", ".sh", ".cmake", ".md", ".toml", ".json", ".mjs", ".go", ".java", ".test"}


def tracked(root):
    out = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in out.splitlines() if (root / line).is_file()]


def layer_of(path):
    parts = path.parts[1:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in LAYERS:
            return "/".join(parts[:length])
    return None


def source_violations(path, text):
    layer, header = layer_of(path), path.suffix == ".h"
    if header and "#pragma once" not in text:
        yield f"{path}: has no #pragma once"
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        if COROUTINE.search(line.split("//")[0]):
            yield f"{where}: coroutines are not used (ARCHITECTURE.md, concurrency)"
        if header and NOT_IN_HEADERS.search(line):
            yield f"{where}: <iostream> and <regex> do not belong in headers"
        match = INCLUDE.match(line)
        if match:
            for pattern, folders in CONFINED:
                if pattern.match(match.group(1)) and (layer not in folders or header):
                    allowed = ", ".join(sorted(folders)) or "no folder"
                    yield f"{where}: {match.group(1)} may be included only in .cc files of: {allowed}"


def folder_violations(root):
    for layer in LAYERS:
        folder = root / "src" / layer
        if not any(folder.glob("*.cc")) and not any(folder.glob("*.h")):
            continue
        if not (folder / "README.md").is_file():
            yield f"src/{layer}: has no README.md"
        if not any(folder.glob("*_test.cc")):
            yield f"src/{layer}: has no tests (*_test.cc)"


def text_violations(root):
    for path in tracked(root):
        if path.suffix not in TEXT_SUFFIXES or path.name in ("tidy.py", "package-lock.json"):
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if LEFT_OVER.search(line) and path.parts[0] in ("src", "tests", "tools", "bench", "examples"):
                yield f"{path}:{number}: {LEFT_OVER.search(line).group(1)} left over; finish it or say what is missing"
            if MACHINE_PATH.search(line):
                yield f"{path}:{number}: an absolute path of one machine"
        if path.parts[0] == "src" and path.suffix in (".h", ".cc"):
            yield from source_violations(path, text)


class HeaderCheck:
    """Compiles headers alone (syntax only), as many at a time as there are cores."""

    def __init__(self, root):
        self.root = root
        commands = json.loads((root / "build/release/compile_commands.json").read_text())
        self.flags = {}
        for entry in commands:
            path = Path(entry["file"])
            if not path.is_relative_to(root / "src"):
                continue
            words = shlex.split(entry["command"])
            start = next(i for i, w in enumerate(words) if w.endswith(("g++", "clang++", "c++")))
            kept, skip = [words[start]], False
            for word in words[start + 1:]:
                if skip or word in ("-o", "-c"):
                    skip = not skip and word in ("-o", "-c")
                    continue
                kept.append(word)
            self.flags.setdefault(layer_of(path.relative_to(root)), kept)
        # Everything under src/ sees the generated headers' folder, so that one cache key serves.
        self.generated = ["-I", str(root / "build/release/generated")]
        self.texts = {}

    def digest(self, path, seen):
        """Of a header and every header of ours that it includes."""
        if path in seen:
            return b""
        seen.add(path)
        if path not in self.texts:
            file = self.root / "src" / path
            if not file.is_file():
                file = self.root / "build/release/generated" / path
            self.texts[path] = file.read_bytes() if file.is_file() else b"missing"
        whole = hashlib.sha256(self.texts[path])
        for match in re.finditer(rb'#\s*include\s+"([^"]+)"', self.texts[path]):
            whole.update(self.digest(match.group(1).decode(), seen))
        return whole.digest()

    def check(self, path):
        relative = path.relative_to("src")
        flags = self.flags.get(layer_of(path)) or next(iter(self.flags.values()))
        key = hashlib.sha256(self.digest(str(relative), set()) + " ".join(flags).encode()).hexdigest()
        stamp = self.root / "build/tidy" / key
        if stamp.exists():
            return None
        # Included twice: that needs the include guard to work.
        source = f'#include "{relative}"\n#include "{relative}"\n'
        run = subprocess.run([*flags, *self.generated, "-fsyntax-only", "-O0", "-x", "c++", "-"], input=source,
                             capture_output=True, text=True, cwd=self.root / "build/release")
        if run.returncode != 0:
            return f"{path}: does not compile alone:\n{run.stderr[:2000]}"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return None

    def violations(self):
        headers = [p for p in tracked(self.root) if p.parts[0] == "src" and p.suffix == ".h"]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from filter(None, pool.map(self.check, headers))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    found = [*text_violations(arguments.root), *folder_violations(arguments.root)]
    if arguments.headers:
        found += HeaderCheck(arguments.root).violations()
    for line in found:
        print(line)
    print(f"tidy: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

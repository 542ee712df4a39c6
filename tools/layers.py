#!/usr/bin/env python3
"""Holds the #include lines and the CMake targets against the layer table.

A folder under src/ includes only itself and what its row names. Prints every violation with file and
line; exit code 1 when there is one. Run as a test.
"""
import re
import sys
from pathlib import Path

# Folder -> folders it may include beside itself, lowest layer first. Only direct includes count:
# what a row does not name may not be named in an #include, even when it is linked through another.
LAYERS = {
    "base": [],
    "codec": ["base"],
    "net": ["base"],
    "log": ["base", "codec"],
    "http": ["base", "codec", "net"],
    "catalog": ["base"],
    "streams": ["base", "codec", "log", "catalog"],
    "sql": ["base", "codec"],
    "analytics": ["base", "codec", "log", "catalog", "streams", "sql"],
    "aws": ["base", "codec", "net", "http"],
    "services/kinesis": ["base", "codec", "net", "log", "http", "streams", "aws"],
    "services/kinesisanalytics": ["base", "codec", "net", "http", "log", "streams", "sql", "analytics", "aws"],
    "server": ["base", "codec", "net", "log", "http", "catalog", "streams", "sql", "analytics", "aws",
               "services/kinesis", "services/kinesisanalytics"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
CMAKE_LAYER = re.compile(r"millstream_layer\(\s*(\S+)([^)]*)\)")
CMAKE_KEYWORDS = {"LAYERS", "LIBS", "TEST_LIBS"}


def folder_of(path):
    """The layer a path relative to src/ belongs to, or None. The longest match wins."""
    parts = Path(path).parts
    for length in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:length])
        if name in LAYERS:
            return name
    return None


def include_violations(src):
    for path in sorted(src.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        relative = path.relative_to(src)
        layer = folder_of(relative)
        if layer is None:
            yield f"src/{relative}: its folder is not in the layer table of tools/layers.py"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            included = folder_of(match.group(1))
            if included is None:
                yield (f'src/{relative}:{number}: "{match.group(1)}" is not a path from src/ '
                       "(write the folder; system headers take <>)")
            elif included != layer and included not in LAYERS[layer]:
                yield (f"src/{relative}:{number}: {layer} may not include {included}; "
                       f"its row allows: {', '.join(LAYERS[layer]) or 'nothing'}")


def cmake_violations(src):
    """Each millstream_layer() links what the row of its folder says."""
    seen = set()
    for path in sorted(src.rglob("CMakeLists.txt")):
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        for match in CMAKE_LAYER.finditer(text):
            folder, linked, keyword = match.group(1), [], None
            for word in match.group(2).split():
                if word in CMAKE_KEYWORDS:
                    keyword = word
                elif keyword == "LAYERS":
                    linked.append(word)
            seen.add(folder)
            where = f"src/{path.relative_to(src)}: millstream_layer({folder})"
            if folder not in LAYERS:
                yield f"{where}: not in the layer table of tools/layers.py"
            elif sorted(linked) != sorted(LAYERS[folder]):
                yield f"{where}: links {' '.join(linked) or 'nothing'}; the table says {' '.join(LAYERS[folder]) or 'nothing'}"
    for folder in LAYERS:
        if folder not in seen and any((src / folder).glob("*.cc")):
            yield f"src/{folder}: has sources but no millstream_layer()"


def violations(src):
    yield from include_violations(src)
    yield from cmake_violations(src)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(violations(root / "src"))
    for line in found:
        print(line)
    print(f"layers: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The examples of the SQL documentation, as files, commands and their output.

A fenced block whose info string names a file (```sql app.sql) is that file. A ```console block holds commands
(`$ millstream sql ...`, the first of them decides) and what they print: standard error only when they fail or end with 2>&1. A table whose first column is called `expression` holds
expressions and, in its second column, their values. Everything is in the order of the document.

    python3 tests/sql/doc_examples.py docs/sql/reference.md           says what differs
    python3 tests/sql/doc_examples.py --update docs/sql/reference.md  writes what is printed into it
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = Path(os.environ.get("MILLSTREAM_BINARY", ROOT / "build/release/src/server/millstream"))


def code_of(cell):
    """`a \\|\\| b` in a table is a || b."""
    return cell.strip().strip("`").replace("\\|", "|")


def run(command, directory):
    words = shlex.split(command)
    assert words[0] == "millstream", command
    stdin = subprocess.DEVNULL
    if "<" in words:
        stdin = open(Path(directory) / words[words.index("<") + 1])
        words = words[:words.index("<")]
    everything = words[-1] == "2>&1"
    done = subprocess.run([BINARY, *words[1:-1 if everything else None]], cwd=directory, stdin=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if everything else subprocess.PIPE, text=True, timeout=60)
    return done.stdout if done.returncode == 0 or everything else done.stdout + done.stderr


def evaluate(expression):
    done = subprocess.run([BINARY, "sql", f"--eval={expression}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.stdout.rstrip("\n") if done.returncode == 0 else "error"


def replay(text):
    """The document with everything as it is printed now."""
    out, lines, at = [], text.split("\n"), 0
    with tempfile.TemporaryDirectory() as directory:
        while at < len(lines):
            line = lines[at]
            fence = re.match(r"^```(\w+)(?: (\S+))?$", line)
            if fence:
                end = at + 1
                while lines[end] != "```":
                    end += 1
                body = lines[at + 1:end]
                if fence[2]:
                    (Path(directory) / fence[2]).write_text("\n".join(body) + "\n")
                elif fence[1] == "console" and body[0].startswith("$ millstream sql"):
                    body = console(body, directory)
                out += [line, *body, "```"]
                at = end + 1
            elif line.startswith("| expression |"):
                out += lines[at:at + 2]
                at += 2
                while at < len(lines) and lines[at].startswith("|"):
                    cells = re.split(r"(?<!\\)\|", lines[at])
                    cells[2] = f" `{evaluate(code_of(cells[1]))}` ".replace("|", "\\|")
                    out.append("|".join(cells))
                    at += 1
            else:
                out.append(line)
                at += 1
    return "\n".join(out)


def console(body, directory):
    out, at = [], 0
    while at < len(body):
        assert body[at].startswith("$ "), body[at]
        command = body[at][2:]
        out.append(body[at])
        at += 1
        while command.endswith("\\"):
            command = command[:-1] + body[at]
            out.append(body[at])
            at += 1
        while at < len(body) and not body[at].startswith("$ "):  # the old output
            at += 1
        out += run(command, directory).rstrip("\n").split("\n")
        if at < len(body) and out[-1] != "":
            out.append("")
    return [line for n, line in enumerate(out) if not (line == "" and n == len(out) - 1)]


def main():
    update = sys.argv[1] == "--update"
    differ = False
    for path in map(Path, sys.argv[2 if update else 1:]):
        text = path.read_text()
        now = replay(text)
        if now == text:
            continue
        differ = True
        if update:
            path.write_text(now)
        else:
            import difflib
            print("\n".join(difflib.unified_diff(text.split("\n"), now.split("\n"), str(path), "as it runs", lineterm="", n=2)))
    sys.exit(1 if differ and not update else 0)


if __name__ == "__main__":
    main()

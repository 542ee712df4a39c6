"""The layer check finds what it is there for."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import layers  # noqa: E402


def source(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_tree_holds_the_table():
    assert list(layers.violations(ROOT / "src")) == []


def test_an_upward_include_is_found_with_its_line(tmp_path):
    source(tmp_path, "log/store.cc", '#include "log/store.h"\n#include "streams/stream.h"\n')
    assert [v.split(";")[0] for v in layers.include_violations(tmp_path)] == [
        "src/log/store.cc:2: log may not include streams"]


def test_a_sideways_include_is_found(tmp_path):
    source(tmp_path, "aws/call.cc", '#include "streams/stream.h"\n')
    source(tmp_path, "streams/stream.cc", '#include "aws/call.h"\n')
    assert len(list(layers.include_violations(tmp_path))) == 2


def test_includes_of_itself_and_lower_layers_pass(tmp_path):
    source(tmp_path, "services/kinesis/put.cc",
           '#include "services/kinesis/put.h"\n#include "aws/generated/kinesis.h"\n#include "base/bytes.h"\n')
    assert list(layers.include_violations(tmp_path)) == []


def test_a_new_folder_must_join_the_table(tmp_path):
    source(tmp_path, "helpers/text.h", "#pragma once\n")
    assert "layer table" in next(layers.include_violations(tmp_path))


def test_cmake_links_what_the_table_says(tmp_path):
    source(tmp_path, "CMakeLists.txt", "millstream_layer(codec LAYERS base log LIBS x)\n")
    assert "codec): links base log; the table says base" in next(layers.cmake_violations(tmp_path))

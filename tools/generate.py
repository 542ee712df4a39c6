#!/usr/bin/env python3
"""Generates the C++ of one AWS service from its model (models/<service>.json and overlay):

  <out>/aws/generated/<service>.h   structs, constants, error factories, the abstract <Service>Api
  <out>/aws/generated/<service>.cc  schema tables (aws/schema.h) and dispatch

The build runs it (src/aws/CMakeLists.txt); standard library only. What it cannot express it refuses
with the name of the shape: nothing of a model is dropped silently.
"""

import argparse
import json
import pathlib
import re
import sys

SCALARS = {
    "string": ("kString", "std::string"),
    "character": ("kString", "std::string"),
    "boolean": ("kBoolean", "bool"),
    "integer": ("kInteger", "int32_t"),
    "long": ("kLong", "int64_t"),
    "float": ("kFloat", "float"),
    "double": ("kDouble", "double"),
    "blob": ("kBlob", "base::Bytes"),
    "timestamp": ("kTimestamp", "int64_t"),
}
AGGREGATES = {"list": "kList", "map": "kMap", "structure": "kStructure"}

LOCATIONS = {
    None: "kBody", "header": "kHeader", "uri": "kUri", "querystring": "kQueryString",
    "statusCode": "kStatusCode",
}

KEYWORDS = set("""alignas and asm auto bool break case catch char class const continue default
delete do double else enum explicit export extern false float for friend goto if inline int long
namespace new not operator or private protected public register return short signed sizeof static
struct switch template this throw true try typedef typename union unsigned using virtual void
volatile while xor present""".split())

PRESENT_BITS = 32


def fail(message):
    sys.exit(f"generate.py: {message}")


def quote(text):
    return json.dumps(text, ensure_ascii=True)


# Units that are written with inner capitals but are one word.
UNITS = {"KiB": "Kib", "MiBps": "Mibps", "KBps": "Kbps", "MBps": "Mbps"}


def words(name):
    """StreamARN -> [stream, arn]; MaxRecordSizeInKiB -> [max, record, size, in, kib]."""
    for unit, one_word in UNITS.items():
        name = name.replace(unit, one_word)
    name = name.replace("ARNs", "Arns").replace("IDs", "Ids")
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|\d+", name)]


def snake(name):
    text = "_".join(words(name))
    return text + "_" if text in KEYWORDS else text


def constant(value):
    """A value of an enumeration as kName: AT_TIMESTAMP -> kAtTimestamp."""
    parts = re.split(r"[^A-Za-z0-9]+", value)
    text = "".join(w.capitalize() for p in parts for w in (words(p) if p else []))
    return "k" + text


class Model:
    """A model with its overlay applied, and the C++ names of its shapes."""

    def __init__(self, name, path):
        self.name = name
        raw = json.loads(path.read_text())
        self.metadata = raw["metadata"]
        self.operations = raw["operations"]
        self.shapes = raw["shapes"]
        self.source = raw["source"]
        self.service = {}
        overlay = path.with_name(path.stem + ".overlay.json")
        if overlay.exists():
            self.apply(json.loads(overlay.read_text()), overlay)
        self.cpp_names = {}
        self.empty = []          # structs of operations without input or output
        self.name_operations()
        self.indexes = {}        # shape -> row of kShapes
        self.patterns = []

    def apply(self, overlay, path):
        for key, fact in overlay.get("service", {}).items():
            if "reason" not in fact:
                fail(f"{path}: {key} without reason")
            self.service[key] = fact["value"]
        for name, fact in overlay.get("shapes", {}).items():
            if "reason" not in fact:
                fail(f"{path}: {name} without reason")
            if name not in self.shapes:
                fail(f"{path}: no shape {name} in the model")
            self.shapes[name].update(fact.get("set", {}))

    def name_operations(self):
        """Inputs and outputs are called <Operation>Input and <Operation>Output in every service."""
        users = {}
        for op in self.operations.values():
            for role in ("input", "output"):
                if role in op:
                    users.setdefault(op[role]["shape"], []).append(op["name"] + role.capitalize())
        for shape, names in users.items():
            self.cpp_names[shape] = names[0] if len(names) == 1 else shape
        self.aliases = []
        for op in self.operations.values():
            for role in ("input", "output"):
                wanted = op["name"] + role.capitalize()
                if role not in op:
                    self.empty.append(wanted)
                elif self.cpp_names[op[role]["shape"]] != wanted:
                    self.aliases.append((wanted, self.cpp_names[op[role]["shape"]]))

    def struct_name(self, shape):
        name = self.cpp_names.get(shape, shape)
        if self.shapes[shape].get("exception"):
            return name + "Members"
        return name[0].upper() + name[1:]

    def cpp_type(self, shape):
        s = self.shapes[shape]
        if s["type"] in SCALARS:
            return SCALARS[s["type"]][1]
        if s["type"] == "list":
            return f'std::vector<{self.cpp_type(s["member"]["shape"])}>'
        if s["type"] == "map":
            return f'std::map<std::string, {self.cpp_type(s["value"]["shape"])}>'
        if s["type"] == "structure":
            return self.struct_name(shape)
        fail(f'{self.name}: shape {shape} has type {s["type"]}, which has no C++ type yet')

    def members(self, shape):
        """(wire name, member, required) of what is in the body or head; event streams are not."""
        s = self.shapes[shape]
        required = set(s.get("required", []))
        out = []
        for name, member in s["members"].items():
            if self.shapes[member["shape"]].get("eventstream"):
                continue
            if s.get("exception") and name.lower() == "message":
                continue
            out.append((name, member, name in required))
        return out

    def used_shapes(self):
        """Shapes reachable from operations and errors, structures after what they contain."""
        order, state = [], {}

        def visit(shape, by_value):
            if state.get(shape) == "done":
                return
            if state.get(shape) == "open":
                if by_value:
                    fail(f"{self.name}: structure {shape} contains itself")
                return
            s = self.shapes[shape]
            if s.get("eventstream"):
                return
            state[shape] = "open"
            if s["type"] == "list":
                visit(s["member"]["shape"], False)
            elif s["type"] == "map":
                if self.shapes[s["key"]["shape"]]["type"] != "string":
                    fail(f"{self.name}: map {shape} has keys that are no strings")
                visit(s["key"]["shape"], False)
                visit(s["value"]["shape"], False)
            elif s["type"] == "structure":
                for _, member, _ in self.members(shape):
                    visit(member["shape"], True)
            state[shape] = "done"
            order.append(shape)

        for op in self.operations.values():
            for role in ("input", "output"):
                if role in op:
                    visit(op[role]["shape"], True)
            event = self.event_of(op)
            if event:
                visit(event[1], True)
        for error in self.error_shapes():
            if self.members(error):
                visit(error, True)
        return order

    def error_shapes(self):
        return sorted(n for n, s in self.shapes.items() if s.get("exception"))

    def event_of(self, op):
        """(name, shape) of the event of an event stream output, or None."""
        if "output" not in op:
            return None
        for member in self.shapes[op["output"]["shape"]]["members"].values():
            stream = self.shapes[member["shape"]]
            if not stream.get("eventstream"):
                continue
            events = [(n, m["shape"]) for n, m in stream["members"].items()
                      if not self.shapes[m["shape"]].get("exception")]
            if len(events) != 1:
                fail(f'{self.name}: {op["name"]} has {len(events)} events; one is supported')
            return events[0]
        return None

    def error_code(self, shape):
        return self.shapes[shape].get("error", {}).get("code", shape)

    def error_status(self, shape):
        s = self.shapes[shape]
        return s.get("error", {}).get("httpStatusCode", 500 if s.get("fault") else 400)

    def message_member(self, shape):
        for name in self.shapes[shape]["members"]:
            if name.lower() == "message":
                return name
        return "message"

    def api_class(self):
        return re.sub(r"[^A-Za-z0-9]", "", self.metadata["serviceId"]) + "Api"


def banner(model):
    return f"// Generated by tools/generate.py from models/{model.name}.json ({model.source})."


# ---------------------------------------------------------------------------------------------
# Header


def enum_constants(model, shape):
    lines = [f"namespace {shape[0].upper() + shape[1:]} {{"]
    seen = set()
    for value in model.shapes[shape]["enum"]:
        name = constant(value)
        if name in seen:
            fail(f"{model.name}: {shape} has two values called {name}")
        seen.add(name)
        lines.append(f"inline constexpr std::string_view {name} = {quote(value)};")
    lines.append("}")
    return lines


def struct(model, shape):
    lines = [f"struct {model.struct_name(shape)} {{"]
    bits = 0
    for name, member, required in model.members(shape):
        kind = model.cpp_type(member["shape"])
        if required:
            bits += 1
            initial = {"bool": " = false", "int32_t": " = 0", "int64_t": " = 0", "double": " = 0",
                       "float": " = 0"}.get(kind, "{}")
            lines.append(f"  {kind} {snake(name)}{initial};")
        else:
            lines.append(f"  std::optional<{kind}> {snake(name)}{{}};")
    if bits > PRESENT_BITS:
        fail(f"{model.name}: {shape} has {bits} required members; {PRESENT_BITS} are supported")
    if bits:
        lines.append("  uint32_t present = 0;  // which required members the client sent")
    lines.append("};")
    return lines


def error_factories(model):
    lines = []
    for shape in model.error_shapes():
        lines.append(f"ServiceError {shape}(std::string message);")
        if model.members(shape):
            lines.append(
                f"ServiceError {shape}(std::string message, {model.struct_name(shape)} members);")
    return lines


def type_in_class(model, name):
    """A struct's name where methods may hide it: DeleteApplicationOutput is both the output of one
    operation and the name of another."""
    return f"{model.name}::{name}" if name in model.operations else name


def reply_type(model, op):
    event = model.event_of(op)
    output = type_in_class(model, op["name"] + "Output")
    if event:
        return f"StreamReply<{output}, {model.struct_name(event[1])}>"
    return f"Reply<{output}>"


def header(model):
    used = model.used_shapes()
    structs = [s for s in used if model.shapes[s]["type"] == "structure"]
    out = [
        banner(model), "#pragma once", "",
        "#include <cstdint>", "#include <map>", "#include <memory>", "#include <optional>",
        "#include <string>", "#include <string_view>", "#include <vector>", "",
        '#include "aws/service.h"', '#include "base/bytes.h"', "",
        f"namespace millstream::aws::{model.name} {{", "",
        "const ServiceSchema& Schema();", "",
        "// Enumerations travel as strings; these are their values.",
    ]
    for shape in used:
        if "enum" in model.shapes[shape]:
            out += enum_constants(model, shape)
    out.append("")
    for shape in structs:
        out.append(f"struct {model.struct_name(shape)};")
    out.append("")
    for shape in structs:
        out += struct(model, shape) + [""]
    for name in model.empty:
        out.append(f"struct {name} {{}};")
    for alias, name in model.aliases:
        out.append(f"using {alias} = {name};")
    out += ["", "// Errors of the model, ready to be answered with."]
    out += error_factories(model)
    out += [
        "", "// Schemas of single shapes, for encoding one without a call.",
        "namespace shapes {",
    ]
    for shape in structs:
        out.append(f"extern const ShapeSchema& k{model.struct_name(shape)};")
    out += ["}", ""]
    out += [
        f"// One method per operation. Requests have passed validation; see Service for the rules.",
        f"class {model.api_class()} : public Service {{",
        " public:",
        "  const ServiceSchema& schema() const final;",
        "  void Invoke(const OperationSchema& operation, const Call& call, Instance input,",
        "              std::unique_ptr<ReplySink> reply) final;",
        "",
    ]
    for op in model.operations.values():
        input_type = type_in_class(model, op["name"] + "Input")
        out.append(f'  virtual void {op["name"]}(const Call& call, {input_type} input,')
        out.append(f'      {reply_type(model, op)} reply) = 0;')
    out += ["};", "", f"}}  // namespace millstream::aws::{model.name}", ""]
    return "\n".join(out)


# ---------------------------------------------------------------------------------------------
# Tables


def pattern_index(model, shape):
    text = shape.get("match", shape["pattern"])
    if text not in model.patterns:
        model.patterns.append(text)
    return model.patterns.index(text)


def number(value):
    return "kNoMin" if value is None else f"INT64_C({int(value)})"


def shape_row(model, name):
    s = model.shapes[name]
    # Structures print and travel under their model's name.
    fields = [f".name = {quote(name)}"]
    if s["type"] in SCALARS:
        fields.append(f'.kind = Kind::{SCALARS[s["type"]][0]}')
    else:
        fields.append(f'.kind = Kind::{AGGREGATES[s["type"]]}')
    for key in ("min", "max"):
        if key in s:
            fields.append(f".{key} = INT64_C({int(s[key])})")
    if "pattern" in s:
        fields.append(f'.pattern = {quote(s["pattern"])}')
        fields.append(f".pattern_index = {pattern_index(model, s)}")
    if "enum" in s:
        fields.append(f".enum_values = kValuesOf{name}")
    if s["type"] == "list":
        element = s["member"]["shape"]
        fields.append(f".element = &kShapes[{model.indexes[element]}]")
        fields.append(f".list = &kListAccess<{model.cpp_type(element)}>")
        if s.get("flattened"):
            fields.append(".flattened = true")
    if s["type"] == "map":
        value = s["value"]["shape"]
        fields.append(f".element = &kShapes[{model.indexes[value]}]")
        fields.append(f'.key = &kShapes[{model.indexes[s["key"]["shape"]]}]')
        fields.append(f".map = &kMapAccess<{model.cpp_type(value)}>")
        if s.get("flattened"):
            fields.append(".flattened = true")
    if s["type"] == "structure":
        struct_name = model.struct_name(name)
        members = model.members(name)
        if members:
            fields.append(f".members = kMembersOf{struct_name}")
            fields.append(f".by_name = kSortedOf{struct_name}")
        fields.append(f".structure = &kStructureAccess<{struct_name}>")
        if any(required for _, _, required in members):
            fields.append(f".present_offset = offsetof({struct_name}, present)")
            fields.append(".has_required = true")
        if s.get("union"):
            fields.append(".is_union = true")
    return "{" + ", ".join(fields) + "},"


def member_tables(model, name):
    members = model.members(name)
    if not members:
        return []
    struct_name = model.struct_name(name)
    payload = model.shapes[name].get("payload")
    out = [f"constexpr MemberSchema kMembersOf{struct_name}[] = {{"]
    bit = 0
    for wire, member, required in members:
        location = "kPayload" if wire == payload else LOCATIONS.get(member.get("location"))
        if location is None:
            fail(f'{model.name}: {name}.{wire} is at {member["location"]}, which is not supported')
        if required:
            bits, optional = str(bit), "nullptr"
            bit += 1
        else:
            bits = "kNotRequired"
            optional = f'&kOptionalAccess<{model.cpp_type(member["shape"])}>'
        out.append(
            f'    {{{quote(wire)}, {quote(member.get("locationName", ""))}, '
            f'&kShapes[{model.indexes[member["shape"]]}], offsetof({struct_name}, {snake(wire)}), '
            f"{bits}, Location::{location}, {optional}}},")
    out.append("};")
    names = [m[0] for m in members]
    order = sorted(range(len(names)), key=lambda i: names[i].encode())
    out.append(f"constexpr uint16_t kSortedOf{struct_name}[] = "
               f"{{{', '.join(str(i) for i in order)}}};")
    return out


def tables(model):
    used = model.used_shapes()
    model.indexes = {name: i for i, name in enumerate(used)}
    empty_index = len(used)
    out = [
        banner(model), f'#include "aws/generated/{model.name}.h"', "", "#include <cstddef>", "",
        "// The structs are no standard-layout types in the letter of the standard; both compilers",
        "// lay them out as if they were.",
        '#pragma GCC diagnostic ignored "-Winvalid-offsetof"', "",
        f"namespace millstream::aws::{model.name} {{",
        "namespace {", "",
        f"extern const ShapeSchema kShapes[{len(used) + len(model.empty)}];", "",
    ]
    for name in used:
        if "enum" in model.shapes[name]:
            values = ", ".join(quote(v) for v in model.shapes[name]["enum"])
            out.append(f"constexpr std::string_view kValuesOf{name}[] = {{{values}}};")
    for name in used:
        if model.shapes[name]["type"] == "structure":
            out += member_tables(model, name)
    out += ["", f"constinit const ShapeSchema kShapes[{len(used) + len(model.empty)}] = {{"]
    for i, name in enumerate(used):
        out.append(f"    /* {i} */ " + shape_row(model, name))
    for name in model.empty:
        out.append(f"    {{.name = {quote(name)}, .kind = Kind::kStructure, "
                   f".structure = &kStructureAccess<{name}>}},")
    out += ["};", ""]

    errors = model.error_shapes()
    out.append("constexpr ErrorSchema kErrors[] = {")
    for name in errors:
        fault = "kServer" if model.shapes[name].get("fault") else "kClient"
        shape = f"&kShapes[{model.indexes[name]}]" if name in model.indexes else "nullptr"
        out.append(f"    {{{quote(name)}, {quote(model.error_code(name))}, "
                   f"{model.error_status(name)}, Fault::{fault}, {shape}}},")
    out += ["};", ""]

    operations = list(model.operations.values())
    for op in operations:
        names = sorted(e["shape"] for e in op.get("errors", []))
        if names:
            rows = ", ".join(f"&kErrors[{errors.index(n)}]" for n in names)
            out.append(f'constexpr const ErrorSchema* kErrorsOf{op["name"]}[] = {{{rows}}};')
    out += ["", "constexpr OperationSchema kOperations[] = {"]
    for i, op in enumerate(operations):
        rows = {}
        for role in ("input", "output"):
            if role in op:
                rows[role] = model.indexes[op[role]["shape"]]
            else:
                rows[role] = empty_index + model.empty.index(op["name"] + role.capitalize())
        fields = [
            f'.name = {quote(op["name"])}', f".index = {i}",
            f'.input = &kShapes[{rows["input"]}]', f'.output = &kShapes[{rows["output"]}]',
            f'.has_input = {str("input" in op).lower()}',
            f'.has_output = {str("output" in op).lower()}',
            f'.http_method = {quote(op["http"]["method"])}',
            f'.http_uri = {quote(op["http"]["requestUri"])}',
            f'.errors = kErrorsOf{op["name"]}' if op.get("errors") else ".errors = {}",
        ]
        event = model.event_of(op)
        if event:
            fields.append(f".event_name = {quote(event[0])}")
            fields.append(f".event = &kShapes[{model.indexes[event[1]]}]")
        out.append("    {" + ", ".join(fields) + "},")
    out += ["};", ""]
    order = sorted(range(len(operations)), key=lambda i: operations[i]["name"].encode())
    out.append(f"constexpr uint16_t kOperationsByName[] = {{{', '.join(map(str, order))}}};")
    patterns = ", ".join(quote(p) for p in model.patterns)
    if patterns:
        out.append(f"constexpr std::string_view kPatterns[] = {{{patterns}}};")
    meta = model.metadata
    out += [
        "", "constexpr ServiceSchema kService = {",
        f"    .name = {quote(model.name)},",
        f'    .signing_name = {quote(meta.get("signingName", meta["endpointPrefix"]))},',
        f'    .endpoint_prefix = {quote(meta["endpointPrefix"])},',
        f'    .api_version = {quote(meta["apiVersion"])},',
        f'    .target_prefix = {quote(meta.get("targetPrefix", ""))},',
        f'    .json_version = {quote(meta.get("jsonVersion", ""))},',
        f'    .protocol = {quote(meta["protocol"])},',
        f'    .error_namespace = {quote(model.service.get("errorNamespace", ""))},',
        f'    .java_package = {quote(model.service.get("javaPackage", ""))},',
        "    .operations = kOperations,", "    .operations_by_name = kOperationsByName,",
        "    .errors = kErrors,",
        "    .patterns = kPatterns," if patterns else "    .patterns = {},",
        "};", "",
        "ServiceError Error(const ErrorSchema& schema, std::string_view message_member,",
        "                   std::string message) {",
        "  ServiceError error;",
        "  error.code = schema.code;",
        "  error.message = std::move(message);",
        "  error.http_status = schema.http_status;",
        "  error.fault = schema.fault;",
        "  error.message_member = message_member;",
        "  return error;", "}", "",
        "}  // namespace", "",
        "const ServiceSchema& Schema() { return kService; }", "",
    ]
    for i, name in enumerate(errors):
        call = f"Error(kErrors[{i}], {quote(model.message_member(name))}, std::move(message))"
        out.append(f"ServiceError {name}(std::string message) {{ return {call}; }}")
        if model.members(name):
            struct_name = model.struct_name(name)
            out += [
                f"ServiceError {name}(std::string message, {struct_name} members) {{",
                f"  ServiceError error = {call};",
                f"  error.shape = kErrors[{i}].shape;",
                f"  error.members = std::make_shared<const {struct_name}>(std::move(members));",
                "  return error;", "}",
            ]
    out += ["", "namespace shapes {"]
    for name in used:
        if model.shapes[name]["type"] == "structure":
            out.append(f"constinit const ShapeSchema& k{model.struct_name(name)} = "
                       f"kShapes[{model.indexes[name]}];")
    out += ["}  // namespace shapes", ""]
    out += dispatch(model, operations)
    out += [f"}}  // namespace millstream::aws::{model.name}", ""]
    return "\n".join(out)


def dispatch(model, operations):
    cls = model.api_class()
    out = [
        f"const ServiceSchema& {cls}::schema() const {{ return kService; }}", "",
        f"void {cls}::Invoke(const OperationSchema& operation, const Call& call, Instance input,",
        "    std::unique_ptr<ReplySink> reply) {",
        "  switch (operation.index) {",
    ]
    for i, op in enumerate(operations):
        input_type = type_in_class(model, op["name"] + "Input")
        first = "operation" if model.event_of(op) else "*operation.output"
        out += [
            f"    case {i}:",
            f'      return {op["name"]}(call, std::move(input.As<{input_type}>()),',
            f"          {reply_type(model, op)}({first}, std::move(reply)));",
        ]
    out += ["  }", '  CHECK_MSG(false, "operation of another service");', "}", ""]
    return out


def write_if_changed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=pathlib.Path, help="models/<service>.json")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="root of generated includes")
    args = parser.parse_args()
    model = Model(args.model.stem, args.model)
    folder = args.out / "aws" / "generated"
    write_if_changed(folder / f"{model.name}.h", header(model))
    write_if_changed(folder / f"{model.name}.cc", tables(model))


if __name__ == "__main__":
    main()

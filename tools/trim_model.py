#!/usr/bin/env python3
"""Makes models/<service>.json from an installed botocore: names, types, constraints, errors and
protocol facts, without documentation text.

  tools/trim_model.py kinesis kinesisanalytics kinesisanalyticsv2

Facts that botocore lacks belong in models/<service>.overlay.json, each with its reason; the
generator (tools/generate.py) puts the two together.
"""

import argparse
import gzip
import json
import pathlib
import sys

METADATA = [
    "apiVersion", "endpointPrefix", "jsonVersion", "protocol", "protocols", "serviceId",
    "signingName", "targetPrefix", "xmlNamespace", "queryCompatible", "awsQueryCompatible",
]
OPERATION = ["name", "http", "input", "output", "errors"]
# Of shapes and members alike.
SHAPE = [
    "type", "shape", "members", "required", "member", "key", "value", "min", "max", "pattern",
    "enum", "location", "locationName", "payload", "flattened", "streaming", "sensitive", "box",
    "exception", "error", "fault", "event", "eventstream", "eventheader", "eventpayload", "union",
    "timestampFormat", "xmlNamespace", "xmlAttribute", "jsonvalue", "idempotencyToken",
]


def load(service):
    """The newest service-2.json of a service and where it came from."""
    import botocore
    data = pathlib.Path(botocore.__file__).parent / "data" / service
    versions = sorted(p for p in data.iterdir() if p.is_dir())
    for name in ("service-2.json", "service-2.json.gz"):
        path = versions[-1] / name
        if path.exists():
            raw = path.read_bytes()
            model = json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)
            return model, f"botocore {botocore.__version__} {service}/{versions[-1].name}"
    sys.exit(f"no service-2.json under {versions[-1]}")


def trim_shape(shape):
    kept = {}
    for key in SHAPE:
        if key not in shape:
            continue
        value = shape[key]
        if key == "members":
            value = {name: trim_shape(member) for name, member in value.items()}
        elif key in ("member", "key", "value"):
            value = trim_shape(value)
        kept[key] = value
    return kept


def trim(model, source):
    return {
        "source": source,
        "metadata": {k: model["metadata"][k] for k in METADATA if k in model["metadata"]},
        "operations": {
            name: {k: operation[k] for k in OPERATION if k in operation}
            for name, operation in model["operations"].items()
        },
        "shapes": {name: trim_shape(shape) for name, shape in model["shapes"].items()},
    }


def strip_documentation(operation):
    """References to shapes without the texts that some models put beside them."""
    for key in ("input", "output"):
        if key in operation:
            operation[key] = trim_shape(operation[key])
    operation["errors"] = [{"shape": e["shape"]} for e in operation.get("errors", [])]


def write(model, path):
    """One line per operation and shape, so that a change of model is a small diff."""
    lines = ["{"]
    lines.append(f' "source": {json.dumps(model["source"])},')
    lines.append(f' "metadata": {json.dumps(model["metadata"])},')
    for section in ("operations", "shapes"):
        lines.append(f' "{section}": {{')
        entries = [f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in model[section].items()]
        lines.append(",\n".join(entries))
        lines.append(" }" + ("," if section == "operations" else ""))
    lines.append("}")
    path.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("services", nargs="+", help="names of botocore's data folders")
    parser.add_argument("--to", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent.parent / "models")
    args = parser.parse_args()
    for service in args.services:
        model = trim(*load(service))
        for operation in model["operations"].values():
            strip_documentation(operation)
        path = args.to / f"{service}.json"
        write(model, path)
        print(f'{path}: {len(model["operations"])} operations, {len(model["shapes"])} shapes')


if __name__ == "__main__":
    main()

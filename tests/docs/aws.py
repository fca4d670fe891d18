"""The `aws` command, as far as the pages use it: boto3 behind the AWS CLI's own syntax.

The tests put it on the PATH under that name, so that the pages' commands run as they stand.
Operations, parameters and their types are looked up in botocore's service models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name


def main(service: str, command: str, *words: str) -> None:
    client = boto3.client(service)
    if command == "wait":
        client.get_waiter(words[0].replace("-", "_")).wait(**_parameters(client, None, words[1:]))
        return
    (operation,) = [
        name
        for name in client.meta.service_model.operation_names
        if xform_name(name, "-") == command
    ]
    output = [word for word in words if word not in {"--output", "text"}]
    query = output.index("--query") if "--query" in output else len(output)
    asked = output[:query] + output[query + 2 :]
    answer = getattr(client, xform_name(operation))(**_parameters(client, operation, asked))
    found = jmespath.search(output[query + 1], answer) if query < len(output) else answer
    sys.stdout.write(_text(found) + "\n")


def _text(found: Any) -> str:
    if isinstance(found, list):
        return "\t".join(map(str, found))
    return found if isinstance(found, str) else json.dumps(found, default=str)


def _parameters(client: Any, operation: str | None, words: Any) -> dict[str, Any]:
    given: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = given[word.removeprefix("--")] = []
        else:
            values.append(word)
    if operation is None:
        return {"".join(map(str.title, key.split("-"))): each[0] for key, each in given.items()}
    members = client.meta.service_model.operation_model(operation).input_shape.members
    names = {xform_name(name, "-"): name for name in members}
    return {names[key]: _value(members[names[key]], each) for key, each in given.items()}


def _value(shape: Any, words: list[str]) -> Any:
    first = words[0]
    if first.startswith("file://"):
        first = Path(first.removeprefix("file://")).read_text(encoding="utf-8")
    if shape.type_name == "string":
        return first
    if shape.type_name == "integer":
        return int(first)
    if shape.type_name == "list":
        return [_value(shape.member, [word]) for word in words]
    if first.lstrip().startswith("{"):
        return json.loads(first)
    return dict(pair.split("=", 1) for pair in first.split(","))


if __name__ == "__main__":
    main(*sys.argv[1:])

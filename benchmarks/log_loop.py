"""What people run on logs today: ``python -m benchmarks.log_loop GROUP STREAM NAME=REGEX …``.

boto3 pages ``GetLogEvents`` from the head; each definition is searched in each message with ``re``;
values are collected in lists. Nothing is written anywhere. Prints how long it took.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3

Values = dict[str, list[tuple[int, float]]]


def main() -> None:
    """Read one stream."""
    group, stream, *given = sys.argv[1:]
    definitions = dict(each.split("=", 1) for each in given)
    client = boto3.Session().client("logs")
    client.describe_log_streams(logGroupName=group, limit=1)  # the connection is made by now
    started, cpu = time.perf_counter(), time.process_time()
    lines, values = read(client, group, stream, definitions)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    done = {
        "lines": lines,
        "points": sum(map(len, values.values())),
        "sums": {name: sum(value for _, value in found) for name, found in values.items() if found},
        "seconds": seconds,
        "cpu_seconds": cpu,
    }
    print(json.dumps(done))


def read(
    client: Any,  # noqa: ANN401 - boto3's clients have no static type
    group: str,
    stream: str,
    definitions: dict[str, str],
) -> tuple[int, Values]:
    """Return the number of lines, and the values of each metric."""
    compiled = [(name, re.compile(pattern)) for name, pattern in definitions.items()]
    values: Values = {name: [] for name in definitions}
    lines = 0
    for page in _pages(client, group, stream):
        lines += len(page)
        for event in page:
            message = event["message"]
            for name, pattern in compiled:
                match = pattern.search(message)
                if match:
                    values[name].append((event["timestamp"], float(match.group(1))))
    return lines, values


def _pages(
    client: Any,  # noqa: ANN401 - as above
    group: str,
    stream: str,
) -> Iterator[list[dict[str, Any]]]:
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    while True:
        answer = client.get_log_events(**request)
        yield answer["events"]
        if answer["nextForwardToken"] == request.get("nextToken"):
            return
        request["nextToken"] = answer["nextForwardToken"]


if __name__ == "__main__":
    main()

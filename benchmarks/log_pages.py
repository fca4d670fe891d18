"""A stand-in for CloudWatch Logs that makes its pages up as they are asked for.

``python -m benchmarks.log_pages 1000`` serves, for every job, one stream of that many pages of
10,000 lines, 1.1 MB as CloudWatch Logs counts them; it prints the environment that leads there,
then serves until stdin ends. Only ``DescribeLogStreams`` and ``GetLogEvents`` from the head are
answered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from benchmarks.account import next_line
from benchmarks.log_jobs import HOST, line
from benchmarks.programs import environment
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.demo.account import KEY_ID
from mlflow_smwatch.demo.breakages import Breakage
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.server import LoopbackServer
from mlflow_smwatch.demo.wire import HttpRequest, Reply, answer_reply, error_reply, read_call

EVENTS = 10_000
"""Of a page; ``GetLogEvents`` gives no more."""


class LogPages:
    """One stream, never stored.

    Parameters
    ----------
    pages
        How many the stream has.
    first_ms
        Timestamp of its first event; each page takes a second.
    """

    def __init__(self, pages: int, first_ms: int) -> None:
        self._pages = pages
        self._first_ms = first_ms
        self._messages = [line(number) for number in range(EVENTS)]

    def answer(self, request: HttpRequest) -> tuple[Reply, Breakage | None]:
        """Answer a request of an AWS client."""
        call = read_call(request, "us-east-1")
        if call.name == "logs:DescribeLogStreams":
            return answer_reply(call, self._streams(call.parameters["logStreamNamePrefix"])), None
        if call.name == "logs:GetLogEvents":
            return answer_reply(call, self._events(call.parameters.get("nextToken"))), None
        return error_reply(call, AwsError("InvalidParameterException", call.name)), None

    def _streams(self, prefix: str) -> dict[str, Any]:
        stream = {
            "logStreamName": f"{prefix}{HOST}-{self._first_ms // 1000}",
            "creationTime": self._first_ms,
            "firstEventTimestamp": self._first_ms,
        }
        return {"logStreams": [stream]}

    def _events(self, token: str | None) -> dict[str, Any]:
        """Give the page that a token leads to; behind the last it leads to itself."""
        number = int(token.partition("/")[2]) if token else 0
        begin_ms = self._first_ms + number * 1000
        messages = self._messages if number < self._pages else []
        return {
            "events": [
                {
                    "timestamp": begin_ms + each // 10,
                    "message": message,
                    "ingestionTime": begin_ms + 1000,
                }
                for each, message in enumerate(messages)
            ],
            "nextForwardToken": f"f/{min(number + 1, self._pages)}",
            "nextBackwardToken": f"b/{number}",
        }


@contextmanager
def serving_pages(pages: int) -> Iterator[dict[str, str]]:
    """Run the stand-in in a process of its own; give the environment that leads there."""
    command = [sys.executable, "-m", "benchmarks.log_pages", str(pages)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield next_line(process)
        finally:
            process.terminate()


def main() -> None:
    """Serve until stdin ends."""
    first_ms = to_ms(datetime.now(tz=timezone.utc) - timedelta(days=1))
    server = LoopbackServer(0, LogPages(int(sys.argv[1]), first_ms).answer)
    server.start()
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": "emulated",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    print(json.dumps(variables), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()

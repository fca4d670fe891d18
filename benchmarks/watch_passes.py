"""Passes of a watch over running jobs: ``python -m benchmarks.watch_passes sqlite:////…``.

The passes are those that ``smwatch watch`` makes between its sweeps. The first one, which mirrors
all jobs, is followed by one in which things settle, some without news, and one after a job has
logged two lines. Prints for each its AWS calls (the mirror's own count; the account's is taken by
whoever runs this), transactions, points and time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
from mlflow import MlflowClient

from benchmarks import database
from benchmarks.log_jobs import LOG_GROUP, line
from benchmarks.mirror import KINDS
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.watch import OVERLAP

QUIET_PASSES = 3

_SINCE = timedelta(days=7)
_INTERVAL_S = 30.0
_NEWS = (10, 100)
"""Numbers of a line of training and of one of an evaluation."""


def main() -> None:
    """Make the passes."""
    uri = sys.argv[1]
    with contextlib.redirect_stdout(sys.stderr):
        MlflowClient(uri).search_experiments()
        mirror = Mirror(SyncOptions(kinds=KINDS, tracking_uri=uri), slack_s=_INTERVAL_S)
        first = _pass(mirror, uri, _SINCE, sweep=True)
        settling = _pass(mirror, uri, OVERLAP)
        quiet = [_pass(mirror, uri, OVERLAP) for _ in range(QUIET_PASSES)]
        _log_news()
        news = _pass(mirror, uri, OVERLAP)
    print(json.dumps({"first": first, "settling": settling, "quiet": quiet, "news": news}))


def _pass(mirror: Mirror, uri: str, back: timedelta, *, sweep: bool = False) -> dict[str, Any]:
    before = database.transactions(uri)
    started, cpu = time.perf_counter(), time.process_time()
    report = mirror.follow(since=datetime.now(tz=timezone.utc) - back, sweep=sweep)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if report.failed:
        sys.exit(f"{report.failed[0].arn}: {report.failed[0].error}")
    return {
        "jobs": report.jobs,
        "calls": dict(sorted(report.aws_calls.items())),
        "transactions": database.transactions(uri) - before,
        "points": report.points,
        "seconds": seconds,
        "cpu_seconds": cpu,
    }


def _log_news() -> None:
    """Let the first job log a line of training and one of an evaluation."""
    logs = boto3.Session().client("logs")
    streams = logs.describe_log_streams(logGroupName=LOG_GROUP, limit=1)["logStreams"]
    now_ms = to_ms(datetime.now(tz=timezone.utc))
    logs.put_log_events(
        logGroupName=LOG_GROUP,
        logStreamName=streams[0]["logStreamName"],
        logEvents=[{"timestamp": now_ms, "message": line(number)} for number in _NEWS],
    )


if __name__ == "__main__":
    main()

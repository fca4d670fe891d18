"""Idle passes of a watch: ``python -m benchmarks.idle_passes sqlite:////…``.

Mirrors the training jobs of the last seven days without their metrics, then makes the passes of a
watch in which nothing has happened. Prints for each its AWS calls, sessions with the database and
transactions that changed it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks import database
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.watch import OVERLAP

PASSES = 3

_SINCE = timedelta(days=7)


def main() -> None:
    """Make the passes."""
    uri, begun = sys.argv[1], list[object]()
    event.listen(Engine, "begin", begun.append)
    with contextlib.redirect_stdout(sys.stderr):
        MlflowClient(uri).search_experiments()
        mirror = Mirror(SyncOptions(tracking_uri=uri, metrics="off", artifacts="none"))
        first = mirror.follow(since=_ago(_SINCE), sweep=True)
        _pass(mirror, uri, begun, sweep=True)
        idle = [_pass(mirror, uri, begun, sweep=False) for _ in range(PASSES)]
        sweep = _pass(mirror, uri, begun, sweep=True)
    print(json.dumps({"created": first.counts["created"], "idle": idle, "sweep": sweep}))


def _pass(mirror: Mirror, uri: str, begun: list[object], *, sweep: bool) -> dict[str, Any]:
    begun.clear()
    before, started = database.transactions(uri), time.perf_counter()
    report = mirror.follow(since=_ago(OVERLAP), sweep=sweep)
    seconds = time.perf_counter() - started
    if report.failed:
        sys.exit(f"{report.failed[0].arn}: {report.failed[0].error}")
    return {
        "calls": dict(sorted(report.aws_calls.items())),
        "reads": len(begun),
        "writes": database.transactions(uri) - before,
        "seconds": seconds,
    }


def _ago(back: timedelta) -> datetime:
    return datetime.now(tz=timezone.utc) - back


if __name__ == "__main__":
    main()

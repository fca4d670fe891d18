"""Finds every trial component as the mirror does, without writing."""

from __future__ import annotations

import json
import sys
import time

import mlflow_smwatch


def main() -> None:
    """Make a dry run over the account; print calls, components and seconds."""
    started = time.perf_counter()
    report = mlflow_smwatch.sync(dry_run=True, tracking_uri=sys.argv[1])
    document = {
        "calls": dict(report.aws_calls),
        "components": sum(line.kind == "trial-component" for line in report.runs),
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()

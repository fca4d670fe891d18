"""The mirror's reading of a log, without the writing: ``python -m benchmarks.log_replay …``.

Arguments: the URI of an MLflow store (opened, not written), the job's name, how often to read, and
the definitions as ``NAME=REGEX``. What is to be written is counted and dropped. Prints how long it
took (median where it is read several times; the first of several is not counted) and how much
memory the process had at most.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.log_jobs import finished
from benchmarks.mirror import peak_rss_bytes
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.series import metric_of
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.log_reader import JobLogReader
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.options import SyncOptions


@dataclass(slots=True)
class _Found:
    """What a replay found: metric → number and sum of values, and what distorted them."""

    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    findings: dict[str, dict[str, int]] = field(default_factory=dict)

    def commit(self, task: Task) -> None:
        """Count what is gathered, in place of a write."""
        for original, found in task.logs.series.items():
            name = metric_of(original) or original
            self.counts[name] = self.counts.get(name, 0) + len(found.points)
            self.sums[name] = sum((each.value for each in found.points), self.sums.get(name, 0.0))
        self.findings.update(task.logs.findings)
        task.logs = task.logs.rest()


def main() -> None:
    """Read the stream of one job."""
    uri, name, repeats, *given = sys.argv[1:]
    definitions = dict(each.split("=", 1) for each in given)
    with contextlib.redirect_stdout(sys.stderr):
        context = _context(SyncOptions(tracking_uri=uri, metrics="logs"))
    with ThreadPoolExecutor(context.options.workers) as pages:
        before = peak_rss_bytes()
        runs = [replay(context, pages, name, definitions) for _ in range(int(repeats))]
    found = runs[-1][0]
    counted = runs[1:] or runs
    done = {
        "points": sum(found.counts.values()),
        "sums": found.sums,
        "findings": found.findings,
        "seconds": median(seconds for _, seconds, _ in counted),
        "cpu_seconds": median(cpu for _, _, cpu in counted),
        "rss_before_bytes": before,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    print(json.dumps(done))


def replay(
    context: PassContext, pages: Executor, name: str, definitions: dict[str, str]
) -> tuple[_Found, float, float]:
    """Read once; return what was found, seconds and CPU seconds."""
    job = training_job(finished(name, definitions).answer())
    task = Task(
        job=job,
        record=run_record(job),
        run=None,
        watermark=Watermark(made_ms=context.now_ms),
        reading=Reading(windows=(), complete=True),
    )
    found = _Found()
    started, cpu = time.perf_counter(), time.process_time()
    reading = JobLogReader(context, pages, found.commit, context.stopped).read(task)
    found.commit(task)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if not reading.whole or reading.missing or reading.expired or reading.denied:
        sys.exit(f"the log was not read: {reading}")
    return found, seconds, cpu


def _context(options: SyncOptions) -> PassContext:
    context = Connection.to(options).context(options)
    _made: Any = context.aws.logs  # making a client is not reading
    return context


if __name__ == "__main__":
    main()

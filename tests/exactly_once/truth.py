"""What a mirror must hold of a job, from what the test itself put into the account.

The rules are written out once more here, on purpose, and share no code with the package.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeAlias

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import (
    NAMESPACE,
    Events,
    Points,
    Samples,
    arn,
    averages,
    billed,
    job_answer,
    moment,
    put_host,
    put_loss,
)

Row: TypeAlias = tuple[str, int, int, str]
"""Key, timestamp in milliseconds, step, value as text, so that NaN equals NaN."""

DEFINITIONS = {"loss": r"loss=(\S+)", "acc@1": r"acc=(\S+)", "lr": r"lr=(\S+)"}
KEYS = {"loss": "loss", "acc@1": "acc_1", "lr": "lr"}
"""Metric name → what MLflow accepts of it."""

UTILISATION = {
    "CPUUtilization": "cpu_utilization_percentage",
    "MemoryUtilization": "system_memory_usage_percentage",
}
BILLED = {"Downloading", "Training", "Uploading", "Stopping"}
ENDED = {"Completed": "FINISHED", "Failed": "FAILED", "Stopped": "KILLED"}
SHOWN = 4


@dataclass(kw_only=True)
class TrueJob:
    """A training job that the test tells of, and the points that follow from what it told.

    Attributes
    ----------
    hosts
        Number of its instances.
    streams
        Host → names of its log streams, after ``<job>/``, in time order.
    events
        Host → what it wrote, over all its streams.
    samples
        Host and CloudWatch metric → samples.
    curves
        Algorithm metric → samples in CloudWatch, where that is the source.
    finals
        Algorithm metric → FinalMetricDataList's timestamp and value, where nothing else is.
    phases
        Secondary status and since when (ms).
    own
        Rows that the job's script logged to its own run.
    own_keys
        Keys that only the script writes.
    """

    account: EmulatedAccount
    name: str
    created_ms: int
    hosts: int = 1
    streams: dict[str, list[str]] = field(default_factory=dict)
    events: dict[str, Events] = field(default_factory=dict)
    samples: dict[tuple[str, str], Samples] = field(default_factory=dict)
    curves: dict[str, Samples] = field(default_factory=dict)
    finals: dict[str, tuple[int, float]] = field(default_factory=dict)
    phases: list[tuple[str, int]] = field(default_factory=list)
    own: Counter[Row] = field(default_factory=Counter)
    own_keys: frozenset[str] = frozenset()

    @property
    def host_names(self) -> list[str]:
        """Names of its hosts."""
        return [f"algo-{number}" for number in range(1, self.hosts + 1)]

    @property
    def status(self) -> str:
        """Status of its run."""
        last = self.phases[-1][0]
        return ENDED.get(last, "SCHEDULED" if last == "Starting" else "RUNNING")

    @property
    def ended_ms(self) -> int | None:
        """When it ended; None for a job that goes on."""
        status, since_ms = self.phases[-1]
        return since_ms if status in ENDED else None

    def put(self, phases: Sequence[tuple[str, int]], **changes: Any) -> None:
        """Put the job into the account, as it is after its first phases (status, since when)."""
        self.phases = list(phases)
        ended_ms = self.ended_ms
        times: dict[str, Any] = {
            "SecondaryStatus": phases[-1][0],
            "SecondaryStatusTransitions": [
                {"Status": status, "StartTime": moment(since_ms), "EndTime": moment(end_ms)}
                for (status, since_ms), (_, end_ms) in pairwise(phases)
            ],
            "LastModifiedTime": moment(phases[-1][1]),
        }
        if ended_ms is None:
            times["SecondaryStatusTransitions"].append(
                {"Status": phases[-1][0], "StartTime": moment(phases[-1][1])}
            )
        else:
            times["BillableTimeInSeconds"] = self._billable_s()
        running = [since_ms for status, since_ms in phases if status == "Training"]
        if running:
            times["TrainingStartTime"] = moment(running[0])
        if self.finals:
            times["FinalMetricDataList"] = [
                {"MetricName": name, "Value": value, "Timestamp": moment(at_ms)}
                for name, (at_ms, value) in self.finals.items()
            ]
        answer = job_answer(
            self.name,
            created_ms=self.created_ms,
            ended_ms=ended_ms,
            status=phases[-1][0] if ended_ms else None,
            hosts=self.hosts,
        )
        answer["AlgorithmSpecification"]["MetricDefinitions"] = [
            {"Name": name, "Regex": pattern} for name, pattern in DEFINITIONS.items()
        ]
        self.account.put_training_job({**answer, **times, **changes})

    def begin_stream(self, host: str, since_ms: int) -> None:
        """Let a host write to a new log stream from now on."""
        self.streams.setdefault(host, []).append(f"{host}-{since_ms // 1000}")

    def log(self, host: str, events: Events) -> None:
        """Write log events of a host, in time order."""
        stream = self.streams[host][-1]
        self.events.setdefault(host, []).extend(events)
        self.account.put_log_events(NAMESPACE, f"{self.name}/{stream}", events, publish=False)

    def sample(self, host: str, metric: str, samples: Samples) -> None:
        """Publish samples of an instance metric."""
        self.samples.setdefault((host, metric), []).extend(samples)
        put_host(self.account, self.name, samples, host=host, metric=metric)

    def publish(self, metric: str, samples: Samples, *, counts: bool) -> None:
        """Publish samples of an algorithm metric; they count where CloudWatch is the source."""
        if counts:
            self.curves.setdefault(metric, []).extend(samples)
        put_loss(self.account, self.name, samples, metric)

    def move(self, status: str, at: datetime) -> None:
        """Bring the job into another secondary status."""
        self.account.move_training_job(self.name, secondary_status=status, at=at)
        if self.phases[-1][0] != status:
            self.phases.append((status, round(at.timestamp() * 1000)))

    def rows(self) -> Counter[Row]:
        """Give every point that the job's run must have, each once."""
        measured = Counter(
            (key, *point[:2], repr(point[2]))
            for key, points in self._series().items()
            for point in points
            if key not in self.own_keys
        )
        return measured + self.own

    def _series(self) -> dict[str, Points]:
        return {**self._logged(), **self._sampled(), **self._durations()}

    def _logged(self) -> dict[str, Points]:
        series: dict[str, Points] = {}
        for host, events in self.events.items():
            for timestamp_ms, message in events:
                for line in re.split("[\r\n]", message):
                    for name, pattern in DEFINITIONS.items():
                        if (found := re.search(pattern, line)) is None:
                            continue
                        key = KEYS[name] if host == "algo-1" else f"{KEYS[name]}/{host}"
                        points = series.setdefault(key, [])
                        points.append((timestamp_ms, len(points), float(found[1])))
        return series

    def _sampled(self) -> dict[str, Points]:
        series = {
            f"system/{host}/{UTILISATION[metric]}": averages(samples, self.created_ms)
            for (host, metric), samples in self.samples.items()
        }
        for name, samples in self.curves.items():
            series[KEYS[name]] = averages(samples, self.created_ms)
        for name, (at_ms, value) in self.finals.items():
            series[KEYS[name]] = [(at_ms, (at_ms - self.created_ms) // 1000, value)]
        return series

    def _durations(self) -> dict[str, Points]:
        end_ms = self.ended_ms
        if end_ms is None:
            return {}
        series = billed(end_ms, float(self._billable_s()), self.hosts)
        for status in {status for status, _ in self.phases[:-1]}:
            key = f"sagemaker/phase_seconds/{status}"
            series[key] = [(end_ms, 0, self._spent_ms({status}) / 1000)]
        return series

    def _spent_ms(self, statuses: set[str]) -> int:
        return sum(
            end_ms - since_ms
            for (status, since_ms), (_, end_ms) in pairwise(self.phases)
            if status in statuses
        )

    def _billable_s(self) -> int:
        return max(1, round(self._spent_ms(BILLED) / 1000))


def active_runs(uri: str, name: str = "%") -> dict[str, list[Run]]:
    """Give all active runs of jobs, by ARN; only jobs with such names (a pattern of LIKE)."""
    client = MlflowClient(tracking_uri=uri)
    wanted = f"tags.`sagemaker.name` LIKE '{name}'"
    ids = [each.experiment_id for each in client.search_experiments(view_type=ViewType.ALL)]
    found: dict[str, list[Run]] = {}
    token: str | None = ""
    while token is not None:
        page = client.search_runs(ids, wanted, max_results=500, page_token=token or None)
        for run in page:
            found.setdefault(run.data.tags["sagemaker.arn"], []).append(run)
        token = page.token
    return found


def are_final(uri: str, jobs: Sequence[TrueJob], name: str = "%") -> bool:
    """Whether each of these jobs has one run, and it is final."""
    runs = active_runs(uri, name)
    found = [runs.get(arn(job.name), []) for job in jobs]
    return all(
        len(each) == 1 and each[0].data.tags.get("smwatch.final") == "true" for each in found
    )


def doubles(uri: str) -> int:
    """Count the runs that were removed because another mirror had made one of the same job."""
    client = MlflowClient(tracking_uri=uri)
    ids = [each.experiment_id for each in client.search_experiments(view_type=ViewType.ALL)]
    wanted = "tags.`smwatch.duplicate_of` LIKE '%'"
    removed = client.search_runs(ids, wanted, ViewType.DELETED_ONLY, max_results=50_000)
    kept = [client.get_run(run.data.tags["smwatch.duplicate_of"]) for run in removed]
    return sum("smwatch.version" in run.data.tags for run in kept)


def check(uri: str, jobs: Iterable[TrueJob], name: str = "%") -> None:
    """Fail with every difference between MLflow and the truth."""
    wrong = differences(uri, jobs, name)
    assert not wrong, "\n" + "\n".join(wrong)


def differences(uri: str, jobs: Iterable[TrueJob], name: str = "%") -> list[str]:
    """Compare what MLflow holds with the truth; one line for each thing that is wrong."""
    runs, wrong = active_runs(uri, name), []
    client = MlflowClient(tracking_uri=uri)
    for job in jobs:
        found = runs.get(arn(job.name), [])
        if len(found) == 1:
            (run,) = found
            wrong += [f"{job.name}: {each}" for each in _of_run(job, run)]
            wrong += [f"{job.name}: {each}" for each in _of_points(job, client, run)]
        else:
            wrong.append(f"{job.name}: {len(found)} active runs")
    return wrong


def _of_run(job: TrueJob, run: Run) -> Iterable[str]:
    tags: Mapping[str, str] = run.data.tags
    ended = job.ended_ms is not None
    if (tags.get("smwatch.final") == "true") != ended:
        yield f"final is {tags.get('smwatch.final')}, ended is {ended}"
    if ('"final": true' in tags.get("smwatch.state", "")) != ended:
        yield "the watermark does not agree"
    if ended and (run.info.status, run.info.end_time) != (job.status, job.ended_ms):
        yield f"{run.info.status} at {run.info.end_time}, not {job.status} at {job.ended_ms}"


def _of_points(job: TrueJob, client: MlflowClient, run: Run) -> Iterable[str]:
    stored: Counter[Row] = Counter()
    for key in run.data.metrics:
        history = client.get_metric_history(run.info.run_id, key)
        stored.update((key, each.timestamp, each.step, repr(each.value)) for each in history)
        newest = max(history, key=lambda each: (each.step, each.timestamp))
        latest = run.data.metrics[key]
        if latest != newest.value and not (math.isnan(latest) and math.isnan(newest.value)):
            yield f"the latest {key} is {latest}, not {newest.value} of step {newest.step}"
    truth = job.rows()
    yield from _named("missing", truth - stored)
    yield from _named("too many", stored - truth)


def _named(what: str, rows: Counter[Row]) -> Iterable[str]:
    if rows:
        shown = ", ".join(str(row) for row in sorted(rows)[:SHOWN])
        yield f"{rows.total()} {what} ({len({row[0] for row in rows})} keys): {shown}"

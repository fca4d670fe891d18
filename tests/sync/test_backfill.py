"""Windows that reach far back: what fades first comes first; nothing twice, nothing left out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.aws.discovery import Found, JobFilter
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.decay import WHOLE, CreatedSpan, created_spans
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.mirror import sync as run_sync
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import DAY_MS, HOUR_MS, LISTS, MINUTE_MS, arn, job_answer, moment, now_ms
from tests.sync.conftest import METRICS, SEARCH, Mirror

JOBS = 50
SPANS = 5
"""Of a window of 400 days."""

SLICED = {
    "sagemaker:ListAutoMLJobs": SPANS,
    "sagemaker:ListHyperParameterTuningJobs": SPANS,
    "sagemaker:ListProcessingJobs": SPANS,
    "sagemaker:ListTransformJobs": SPANS,
}
ONCE = {"sagemaker:ListPipelines": 1, "sagemaker:ListTrials": 1, "sagemaker:ListEndpoints": 1}
EXECUTION = "abcdefghijkl"


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    assert account.calls == {}
    return connect(None, None, 2)


def days_ago(days: float) -> datetime:
    return moment(now_ms() - round(days * DAY_MS))


def spans(since: datetime) -> tuple[CreatedSpan, ...]:
    return created_spans(now_ms(), round(since.timestamp() * 1000), None)


def put(account: EmulatedAccount, name: str, created_ms: int, **changes: Any) -> None:
    answer = job_answer(name, created_ms=created_ms, ended_ms=created_ms + MINUTE_MS)
    account.put_training_job({**answer, **changes})


def put_other_kinds(account: EmulatedAccount, number: int, created_ms: int) -> None:
    """Put a job of each kind that is found by a listing of its own."""
    life: dict[str, Any] = {"created_ms": created_ms, "ended_ms": created_ms + MINUTE_MS}
    account.put_job("processing-job", kinds.processing_job(f"processing-{number}", **life))
    account.put_job("transform-job", kinds.transform_job(f"transform-{number}", **life))
    account.put_job("tuning-job", kinds.tuning_job(f"tuning-{number}", **life))
    account.put_job("automl-job", kinds.automl_job(f"automl-{number}", **life))


def borders() -> Iterator[int]:
    """Give all moments at which one span of 400 days ends, and some around them."""
    edges = {each.begin_ms for each in spans(days_ago(400))} - {None}
    for edge in edges:
        for distance in (-HOUR_MS - 1, -1000, -1, 0, 1, 999, 1000, 30_000, HOUR_MS + 1):
            yield (edge or 0) + distance


def found(finder: JobFinder, wanted: JobFilter, *cut: CreatedSpan) -> list[Found]:
    pages = finder.modified(wanted, cut or (WHOLE,))
    return [each for page in pages for each in page if isinstance(each, Found)]


def counted(finds: Iterable[Found]) -> Counter[tuple[str, str]]:
    return Counter((each.kind, each.name) for each in finds)


def trials(finds: Iterable[Found]) -> dict[str, str | None]:
    """Give the trial of each whole job."""
    return {each.name: each.job.kinship.trial for each in finds if each.job}


def test_a_week_costs_what_it_did(account: EmulatedAccount, aws: Aws) -> None:
    """A thousand jobs of a week: ten pages of components, and one look at the training jobs."""
    account.makes_components = True
    begun_ms = now_ms() - 6 * DAY_MS
    for number in range(1000):
        put(account, f"job-{number}", begun_ms + number * MINUTE_MS)
    since = days_ago(7)
    assert spans(since) == (WHOLE,)
    assert len(found(JobFinder(aws), JobFilter(since=since), *spans(since))) == 1000
    assert account.calls == {**dict.fromkeys(SLICED, 1), **ONCE, SEARCH: 11}
    sent = [each.parameters for each in account.requests if each.operation == SEARCH]
    assert all("CreationTime" not in str(each["SearchExpression"]) for each in sent)


def test_a_year_costs_some_calls_a_span(account: EmulatedAccount, aws: Aws) -> None:
    """One of each listing that has bounds on creation, two to count; the others once."""
    since = days_ago(400)
    assert found(JobFinder(aws), JobFilter(since=since), *spans(since)) == []
    assert account.calls == {**SLICED, **ONCE, SEARCH: 2 + 2 * SPANS}


@pytest.mark.parametrize("with_components", [True, False], ids=["components", "no components"])
@pytest.mark.parametrize("denied", [(), (SEARCH,)], ids=["search", "lists"])
def test_the_same_jobs_are_found(
    account: EmulatedAccount, aws: Aws, denied: tuple[str, ...], *, with_components: bool
) -> None:
    """At the borders of spans too, as often and with the same trial, however they are found."""
    account.makes_components = with_components
    begun = sorted(borders())
    account.experiments.put_experiment("study")
    account.experiments.put_trial("trial", "study", created=moment(begun[0]))
    grouped = {"ExperimentConfig": {"ExperimentName": "study", "TrialName": "trial"}}
    for number, created_ms in enumerate(begun):
        put(account, f"training-{number}", created_ms, **(grouped if with_components else {}))
        put_other_kinds(account, number, created_ms)
        account.experiments.put_trial_component(
            {
                "TrialComponentName": f"component-{number}",
                "CreationTime": moment(created_ms),
                "LastModifiedTime": moment(created_ms),
            }
        )
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=begun[3]))
    life: dict[str, Any] = {"created_ms": begun[3], "ended_ms": begun[4]}
    account.put_job("pipeline-execution", kinds.pipeline_execution(EXECUTION, **life))
    for operation in denied:
        account.faults.deny(operation)
    wanted = JobFilter(since=days_ago(400))
    whole = found(JobFinder(aws), wanted)
    cut = found(JobFinder(aws), wanted, *spans(days_ago(400)))
    assert len(counted(whole)) == 6 * len(begun) + 3
    assert counted(cut) == counted(whole)
    assert trials(cut) == trials(whole)


@pytest.mark.slow
@pytest.mark.parametrize("lag_ms", [-40_000, -1000, 1500, 40_000])
def test_components_are_made_beside_their_jobs(
    account: EmulatedAccount, aws: Aws, lag_ms: int
) -> None:
    """A job keeps its trial where its component lies beyond the end of the span."""
    account.experiments.put_experiment("study")
    account.experiments.put_trial("trial", "study", created=days_ago(300))
    begun = sorted(borders())
    for number, created_ms in enumerate(begun):
        name = f"job-{number}"
        put(account, name, created_ms)
        at = {"CreationTime": moment(created_ms + lag_ms), "LastModifiedTime": days_ago(1)}
        source = {"SourceArn": arn(name), "SourceType": "SageMakerTrainingJob"}
        component = {"TrialComponentName": f"{name}-aws-training-job", "Source": source, **at}
        account.experiments.put_trial_component(component, trials=["trial"])
    since = days_ago(400)
    jobs = found(JobFinder(aws, frozenset({"training-job"})), JobFilter(since=since), *spans(since))
    assert Counter(each.name for each in jobs) == Counter(f"job-{n}" for n in range(len(begun)))
    assert set(trials(jobs).values()) == {"trial"}
    pages = [each for each in account.requests if "TrainingJob'" in str(each.parameters)]
    assert len(pages) == 1 + SPANS  # the count, and one look at each span: components gave all


def test_what_fades_is_found_first(account: EmulatedAccount, aws: Aws) -> None:
    """The hours before points fade come first, then finer periods before coarser ones."""
    days = (0.1, 5, 13.9, 14.2, 15.5, 16.1, 40, 61.9, 62.5, 63.5, 64.1, 200, 399)
    mixed = random.Random(3).sample(days, len(days))
    for each in mixed:
        put(account, f"job-{each}".replace(".", "-"), now_ms() - round(each * DAY_MS))
    since = days_ago(400)
    jobs = found(JobFinder(aws), JobFilter(since=since), *spans(since))
    order = [float(each.name.removeprefix("job-").replace("-", ".")) for each in jobs]
    assert order == [63.5, 62.5, 15.5, 14.2, 13.9, 5, 0.1, 61.9, 40, 16.1, 399, 200, 64.1]


def test_a_kind_that_is_denied_is_asked_for_once(account: EmulatedAccount, aws: Aws) -> None:
    """And named once; the other kinds go on."""
    put(account, "job", now_ms() - 20 * DAY_MS)
    account.faults.deny("sagemaker:ListProcessingJobs")
    finder, since = JobFinder(aws), days_ago(400)
    assert [each.name for each in found(finder, JobFilter(since=since), *spans(since))] == ["job"]
    assert account.calls["sagemaker:ListProcessingJobs"] == 1
    assert account.calls["sagemaker:ListTransformJobs"] == SPANS
    assert len(finder.warnings) == 1


def test_a_backfill_into_mlflow(account: EmulatedAccount, mirror: Mirror) -> None:
    """Jobs of a year are mirrored; again, nothing is read or written; the end was foreseen."""
    for number in range(JOBS):
        put(account, f"job-{number}", now_ms() - HOUR_MS - number * 395 * DAY_MS // JOBS)
    told: list[tuple[int, int, int, int]] = []

    def listen(so_far: SyncReport) -> None:
        calls = sum(so_far.aws_calls.values())
        told.append((so_far.jobs["seen"], so_far.found, so_far.expected, calls))

    report = run_sync(
        SyncOptions(tracking_uri=mirror.uri, since="400d", metrics="cloudwatch"), listen
    )
    assert report.jobs == {"seen": JOBS, "created": JOBS, "updated": 0, "unchanged": 0, "failed": 0}
    assert {expected for _, _, expected, _ in told} == {JOBS}
    assert told[-1][:3] == (JOBS, JOBS, JOBS)
    assert told[0][1] < JOBS
    assert all(calls > 0 for *_, calls in told)
    account.reset_calls()
    before = mirror.dump()
    again = mlflow_smwatch.sync(tracking_uri=mirror.uri, since="400d", metrics="cloudwatch")
    assert again.jobs["unchanged"] == JOBS
    assert mirror.dump() == before
    assert account.calls[METRICS] == 0
    assert set(account.calls) <= {*LISTS, SEARCH}


def test_a_forecast_of_a_backfill_writes_nothing(account: EmulatedAccount, mirror: Mirror) -> None:
    """It asks the same lists."""
    for number in range(20):
        put(account, f"job-{number}", now_ms() - HOUR_MS - number * 20 * DAY_MS)
    before = mirror.dump()
    report = mlflow_smwatch.sync(tracking_uri=mirror.uri, since="400d", dry_run=True)
    assert report.jobs["created"] == 20
    assert mirror.dump() == before
    assert account.calls[METRICS] == 0
    assert account.calls["sagemaker:ListTransformJobs"] == SPANS

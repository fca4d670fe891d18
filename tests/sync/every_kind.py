"""What tests of every kind of job share: passes over all kinds, and runs by what they stand for."""

from __future__ import annotations

from typing import Any

from mlflow.entities import Run, ViewType

import mlflow_smwatch
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import HOUR_MS, moment, now_ms, whole
from tests.sync.conftest import Mirror

EVERY_KIND = tuple(KINDS)
COMPONENT = "experiment-trial-component"
TRIAL = "experiment-trial"
LISTS = frozenset(
    f"sagemaker:{name}"
    for name in (
        "Search",
        "ListAssociations",
        "ListAutoMLJobs",
        "ListEndpoints",
        "ListHyperParameterTuningJobs",
        "ListNotebookInstances",
        "ListPipelines",
        "ListProcessingJobs",
        "ListTransformJobs",
        "ListTrials",
    )
)
"""The calls that find jobs, each of which lists many."""

FOLLOWING = frozenset({"cloudwatch:ListMetrics", "cloudwatch:GetMetricData"})
"""The calls that a pass makes for endpoints, which go on, once another minute is over."""

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
LIFE: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
"""Of a job that took one hour and is over long since."""


def sync(mirror: Mirror, *names: str, **options: Any) -> SyncReport:
    """Run one pass over all kinds."""
    return mirror.sync(*names, **{"kinds": EVERY_KIND, **options})


def found(mirror: Mirror, resource: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    """Give the runs of a resource such as ``processing-job/name``."""
    ids = [experiment.experiment_id for experiment in mirror.experiments()]
    condition = f"tags.`sagemaker.arn` = '{kinds.kind_arn(resource)}'"
    return list(mirror.client.search_runs(ids, condition, view))


def run(mirror: Mirror, resource: str) -> Run:
    """Give the one run of a resource, read alone so that inputs and outputs are there."""
    (one,) = found(mirror, resource)
    return mirror.client.get_run(one.info.run_id)


def home(mirror: Mirror, resource: str) -> str:
    """Give the name of the experiment of a resource's run."""
    return str(mirror.client.get_experiment(run(mirror, resource).info.experiment_id).name)


def parent(mirror: Mirror, resource: str) -> str | None:
    """Give the resource of the run's parent's run, None at the top level."""
    run_id = run(mirror, resource).data.tags.get("mlflow.parentRunId")
    if run_id is None:
        return None
    return mirror.client.get_run(run_id).data.tags["sagemaker.arn"].split(":", 5)[5]


def state(mirror: Mirror, resource: str) -> tuple[str, int | None, bool]:
    """Give status, end, and whether the run is final."""
    one = run(mirror, resource)
    return one.info.status, one.info.end_time, one.data.tags.get("smwatch.final") == "true"


def everything(mirror: Mirror) -> dict[str, Run]:
    """Give every mirrored run by its resource."""
    runs = (each for each in mirror.runs() if "sagemaker.arn" in each.data.tags)
    return {each.data.tags["sagemaker.arn"].split(":", 5)[5]: each for each in runs}


def settled(mirror: Mirror, **options: Any) -> dict[str, int]:
    """Run a pass that must write nothing; give its calls to AWS but those of discovery."""
    before = mirror.dump()
    report = sync(mirror, **options)
    assert report.failed == []
    assert mirror.dump() == before
    assert report.jobs["unchanged"] == report.jobs["seen"], report.jobs
    expected = LISTS | (FOLLOWING if _has_open_endpoint(mirror) else set())
    return {call: count for call, count in mirror.account.calls.items() if call not in expected}


def _has_open_endpoint(mirror: Mirror) -> bool:
    tags = [one.data.tags for one in mirror.runs()]
    return any(
        each.get("sagemaker.kind") == "endpoint" and "smwatch.final" not in each for each in tags
    )


def verified(mirror: Mirror, *names: str, **options: Any) -> None:
    """Let every run be compared with AWS: all are equal."""
    options = {"tracking_uri": mirror.uri, "kinds": EVERY_KIND, **options}
    report = mlflow_smwatch.verify(*names, **options)
    assert list(report.differences) == []
    assert report.equal == report.jobs > 0


def put_trials(account: EmulatedAccount, *names: str, experiment: str = "study") -> None:
    """Put trials of one experiment, made one after the other."""
    if account.experiments.experiments.get(experiment) is None:
        account.experiments.put_experiment(experiment)
    for number, name in enumerate(names):
        account.experiments.put_trial(name, experiment, created=moment(CREATED_MS + number))


def put_component(
    account: EmulatedAccount,
    name: str,
    *trials: str,
    status: str | None = "Completed",
    **changes: Any,
) -> None:
    """Put a component that is no job's; one in progress has no end."""
    over = status != "InProgress"
    fields = {
        "TrialComponentName": name,
        "Status": {"PrimaryStatus": status} if status else None,
        "CreationTime": moment(CREATED_MS),
        "LastModifiedTime": moment(ENDED_MS if over else CREATED_MS),
        "EndTime": moment(ENDED_MS) if over else None,
        **changes,
    }
    given = {key: value for key, value in fields.items() if value is not None}
    account.experiments.put_trial_component(given, trials=trials)


def put_job_in(account: EmulatedAccount, resource: str, *trials: str) -> None:
    """Put the trial component of a job into trials."""
    word, name = resource.split("/")
    noun = {"training-job": "TrainingJob", "processing-job": "ProcessingJob"}[word]
    source = {"SourceArn": kinds.kind_arn(resource), "SourceType": f"SageMaker{noun}"}
    put_component(account, f"{name}-aws-{word}", *trials, Source=source)

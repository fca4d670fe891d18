"""What is mirrored, how fresh it is and what could not be mirrored, from MLflow alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import experiment_url, run_url, ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.uris import shown_uri


@dataclass(frozen=True, slots=True)
class ExperimentStatus:
    """One MLflow experiment that holds mirrored runs."""

    experiment: str
    experiment_id: str
    runs: int
    url: str | None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """One run that is not final, or of which something could not be mirrored."""

    arn: str
    name: str
    run_id: str
    status: str
    final: bool
    synced_at: str | None
    warning: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of the mirror.

    Attributes
    ----------
    tracking_uri
        The store, without its password.
    runs, final, open
        Numbers of mirrored runs: all, those with nothing more to read, the others.
    points
        Points written so far.
    synced_at
        When the mirror wrote last, ISO UTC; None if it never did.
    kinds, statuses, metric_sources
        Numbers of runs by kind, MLflow status and source of the algorithm metrics.
    experiments
        One entry each, by name.
    attention
        Runs that are not final or have a warning, the last written first.
    """

    tracking_uri: str
    runs: int
    final: int
    open: int
    points: int
    synced_at: str | None
    kinds: Mapping[str, int]
    statuses: Mapping[str, int]
    metric_sources: Mapping[str, int]
    experiments: tuple[ExperimentStatus, ...]
    attention: tuple[OpenRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return asdict(self)


def status(tracking_uri: str | None = None, ui_url: str | None = None) -> StatusReport:
    """Read the state of the mirror from MLflow.

    Parameters
    ----------
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    ui_url
        Address of MLflow's pages, where it is not the tracking server's.

    Returns
    -------
    StatusReport

    Raises
    ------
    TrackingError
        When MLflow cannot be used, or nothing was ever written there.
    """
    tracking = open_tracking(tracking_uri, create=False)
    experiments = Experiments(tracking)
    address = ui_address(tracking.uri, ui_url)
    counts: dict[str, Counter[str]] = {
        each: Counter() for each in ("kind", "status", "source", "experiment")
    }
    final, points, newest = 0, 0, ""
    attention = []
    for run in RunIndex(tracking, experiments).mirrored_runs():
        is_final = run.tags.get(names.FINAL) == "true"
        final += is_final
        points += _points(run)
        newest = max(newest, run.tags.get(names.SYNCED_AT, ""))
        counts["kind"][run.tags.get(names.KIND, "unknown")] += 1
        counts["status"][run.status] += 1
        counts["source"][run.tags.get(names.METRIC_SOURCE, "undecided")] += 1
        counts["experiment"][run.experiment_id] += 1
        if not is_final or names.WARNING in run.tags:
            attention.append(_open_run(run, address))
    return StatusReport(
        tracking_uri=shown_uri(tracking.uri),
        runs=counts["kind"].total(),
        final=final,
        open=counts["kind"].total() - final,
        points=points,
        synced_at=newest or None,
        kinds=dict(sorted(counts["kind"].items())),
        statuses=dict(sorted(counts["status"].items())),
        metric_sources=dict(sorted(counts["source"].items())),
        experiments=_experiments(counts["experiment"], experiments, address),
        attention=tuple(sorted(attention, key=lambda each: each.synced_at or "", reverse=True)),
    )


def _points(run: KnownRun) -> int:
    try:
        watermark = run.watermark
    except JobError:
        return 0
    return sum(watermark.points.values()) if watermark else 0


def _open_run(run: KnownRun, address: str | None) -> OpenRun:
    return OpenRun(
        arn=run.tags.get(names.ARN, ""),
        name=run.tags.get(names.NAME, ""),
        run_id=run.run_id,
        status=run.status,
        final=run.tags.get(names.FINAL) == "true",
        synced_at=run.tags.get(names.SYNCED_AT),
        warning=run.tags.get(names.WARNING),
        url=run_url(address, run.experiment_id, run.run_id),
    )


def _experiments(
    runs: Counter[str], experiments: Experiments, address: str | None
) -> tuple[ExperimentStatus, ...]:
    found = [
        ExperimentStatus(
            experiment=experiments.name_of(experiment_id) or experiment_id,
            experiment_id=experiment_id,
            runs=count,
            url=experiment_url(address, experiment_id),
        )
        for experiment_id, count in runs.items()
    ]
    return tuple(sorted(found, key=lambda each: each.experiment))

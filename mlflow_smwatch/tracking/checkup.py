"""Looks at an MLflow store, and at what is installed beside MLflow, without writing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import entry_points

import mlflow
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError, SmwatchError, TrackingError
from mlflow_smwatch.core.findings import BAD, OK, WARN, Finding, failed
from mlflow_smwatch.tracking.database import opened
from mlflow_smwatch.tracking.locations import OVERLAY
from mlflow_smwatch.tracking.overlays import Overlays, has_logs
from mlflow_smwatch.tracking.seals import KEY_VARIABLE
from mlflow_smwatch.tracking.store import Tracking, ask_server, listing_errors, open_tracking
from mlflow_smwatch.tracking.uris import (
    BULK,
    chosen_uri,
    is_sql,
    plain_uri,
    scheme_of,
    shown_uri,
)

SUPPORTED_MAJOR = 3
"""The versions of MLflow that the mirror works with: 3.0 and later, below 4."""

_MLFLOW = "mlflow"
_NOT_YET = "no such database"
_TIMEOUT_S = 10
_VERSION = re.compile(r"(\d+)\.\d+[\w.+-]*")
_HEALTH = "/smwatch/health"
_MOST_EXPERIMENTS = 200
_PLUGINS = {
    "mlflow.tracking_store": "smwatch+sqlite",
    "mlflow.model_registry_store": "smwatch+sqlite",
    "mlflow.artifact_repository": "smwatch+file",
    "mlflow.run_context_provider": "smwatch",
    "mlflow.app": "smwatch",
}
"""Group of entry points → one that this package has in it."""

_INSTALL = "pip install mlflow-smwatch, in the environment of the MLflow that is to find it"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheckup:
    """What was found of a store.

    Attributes
    ----------
    answers
        Whether it is there, and can be used.
    findings
        One for each thing that was looked at.
    """

    answers: bool
    findings: tuple[Finding, ...]


def check_store(uri: str | None, *, overlay: bool, seal_key: str | None) -> StoreCheckup:
    """Check that a store can keep the mirror's promise.

    Parameters
    ----------
    uri
        Tracking URI; None for MLflow's own choice.
    overlay
        Whether runs are to show their jobs' logs, models and outputs.
    seal_key
        Value of ``SMWATCH_SEAL_KEY``; None or empty where it is not set.
    """
    chosen = chosen_uri(uri)
    here = (*_plugins(needed=overlay or chosen.startswith(BULK)), *_plain_uri(chosen))
    try:
        tracking = open_tracking(chosen, create=False)
    except TrackingError as error:
        is_new = str(error).startswith(_NOT_YET)
        found = failed(_MLFLOW, error, WARN if is_new else BAD)
        return StoreCheckup(answers=False, findings=(found, *here))
    findings = [
        Finding(check=_MLFLOW, detail=f"{shown_uri(chosen)} answers; MLflow {mlflow.__version__}"),
        *here,
    ]
    try:
        findings += _kept_in(tracking)
        if overlay:
            findings += (_seal(tracking, seal_key), _shown(tracking))
    except SmwatchError as error:
        findings.append(failed(_MLFLOW, error))
    return StoreCheckup(answers=True, findings=tuple(findings))


def _kept_in(tracking: Tracking) -> Iterator[Finding]:
    """Tell of a database its kind and schema, of a server its version and its mirror."""
    if is_sql(tracking.uri):
        yield _database(tracking)
        yield _schema(tracking)
    elif tracking.managed:
        detail = "a SageMaker-managed server; it does not tell its version and its database"
        yield Finding(check="server", detail=detail)
    else:
        yield _version(tracking)
        yield _server(tracking)


def _plugins(*, needed: bool) -> Iterator[Finding]:
    missing = [
        group for group, name in _PLUGINS.items() if not entry_points(group=group, name=name)
    ]
    if missing:
        detail = f"MLflow here does not find this package's {', '.join(missing)}"
        yield Finding(check="plugins", status=BAD if needed else WARN, detail=detail, fix=_INSTALL)
    else:
        yield Finding(
            check="plugins", detail="MLflow here finds stores, artifacts, context and app"
        )


def _plain_uri(uri: str) -> Iterator[Finding]:
    if uri.startswith(BULK):
        detail = (
            "'mlflow db upgrade', jobs of 'mlflow server' and 'mlflow gc --jobs' do not take"
            f" {BULK}…: give them {plain_uri(shown_uri(uri))}"
        )
        yield Finding(check="plain URI", detail=detail)


def _database(tracking: Tracking) -> Finding:
    kind = scheme_of(tracking.uri).split("+")[0]
    if tracking.is_sqlite:
        detail = "SQLite: one writer at a time; for several mirrors or many users, PostgreSQL"
        return Finding(check="database", detail=detail)
    return Finding(check="database", detail=f"{kind}: takes several writers at a time")


def _schema(tracking: Tracking) -> Finding:
    """Tell whether the mirror's bulk writes know the schema."""
    if tracking.bulk is not None:
        return Finding(check="schema", detail="known: runs are written in bulk")
    from mlflow_smwatch.tracking.bulk_schema import unknown_part

    try:
        with opened(tracking.uri, "the schema is not known") as engine:
            why = unknown_part(engine)
    except JobError as error:
        why = str(error)
    return Finding(
        check="schema",
        status=WARN if why else OK,
        detail=f"{why or 'it has workspaces'}: MLflow's own calls write, slower and as correct",
        fix="pip install --upgrade mlflow-smwatch" if why else None,
    )


def _version(tracking: Tracking) -> Finding:
    check = "server version"
    found = _VERSION.fullmatch(_answer(tracking, "/version").strip())
    if found is None:
        return Finding(check=check, detail="the server does not tell it")
    if int(found[1]) == SUPPORTED_MAJOR:
        return Finding(check=check, detail=f"MLflow {found[0]}")
    return Finding(
        check=check,
        status=WARN,
        detail=f"MLflow {found[0]}: the mirror is made for {SUPPORTED_MAJOR}.x",
        fix=f"run an MLflow server of version {SUPPORTED_MAJOR}.x",
    )


def _server(tracking: Tracking) -> Finding:
    runs = _answer(tracking, _HEALTH, failing=True).startswith("{")
    detail = (
        f"has this package, with the mirror running in it ({_HEALTH})"
        if runs
        else "runs no mirror itself; whether it has this package is told by the overlay alone"
    )
    return Finding(check="server", detail=detail)


def _answer(tracking: Tracking, route: str, *, failing: bool = False) -> str:
    """Ask a server for a text; empty where it has none."""
    try:
        answer = ask_server(tracking.client, route, {}, _TIMEOUT_S)
    except MlflowException:
        return ""
    if answer is None or (answer.status_code != HTTPStatus.OK and not failing):
        return ""
    return str(answer.text)


def _seal(tracking: Tracking, seal_key: str | None) -> Finding:
    check = "seal key"
    if seal_key:
        return Finding(check=check, detail=f"{KEY_VARIABLE} is set; the server needs the same")
    if is_sql(tracking.uri):
        detail = f"the database keeps one; a server that does not share it needs {KEY_VARIABLE}"
        return Finding(check=check, detail=detail)
    return Finding(
        check=check,
        status=WARN,
        detail="none: who knows a job's ARN, creation time and role can have its logs shown",
        fix=f"give the mirror and the server the same {KEY_VARIABLE}, a long random text",
    )


def _shown(tracking: Tracking) -> Finding:
    """Ask a server to list what it shows of a sealed run, as the mirror does."""
    check = "overlay"
    sealed = _sealed_run(tracking)
    if sealed is None:
        return Finding(check=check, detail="not told: no run with logs was mirrored onto it yet")
    experiment, run = sealed
    overlays = Overlays(tracking, None)
    warning = overlays.warning(experiment)
    if warning is not None:
        return failed(check, JobError(warning), WARN)
    overlays.ask_server(experiment, run.info.run_id, run.data.tags[names.KIND])
    untold = next(overlays.answers(), None)
    if untold is not None:
        return failed(check, JobError(untold))
    if overlays.shows_job(experiment.artifact_location) is None:
        return Finding(check=check, detail="not told: the server was not asked")
    return Finding(check=check, detail=f"runs in {experiment.name!r} show what AWS has of jobs")


def _sealed_run(tracking: Tracking) -> tuple[Experiment, Run] | None:
    """Find a run that the mirror has sealed for a job with logs."""
    with listing_errors("looking for a run on the overlay"):
        experiments = {
            each.experiment_id: each
            for each in tracking.client.search_experiments(max_results=_MOST_EXPERIMENTS)
        }
        found = tracking.client.search_runs(
            list(experiments), f"tags.`{names.SEAL}` LIKE '%'", max_results=_MOST_EXPERIMENTS
        )
    logged = [run for run in found if has_logs(run.data.tags.get(names.KIND, ""))]
    logged.sort(key=lambda run: not run.info.artifact_uri.startswith(OVERLAY))
    return next(((experiments[run.info.experiment_id], run) for run in logged), None)

"""Opens the MLflow tracking store, or says in one line why it cannot be used."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import http_request

from mlflow_smwatch.core.errors import JobError, TrackingError
from mlflow_smwatch.tracking.database import check_database, check_file, opened_alone
from mlflow_smwatch.tracking.refusals import advice
from mlflow_smwatch.tracking.upgrade import bulk_store
from mlflow_smwatch.tracking.uris import (
    chosen_uri,
    first_line,
    is_file_store,
    is_sql,
    plain_uri,
    scheme_of,
    shown_uri,
)

if TYPE_CHECKING:
    from requests import Response

    from mlflow_smwatch.tracking.bulk_store import BulkStore

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S = 10
_PAUSES_S = (0.3, 1.0, 3.0)
_BUSY = frozenset({429, 500, 502, 503, 504})
_DROPPED = re.compile(r"Connection aborted|RemoteDisconnected|Connection reset")
_UNREACHABLE = re.compile(
    r"API request to .* failed with (timeout )?exception|Max retries exceeded"
)
_MADE_TWICE = re.compile(r"already exists|UniqueViolation|duplicate key|Duplicate entry")
_CAUSE = re.compile(r"\[Errno -?\d+\] ([^\"')(]+)|(timed out)")


@dataclass(frozen=True)
class Tracking:
    """One MLflow tracking store.

    Attributes
    ----------
    uri
        Its tracking URI, absolute.
    client
        MLflow's client for it.
    gate
        Held around each write: SQLite takes one writer at a time.
    managed
        Whether it is a SageMaker-managed server, in which SageMaker makes runs for jobs.
    bulk
        The same store as one that writes many runs in one transaction; None where none does.
    """

    uri: str
    client: MlflowClient
    gate: AbstractContextManager[Any] = field(default_factory=nullcontext)
    managed: bool = False
    bulk: BulkStore | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite database, which takes one writer at a time."""
        return scheme_of(self.uri).startswith("sqlite")


def open_tracking(uri: str | None, *, create: bool = True) -> Tracking:
    """Open a tracking store and check that it can keep the mirror's promise.

    Parameters
    ----------
    uri
        A tracking URI, or None for MLflow's own choice (``MLFLOW_TRACKING_URI``, else its default).
    create
        Whether MLflow may make its tables, and a SQLite file with its folders, where there are
        none.

    Returns
    -------
    Tracking

    Raises
    ------
    TrackingError
        With the next step, when the store is MLflow's file store, cannot be reached, lacks its
        driver, is locked, is not MLflow's, or is not there and must not be made.
    """
    chosen = chosen_uri(uri)
    scheme = scheme_of(chosen)
    if is_file_store(chosen):
        message = (
            f"MLflow's file store cannot keep a mirror ({chosen}): it would double points;"
            " use --tracking-uri sqlite:///mlflow.db or an MLflow server"
        )
        raise TrackingError(message)
    if scheme == "arn":
        _check_managed(chosen)
        mlflow.set_tracking_uri(chosen)
    if is_sql(chosen):
        check_file(chosen, create=create)
    with opened_alone(chosen), _opening(chosen):
        client = _connected(chosen, create=create)
        bulk = bulk_store(client) if is_sql(chosen) else None
    gate = threading.RLock() if scheme.startswith("sqlite") else nullcontext()
    return Tracking(uri=chosen, client=client, gate=gate, managed=scheme == "arn", bulk=bulk)


def _connected(uri: str, *, create: bool) -> MlflowClient:
    """Connect, again where MLflow makes the tables of a database for somebody else just now."""
    for pause_s in _PAUSES_S:
        try:
            return _connect(uri, create=create)
        except Exception as error:
            if not (is_sql(uri) and _MADE_TWICE.search(str(error))):
                raise
        time.sleep(pause_s)
    return _connect(uri, create=create)


def _connect(uri: str, *, create: bool) -> MlflowClient:
    if is_sql(uri):
        check_database(uri, create=create)
    client = MlflowClient(tracking_uri=uri)
    if scheme_of(uri) in {"http", "https"}:
        _check_server(client, uri)
    client.search_experiments(max_results=1)
    return client


@contextmanager
def tracking_errors(what: str) -> Iterator[None]:
    """Turn what MLflow raises while one job is written into this package's errors.

    Parameters
    ----------
    what
        What was being done, for the message.

    Raises
    ------
    TrackingError
        When the server is gone: no other job can be written either.
    JobError
        For anything else.
    """
    try:
        yield
    except MlflowException as error:
        reason = first_line(error)
        if _UNREACHABLE.search(str(error)):
            message = f"MLflow no longer answers while {what}: {reason}; start it and run again"
            raise TrackingError(message) from error
        _require_writable(what, error)
        message = f"{what}: MLflow refused: {reason}"
        raise JobError(message) from error


@contextmanager
def listing_errors(what: str) -> Iterator[None]:
    """Turn what MLflow raises while it is asked for what all jobs need into a `TrackingError`.

    Parameters
    ----------
    what
        What was being done, for the message.

    Raises
    ------
    TrackingError
        For anything: without the answer no job can be mirrored.
    """
    try:
        with tracking_errors(what):
            yield
    except JobError as error:
        message = f"{error}; check the database and the server's log, then run again"
        raise TrackingError(message) from error


def _require_writable(what: str, error: MlflowException) -> None:
    """Stop where no other job could be written either."""
    message = advice(first_line(error), what)
    if message is not None:
        raise TrackingError(message) from error


def _check_managed(uri: str) -> None:
    if not entry_points(group="mlflow.tracking_store", name="arn"):
        message = (
            f"{uri} is a SageMaker-managed MLflow server, which MLflow reaches by a plugin:"
            " pip install sagemaker-mlflow"
        )
        raise TrackingError(message)


def _check_server(client: MlflowClient, uri: str) -> None:
    """Ask the server once: MLflow's own calls would retry for minutes."""
    response = _first_answer(client)
    if response is None:
        return
    if response.status_code in {401, 403}:
        message = (
            f"the MLflow server {shown_uri(uri)} refuses the login (HTTP {response.status_code}):"
            " set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
        raise TrackingError(message)
    if response.status_code in _BUSY:
        message = (
            f"the MLflow server {shown_uri(uri)} does not answer (HTTP {response.status_code} of"
            " itself or a proxy): start it, or run again later"
        )
        raise TrackingError(message)
    if response.status_code != 200:
        message = f"{shown_uri(uri)} is no MLflow server (HTTP {response.status_code}): check it"
        raise TrackingError(message)


def _first_answer(client: MlflowClient) -> Response | None:
    """Ask for a page of experiments, again where a proxy or a server that starts refuses."""
    route, few = "/api/2.0/mlflow/experiments/search", {"max_results": "1"}
    for pause_s in _PAUSES_S:
        try:
            response = ask_server(client, route, few, _CONNECT_TIMEOUT_S)
        except MlflowException as error:
            if not _DROPPED.search(str(error)):
                raise
        else:
            if response is None or response.status_code not in _BUSY:
                return response
        time.sleep(pause_s)
    return ask_server(client, route, few, _CONNECT_TIMEOUT_S)


def ask_server(
    client: MlflowClient, route: str, query: Mapping[str, str], timeout_s: float
) -> Response | None:
    """Ask a server by HTTP, once, with the credentials that MLflow's client has.

    Parameters
    ----------
    client
        Of the server.
    route, query
        What is asked.
    timeout_s
        How long to wait, seconds.

    Returns
    -------
    Response or None
        None where this version of MLflow, or a plug-in's store, does not give the credentials away.

    Raises
    ------
    MlflowException
        When the server does not answer.
    """
    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    credentials = getattr(store, "get_host_creds", None)
    if credentials is None:
        return None
    response: Response = http_request(  # type: ignore[no-untyped-call]
        credentials(),
        route,
        "GET",
        params=dict(query),
        max_retries=0,
        timeout=timeout_s,
        raise_on_status=False,
    )
    return response


@contextmanager
def _opening(uri: str) -> Iterator[None]:
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(_opening_reason(uri, error)) from error


def _opening_reason(uri: str, error: Exception) -> str:
    shown, text = shown_uri(uri), str(error)
    if _UNREACHABLE.search(text):
        cause = _CAUSE.search(text)
        why = f" ({(cause[1] or cause[2]).strip()})" if cause else ""
        return f"the MLflow server {shown} does not answer{why}: start it, or check the address"
    if "out-of-date database schema" in text:
        return (
            f"the database {shown} has another schema than MLflow {mlflow.__version__} works with:"
            f" back it up and run 'mlflow db upgrade {plain_uri(shown)}', or install the MLflow"
            " that made it"
        )
    if "unsupported URI" in text:
        return (
            f"MLflow has no store for {shown}: use sqlite:///…, postgresql://…, http(s)://… or the"
            " ARN of a SageMaker-managed MLflow server"
        )
    return (
        f"MLflow at {shown} cannot be used: {first_line(error)};"
        " check that the server runs and the URI is right"
    )


def find_experiment(uri: str, name: str) -> str:
    """Return the id of an experiment, MLflow's default one's if there is none of that name."""
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name(name)
    return str(experiment.experiment_id) if experiment else "0"

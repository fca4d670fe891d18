"""Writes to CloudWatch: metrics (``PutMetricData``) and dashboards; nothing else here writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from mlflow_smwatch.aws.operations import GET_DASHBOARD, PUT_DASHBOARD, PUT_METRIC_DATA
from mlflow_smwatch.aws.session import Aws, ask, aws_errors
from mlflow_smwatch.core.errors import InvalidRequestError

_NONE = frozenset({"ResourceNotFound", "ResourceNotFoundException", "DashboardNotFoundError"})
_INVALID = frozenset(
    {
        "DashboardInvalidInputError",
        "InvalidParameterCombination",
        "InvalidParameterInput",
        "InvalidParameterValue",
        "MissingParameter",
        "MissingRequiredParameterException",
        "RequestEntityTooLarge",
        "ValidationError",
    }
)


def put_metrics(aws: Aws, request: Mapping[str, Any]) -> None:
    """Put one batch of metrics (``PutMetricData``); CloudWatch takes all of it or nothing.

    Parameters
    ----------
    aws
        The clients.
    request
        As :func:`~mlflow_smwatch.core.publishing.request` writes it.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    with aws_errors(PUT_METRIC_DATA), _refusals(PUT_METRIC_DATA):
        aws.cloudwatch.put_metric_data(**request)


def read_dashboard(aws: Aws, name: str) -> str | None:
    """Read the body of a dashboard (``GetDashboard``).

    Parameters
    ----------
    aws
        The clients.
    name
        Of the dashboard.

    Returns
    -------
    str or None
        None where there is no such dashboard.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    request = {"DashboardName": name}
    operation = _or_none(aws.cloudwatch.get_dashboard)
    answer = ask(GET_DASHBOARD, operation, request, "DashboardBody")
    body = answer["DashboardBody"]
    return None if body is None else str(body)


def put_dashboard(aws: Aws, name: str, body: str) -> tuple[str, ...]:
    """Make a dashboard, or replace what it shows (``PutDashboard``).

    Parameters
    ----------
    aws
        The clients.
    name, body
        Of the dashboard; the body as JSON.

    Returns
    -------
    tuple of str
        What CloudWatch remarks of the body, which it took.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    with aws_errors(PUT_DASHBOARD), _refusals(PUT_DASHBOARD):
        answer = aws.cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)
        messages = answer.get("DashboardValidationMessages") or ()
        return tuple(f"{each.get('DataPath', '')}: {each.get('Message', '')}" for each in messages)


def _or_none(operation: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
    """Answer without a body where there is no such dashboard."""

    def call(**request: str) -> Mapping[str, Any]:
        try:
            return operation(**request)
        except ClientError as error:
            if _codes(error) & _NONE:
                return {"DashboardBody": None}
            raise

    return call


@contextmanager
def _refusals(action: str) -> Iterator[None]:
    """Tell what CloudWatch will never take from what it may take later."""
    try:
        yield
    except ClientError as error:
        if not _codes(error) & _INVALID:
            raise
        detail = error.response["Error"].get("Message", "")
        message = f"{action} does not take the request ({detail})"
        raise InvalidRequestError(message) from error


def _codes(error: ClientError) -> set[str | None]:
    return {error.response["Error"].get(name) for name in ("Code", "QueryErrorCode")}

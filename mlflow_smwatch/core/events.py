"""The body of a queue's message → the job whose state changed.

An event is a hint and no more: EventBridge repeats and reorders events, names in them may differ
from the ARN's, and their times come in several units ("Events that Amazon SageMaker AI sends to
Amazon EventBridge"). So ARN and name are taken out of it, and AWS is asked for the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.job_kinds import KINDS, JobKind, kind_of, name_in
from mlflow_smwatch.core.redact import Redaction

SOURCE = "aws.sagemaker"

_BY_EVENT_TYPE = {kind.event_type: kind for kind in KINDS.values() if kind.event_type}
_RESOURCE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9/-]{0,299}")
_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """A state change of one job.

    Attributes
    ----------
    arn
        The job.
    name
        The job's name: the ARN's own, or as the event spells it where only the case differs, for
        SageMaker may write a name in small letters into the ARN (boto/boto3 issue 4606).
    kind
        A word of :data:`mlflow_smwatch.core.job_kinds.KINDS`.
    """

    arn: str
    name: str
    kind: str


def job_event(body: str) -> JobEvent:
    """Read the job out of a message.

    Parameters
    ----------
    body
        An EventBridge event, as a rule puts it into a queue, or an SNS notification that holds
        one ("Amazon SNS message formats").

    Returns
    -------
    JobEvent

    Raises
    ------
    JobError
        When it is no state change of a job of a kind that is mirrored, in one line.
    """
    event = _unwrapped(_object(body))
    if event.get("source") != SOURCE:
        message = f"not an event of {SOURCE}: its source is {_shown(event.get('source'))}"
        raise JobError(message)
    kind = _kind(event.get("detail-type"))
    arn = _arn(event, kind)
    return JobEvent(arn=str(arn), name=_name(event, kind, arn), kind=kind.word)


def _object(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {_shown(text)}"
        raise JobError(message) from error
    if not isinstance(parsed, dict):
        message = f"not an event: {_shown(text)}"
        raise JobError(message)
    return parsed


def _unwrapped(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take an event out of the notification in which SNS delivers it."""
    inner = event.get("Message")
    is_wrapped = event.get("Type") == "Notification" and isinstance(inner, str)
    return _object(str(inner)) if is_wrapped else event


def _kind(event_type: object) -> JobKind:
    kind = _BY_EVENT_TYPE.get(event_type) if isinstance(event_type, str) else None
    if kind is None:
        message = f"events of the type {_shown(event_type)} are not mirrored"
        raise JobError(message)
    return kind


def _arn(event: Mapping[str, Any], kind: JobKind) -> Arn:
    given = next((text for text in _arns(event, kind) if isinstance(text, str)), None)
    if given is None:
        message = f"an event of the type {kind.event_type!r} without an ARN"
        raise JobError(message)
    try:
        arn = Arn.parse(given)
    except UsageError as error:
        message = f"not an ARN: {_shown(given)}"
        raise JobError(message) from error
    if kind_of(arn) is not kind or not _RESOURCE_NAME.fullmatch(arn.resource_name):
        message = f"{_shown(given)} is not the ARN of {kind.with_article}"
        raise JobError(message)
    return arn


def _name(event: Mapping[str, Any], kind: JobKind, arn: Arn) -> str:
    detail, name = event.get("detail"), name_in(arn)
    field = str(kind.event_arn).removesuffix("Arn") + "Name"
    told = detail.get(field) if isinstance(detail, dict) else None
    is_same = isinstance(told, str) and told.lower() == name.lower()
    return str(told) if is_same else name


def _arns(event: Mapping[str, Any], kind: JobKind) -> list[object]:
    detail, resources = event.get("detail"), event.get("resources")
    first = [detail.get(kind.event_arn)] if isinstance(detail, dict) else []
    return [*first, *(resources[:1] if isinstance(resources, list) else [])]


def _shown(value: object) -> str:
    """Return a value on one line, without secrets, short enough for a message."""
    hide = Redaction().text
    text = ascii(hide(value)) if isinstance(value, str) else hide(ascii(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

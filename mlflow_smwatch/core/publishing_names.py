"""Names in CloudWatch that the user chooses, or that are made of names in MLflow.

Rules are from the CloudWatch API reference ("PutMetricData", "MetricDatum", "Dimension"): ASCII
without control characters, of limited length, not blank; names of dimensions and namespaces do not
begin with a colon.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from mlflow_smwatch.core.errors import UsageError

Dimensions: TypeAlias = tuple[tuple[str, str], ...]
"""Name and value pairs."""

DEFAULT_NAMESPACE = "mlflow"
DEFAULT_DIMENSIONS: Dimensions = (("RunId", "{run_id}"), ("Experiment", "{experiment}"))
PLACEHOLDERS = ("run_id", "run_name", "experiment")
"""What a value may have in braces."""

_LONGEST_NAME = 255
_LONGEST_VALUE = 1024
_MOST_DIMENSIONS = 30
_RESERVED = ("aws/", "/aws/")
_NAME = re.compile(r"(?!:)(?=.*[!-~])[ -~]{1,255}")
_VALUE = re.compile(r"(?=.*[!-~])[ -~]{1,1024}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NOT_ASCII = re.compile(r"[^ -~]")
_HASH = 8


def require_namespace(namespace: str, option: str = "--namespace") -> None:
    """Refuse a namespace that CloudWatch does not take, or that is one of AWS's.

    Parameters
    ----------
    namespace
        What the user typed.
    option
        Where, for the message.

    Raises
    ------
    UsageError
        Saying why.
    """
    if namespace.lower().startswith(_RESERVED):
        message = (
            f"{option} {namespace!r}: namespaces that begin with AWS/ or /aws/ are AWS's own,"
            " and the mirror reads SageMaker's: choose another"
        )
        raise UsageError(message)
    if not _NAME.fullmatch(namespace):
        message = (
            f"{option} {namespace!r}: give 1 to 255 ASCII characters, not blank, the first no colon"
        )
        raise UsageError(message)


def require_dimensions(templates: Dimensions) -> None:
    """Refuse dimensions that CloudWatch does not take.

    Parameters
    ----------
    templates
        What the user typed: a value may have placeholders.

    Raises
    ------
    UsageError
        Saying why.
    """
    if len(templates) > _MOST_DIMENSIONS:
        message = f"--dimension: {len(templates)} are too many: CloudWatch takes 30"
        raise UsageError(message)
    names = [name for name, _ in templates]
    for name, value in templates:
        if names.count(name) > 1:
            message = f"--dimension {name}: given more than once"
            raise UsageError(message)
        if not _NAME.fullmatch(name):
            message = (
                f"--dimension {name!r}: a name has 1 to 255 ASCII characters, is not blank, and"
                " begins with no colon"
            )
            raise UsageError(message)
        _require_value(name, value)


def dimensions_of(templates: Dimensions, facts: Mapping[str, str]) -> Dimensions:
    """Write what is in braces, and make the values such as CloudWatch takes.

    Other than ASCII becomes ``_`` and what is too long is cut; 8 digits of the value's SHA-256 tell
    it from others then.

    Parameters
    ----------
    templates
        Names and values with placeholders.
    facts
        Placeholder → text.

    Returns
    -------
    tuple
        Sorted by name: to CloudWatch their order means nothing.
    """
    return tuple(
        (name, _legal_value(_PLACEHOLDER.sub(lambda found: facts[found[1]], value)))
        for name, value in sorted(templates)
    )


def metric_name(key: str) -> str:
    """Give the name in CloudWatch of a metric of MLflow's.

    Parameters
    ----------
    key
        Its key; other than ASCII becomes ``_``, and 8 digits of the key's SHA-256 tell it from
        others then.
    """
    plain = _NOT_ASCII.sub("_", key)
    if plain == key and _NAME.fullmatch(key):
        return key
    plain = plain.lstrip(":")[: _LONGEST_NAME - _HASH - 1]
    return f"{plain}_{_digest(key)}"


def metrics_apart(keys: Iterable[str]) -> int:
    """Tell how many metrics of CloudWatch some keys make."""
    return len({metric_name(key) for key in keys})


def _require_value(name: str, value: str) -> None:
    unknown = [each for each in _PLACEHOLDER.findall(value) if each not in PLACEHOLDERS]
    if unknown:
        choice = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
        message = f"--dimension {name}={value}: {{{unknown[0]}}} is unknown; choose from {choice}"
        raise UsageError(message)
    if not _VALUE.fullmatch(value):
        message = (
            f"--dimension {name}={value!r}: a value has 1 to 1,024 ASCII characters and is not"
            " blank"
        )
        raise UsageError(message)


def _legal_value(value: str) -> str:
    """Give a value that CloudWatch takes; one that is changed stays another than all others."""
    if _VALUE.fullmatch(value):
        return value
    plain = _NOT_ASCII.sub("_", value)[: _LONGEST_VALUE - _HASH - 1]
    return f"{plain}_{_digest(value)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]

"""Names of CloudWatch dashboards ("PutDashboard": 1 to 255 of ``A-Za-z0-9_-``)."""

from __future__ import annotations

import hashlib
import re

from mlflow_smwatch.core.errors import UsageError

DASHBOARDS = "smwatch-"
"""Begins the names of the dashboards that are made."""

_LONGEST = 255
_LEGAL = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_HASH = 8


def dashboard_name(subject: str) -> str:
    """Name the dashboard of a job, endpoint or experiment.

    Parameters
    ----------
    subject
        Its name; where that is not legal, 8 digits of its SHA-256 tell it from others.
    """
    name = DASHBOARDS + _ILLEGAL.sub("_", subject)
    if name == DASHBOARDS + subject and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{name[: _LONGEST - _HASH - 1]}_{digest}"


def require_dashboard_name(name: str) -> None:
    """Refuse a name that CloudWatch does not take.

    Raises
    ------
    UsageError
        Saying why.
    """
    if not _LEGAL.fullmatch(name):
        message = f"--name {name!r}: give 1 to 255 letters (A-Z, a-z), digits, '-' and '_'"
        raise UsageError(message)

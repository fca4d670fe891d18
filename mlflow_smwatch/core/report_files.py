"""Which files below a job's reports are small reports, and what a list of violations holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.reports import MONITORING_STATUS, NOTEBOOK, REPORT, is_monitoring
from mlflow_smwatch.core.shown_paths import is_segment

FOLDER = "sagemaker/reports"
VIOLATIONS = "monitor/violations"
"""Original of the series that holds how many violations were found; of each type, below it."""

VIOLATION_FILES = ("constraint_violations.json", "constraints_violations.json")
"""The schema's page spells it in the first way, a table of AWS's in the second."""

MEGABYTE = 1024 * 1024
FILE_LIMIT = 5 * MEGABYTE
JOB_LIMIT = 25 * MEGABYTE
"""Bytes of a report, and of all reports of a job, that are copied."""

_RAW = frozenset({"debugger", "profiler"})
"""Places of tensors and samples, of which none is a report."""

_NAMES = frozenset(
    {
        *VIOLATION_FILES,
        "statistics.json",
        "constraints.json",
        "analysis.json",
        "report.html",
        "profiler-report.html",
        "xgboost_report.html",
    }
)
_SEGMENT_BYTES = 255
"""As long may a file's name be."""

_MOST_TYPES = 20
_TYPE = re.compile(r"[A-Za-z][\w.\- ]{0,63}", re.ASCII)
"""Whatever the monitoring container of the user calls its checks."""

_UNKNOWN, _OTHER = "unknown", "other"
_PARTS_FOLDER = "profiler-reports"
_NONE_FOUND = "Completed"
_SOME_FOUND = "CompletedWithViolations"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report that is copied.

    Attributes
    ----------
    place
        Where it is.
    path
        Below :data:`FOLDER`.
    size
        Bytes.
    """

    place: S3Place
    path: str
    size: int


def report_folders(facts: Iterable[tuple[str, str]]) -> dict[str, S3Place]:
    """Give the folders in which small reports may lie.

    Parameters
    ----------
    facts
        Of a job, names without ``sagemaker.``.

    Returns
    -------
    dict
        Name → folder.
    """
    found: dict[str, S3Place] = {}
    for name, uri in facts:
        place = S3Place.parse(uri) if name.startswith(REPORT) else None
        short = name.removeprefix(REPORT)
        if place and short not in _RAW and is_segment(short) and not uri.endswith(NOTEBOOK):
            found[short] = place.folder()
    return found


def is_report(path: str) -> bool:
    """Whether an object is a report, by its path below a folder of reports."""
    *folders, name = path.split("/")
    if not all(map(is_segment, (*folders, name))):
        return False
    return name in _NAMES or (folders[-1:] == [_PARTS_FOLDER] and name.endswith(".json"))


def choose(
    folders: Mapping[str, S3Place], found: Mapping[str, Iterable[tuple[str, int]]]
) -> tuple[list[ReportFile], list[str]]:
    """Choose what is copied, within the limits.

    Parameters
    ----------
    folders
        Name → folder.
    found
        Name → path below the folder, and bytes, of each object there.

    Returns
    -------
    list of ReportFile
        In order of their paths.
    list of str
        What is left out, in words: what is too large, or too much, or stands in another's way.
    """
    files = sorted(
        (f"{name}/{path}", size, folders[name].below(path))
        for name, objects in found.items()
        for path, size in objects
        if is_report(path)
    )
    chosen: list[ReportFile] = []
    left_out: list[str] = []
    taken: set[str] = set()
    room = JOB_LIMIT
    for path, size, place in files:
        if size > min(FILE_LIMIT, room):
            left_out.append(f"not copied, too large: {path}")
        elif not _is_storable(path, taken):
            left_out.append(f"not copied, no file can be named like this: {path}")
        else:
            room -= size
            taken.add(path)
            chosen.append(ReportFile(place, path, size))
    return chosen, left_out


def has_violations(job: Job) -> bool:
    """Whether it takes a look at the list to tell how many violations an execution found."""
    return _outcome(job) == _SOME_FOUND


def no_violations(job: Job) -> dict[str, int]:
    """Count none where SageMaker says that an execution found none; else tell nothing."""
    return {VIOLATIONS: 0} if _outcome(job) == _NONE_FOUND else {}


def count_violations(content: bytes) -> dict[str, int]:
    """Count what a list of violations holds.

    Parameters
    ----------
    content
        Of ``constraint_violations.json``.

    Returns
    -------
    dict of str to int
        Original of a series → how many: all, and those of each ``constraint_check_type``. Of the
        types, which may be any text, the most frequent ones; the rest counts as ``other``.

    Raises
    ------
    ValueError
        When it is no such list.
    """
    try:
        said = json.loads(content)
    except RecursionError as error:
        message = "it is nested too deeply"
        raise ValueError(message) from error
    listed = said.get("violations") if isinstance(said, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        message = "it holds no list of violations"
        raise ValueError(message)
    types = Counter(map(_type, listed))
    named = sorted(types.keys() - {_OTHER}, key=lambda each: (-types[each], each))
    kept = named[:_MOST_TYPES]
    counts = Counter({f"{VIOLATIONS}/{each}": types[each] for each in kept})
    if rest := len(listed) - counts.total():
        counts[f"{VIOLATIONS}/{_OTHER}"] += rest
    return {VIOLATIONS: len(listed), **counts}


def _type(violation: Mapping[str, Any]) -> str:
    said = violation.get("constraint_check_type") or _UNKNOWN
    return said if isinstance(said, str) and _TYPE.fullmatch(said) else _OTHER


def _is_storable(path: str, chosen: set[str]) -> bool:
    """Whether files may have this path, below whose folders some have been chosen."""
    *folders, _ = accumulate(path.split("/"), "{}/{}".format)
    is_short = all(len(each.encode()) <= _SEGMENT_BYTES for each in path.split("/"))
    return is_short and chosen.isdisjoint(folders)


def _outcome(job: Job) -> str | None:
    if not is_monitoring(job) or job.status != "Completed":
        return None
    return dict(job.facts).get(MONITORING_STATUS)

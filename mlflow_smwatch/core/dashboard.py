"""Jobs → the body of a CloudWatch dashboard.

Source: CloudWatch API reference, "Dashboard body structure and syntax"; User Guide, "CloudWatch
service quotas": 500 widgets, 500 metrics in each, 2,500 in all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import algorithm_series, steady_series
from mlflow_smwatch.core.links import links
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.note import escaped, markdown_link
from mlflow_smwatch.core.series import AVERAGE, Series

MOST_WIDGETS = 500
METRICS_PER_WIDGET = 500
METRICS_PER_DASHBOARD = 2_500

_COLUMNS = 24
_WIDTH, _HEIGHT = 8, 6
_LISTED_JOBS = 40
_ENDLESS_START = "-P1D"
_MARK = "Made by `smwatch dashboard` of"
_MARKED = re.compile(rf"{re.escape(_MARK)} `([^`]*)`")
_TITLES = (
    ("SageMaker console", "sagemaker.console_url"),
    ("log streams", "sagemaker.logs_url"),
    ("model artifact", "sagemaker.model_artifact_url"),
)

_Widget: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A job on a dashboard, and its page in MLflow (None for none)."""

    job: Job
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line in a graph: its series, and what it is called."""

    series: Series
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a dashboard shows.

    Attributes
    ----------
    document
        As JSON takes it.
    metrics
        How many metrics are in it.
    left_out
        How many are not, since CloudWatch takes no more.
    """

    document: dict[str, Any]
    metrics: int
    left_out: int

    @property
    def text(self) -> str:
        """The body as ``PutDashboard`` takes it."""
        return json.dumps(self.document)

    @property
    def widgets(self) -> int:
        """How many widgets there are."""
        return len(self.document["widgets"])


def dashboard_body(subject: str, shown: Sequence[Shown], page: str | None = None) -> Body:
    """Draw the dashboard of some jobs.

    Parameters
    ----------
    subject
        What it is of: an ARN, or the name of an experiment.
    shown
        Its jobs, the most important first; at least one.
    page
        The experiment's page in MLflow; None for none.

    Returns
    -------
    Body
    """
    lines = [line for each in shown for line in _lines(each.job, alone=len(shown) == 1)]
    graphs = list(_graphs(lines[:METRICS_PER_DASHBOARD], shown[0].job.arn.region))
    kept = graphs[: MOST_WIDGETS - 1]
    metrics = sum(len(each["properties"]["metrics"]) for each in kept)
    header, height = _header(subject, shown, page)
    for number, each in enumerate(kept):
        row, column = divmod(number, _COLUMNS // _WIDTH)
        each |= {"x": column * _WIDTH, "y": height + row * _HEIGHT}
    return Body(
        document={
            **_span([each.job for each in shown]),
            "periodOverride": "auto",
            "widgets": [header, *kept],
        },
        metrics=metrics,
        left_out=len(lines) - metrics,
    )


def made_of(body: str) -> str | None:
    """Tell what a dashboard is of, if it was made here; None if it was not.

    Parameters
    ----------
    body
        As ``GetDashboard`` gives it.
    """
    try:
        widgets = json.loads(body)["widgets"]
        texts = [each["properties"]["markdown"] for each in widgets if each["type"] == "text"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    marks = (_MARKED.search(str(text)) for text in texts)
    return next((mark[1] for mark in marks if mark), None)


def subject_mark(subject: str) -> str:
    """Write a subject as a dashboard tells it."""
    return subject.replace("`", "'")


def _lines(job: Job, *, alone: bool) -> Iterator[Line]:
    """Give the lines of a job; what would not tell them apart in a graph is left out of labels."""
    for each in (*algorithm_series(job), *steady_series(job)):
        value = " ".join(value for _, value in each.dimensions)
        own = value.removeprefix(job.name).lstrip("/ ") if alone else value
        stat = "" if each.stat == AVERAGE else each.stat
        label = " ".join(part for part in (own, stat) if part)
        yield Line(series=each, label=label or each.metric_name)


def _graphs(lines: Iterable[Line], region: str) -> Iterator[_Widget]:
    """Draw a graph for each metric's name, or several where it has too many lines."""
    graphs: dict[tuple[str, str], list[Line]] = {}
    for each in lines:
        graphs.setdefault((each.series.namespace, each.series.metric_name), []).append(each)
    for (_, name), some in graphs.items():
        for at in range(0, len(some), METRICS_PER_WIDGET):
            yield {
                "type": "metric",
                "width": _WIDTH,
                "height": _HEIGHT,
                "properties": {
                    "title": name,
                    "view": "timeSeries",
                    "region": region,
                    "metrics": [_row(each) for each in some[at : at + METRICS_PER_WIDGET]],
                },
            }


def _row(line: Line) -> list[Any]:
    """Write a metric as graphs take it: namespace, name, dimensions, and how it is drawn."""
    series = line.series
    dimensions = (part for pair in series.dimensions for part in pair)
    drawn = {"stat": series.stat, "label": line.label}
    return [series.namespace, series.metric_name, *dimensions, drawn]


def _header(subject: str, shown: Sequence[Shown], page: str | None) -> tuple[_Widget, int]:
    """Write the text above the graphs: what it is of, and links; give its height too."""
    paragraphs = [f"## {escaped(_title(subject))}"]
    if page:
        paragraphs.append(markdown_link("experiment in MLflow", page))
    paragraphs += [_job_line(each) for each in shown[:_LISTED_JOBS]]
    if len(shown) > _LISTED_JOBS:
        paragraphs.append(f"and {len(shown) - _LISTED_JOBS} more jobs")
    paragraphs.append(
        f"{_MARK} `{subject_mark(subject)}`, which makes it anew each time: save changes under"
        " another name."
    )
    height = min(2 + (len(paragraphs) + 1) // 2, 12)
    properties = {"markdown": "\n\n".join(paragraphs)}
    text = {"type": "text", "x": 0, "y": 0, "width": _COLUMNS, "height": height}
    return {**text, "properties": properties}, height


def _title(subject: str) -> str:
    return Arn.parse(subject).resource_name if subject.startswith("arn:") else subject


def _job_line(shown: Shown) -> str:
    job = shown.job
    addresses: Mapping[str, str] = links(job)
    found = [(title, addresses.get(tag)) for title, tag in _TITLES]
    found.insert(0, ("run in MLflow", shown.page))
    written = " · ".join(markdown_link(title, url) for title, url in found if url)
    words = f"{job.kind.noun} **{escaped(job.title or job.name)}**, {escaped(job.status)}"
    return f"{words}: {written}" if written else words


def _span(jobs: Sequence[Job]) -> dict[str, str]:
    """Choose the time that is shown first: the jobs' lives; of what has no end, the last day."""
    if any(job.kind.endless for job in jobs):
        return {"start": _ENDLESS_START}
    start = {"start": iso_utc(min(job.created_ms for job in jobs))}
    ends = [job.ended_ms for job in jobs]
    known = [end for end in ends if end is not None]
    return {**start, "end": iso_utc(max(known))} if known and len(known) == len(ends) else start

"""What a publication did: the value that Python gets and that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from mlflow_smwatch.aws.operations import OPERATIONS, PUT_METRIC_DATA
from mlflow_smwatch.core.publishing import Skipped
from mlflow_smwatch.report import Failure, Warned

METRIC_USD_A_MONTH = 0.30
"""What a custom metric costs while data come, by the hour ("Amazon CloudWatch Pricing", the first
10,000 metrics, us-east-1, 2026)."""

_HARD = {
    "unstorable": "NaN, infinite or beyond ±2^360, which CloudWatch does not take",
    "too_old": "over two weeks old, which CloudWatch does not take any more",
    "too_new": "over two hours ahead of now: publish again later",
    "late": (
        "logged after later ones had been published, so that they cannot be told from published"
        " ones"
    ),
}


@dataclass(slots=True, kw_only=True)
class PublishedRun:
    """What was published of one run.

    Attributes
    ----------
    run_id, name, experiment_id, experiment
        The run.
    dimensions
        Under which its metrics are in CloudWatch.
    metrics, points
        How many metrics had news, and how many points were put.
    skipped
        How many new points were not.
    mirrored
        How many metrics were left out because the mirror wrote them.
    calls
        How many requests it took. Not in the JSON document.
    """

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    dimensions: dict[str, str]
    metrics: int = 0
    points: int = 0
    skipped: Skipped = field(default_factory=Skipped)
    mirrored: int = 0
    calls: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the line as ``--json`` prints it."""
        return {key: value for key, value in asdict(self).items() if key != "calls"}


@dataclass(slots=True, kw_only=True)
class PublishReport:
    """The result of a publication.

    Attributes
    ----------
    namespace, region
        Where to.
    metrics
        How many custom metrics of CloudWatch got points.
    points
        How many points were put; in a dry run, would be.
    aws_calls
        IAM action → number of requests.
    estimated_cost_usd
        What they cost.
    runs, failed, warnings
        One entry each.
    dry_run
        Whether nothing was put.
    """

    namespace: str
    region: str
    metrics: int = 0
    points: int = 0
    aws_calls: dict[str, int] = field(default_factory=dict)
    estimated_cost_usd: float = 0.0
    runs: list[PublishedRun] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    dry_run: bool = False

    @property
    def usd_a_month(self) -> float:
        """What these metrics cost in a month in every hour of which points come."""
        return self.metrics * METRIC_USD_A_MONTH

    def forecast_calls(self) -> tuple[dict[str, int], float]:
        """Say which requests a publication makes, and at what price."""
        calls = sum(run.calls for run in self.runs)
        price = calls * OPERATIONS[PUT_METRIC_DATA].price_per_call_usd
        return ({PUT_METRIC_DATA: calls} if calls else {}), price

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        document: dict[str, Any] = {
            "namespace": self.namespace,
            "region": self.region,
            "metrics": self.metrics,
            "points": self.points,
            "aws_calls": self.aws_calls,
            "estimated_cost_usd": self.estimated_cost_usd,
            "usd_a_month": self.usd_a_month,
            "runs": [each.to_dict() for each in self.runs],
            "failed": [asdict(each) for each in self.failed],
            "warnings": [asdict(each) for each in self.warnings],
        }
        return document | {"dry_run": True} if self.dry_run else document


def why_nothing(line: PublishedRun, *, known: bool) -> str | None:
    """Say why nothing of a run could ever be published; None where something was, or is.

    Parameters
    ----------
    line
        What was done.
    known
        Whether something of the run is there.
    """
    if known or line.points:
        return None
    remarked = [*remarks(line)]
    if remarked:
        return f"nothing could be published: {'; '.join(remarked)}"
    return "it has no metrics that are to be published"


def remarks(line: PublishedRun) -> Iterator[str]:
    """Say what of a run was left out."""
    for word, why in _HARD.items():
        count = getattr(line.skipped, word)
        if count:
            yield f"{count} {'point is' if count == 1 else 'points are'} left out: {why}"
    if line.mirrored:
        metrics = "metric is" if line.mirrored == 1 else "metrics are"
        yield f"{line.mirrored} {metrics} left out, which the mirror read from AWS"

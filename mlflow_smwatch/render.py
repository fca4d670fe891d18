"""Reports as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_compare import LineageDiff
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.status import StatusReport

UNFORESEEN = (
    "further pages of logs; what is new of the lineage that SageMaker recorded; calls that fail"
    " and are made again"
)
"""What a forecast does not count, see ``docs/cost.md``."""


def sync_text(report: SyncReport, named: tuple[str, ...]) -> Iterator[str]:
    """Give a line for each run that was written or asked for, and a summary."""
    for line in report.runs:
        if line.word == "unchanged" and not named:
            continue
        points = f"{line.points:,} points"
        text = f"{line.word:<9}  {line.name}  {line.status}  {points}  {line.url or ''}"
        yield visible(text).rstrip()
    for each in report.registered or ():
        yield visible(f"registered {each.model} version {each.version}  {each.source}")
    if report.dry_run:
        yield from _forecast_text(report)
    jobs = ", ".join(f"{count} {word}" for word, count in report.jobs.items())
    calls = sum(report.aws_calls.values())
    begin = "would be: " if report.dry_run else ""
    yield (
        f"{begin}{jobs}; {report.points:,} points; {calls} AWS calls"
        f" (about {report.estimated_cost_usd:.4f} USD); {report.seconds:.1f} s"
    )


def _forecast_text(report: SyncReport) -> Iterator[str]:
    """Give a line for each AWS operation, and one for what nobody can know beforehand."""
    for action, calls in sorted(report.aws_calls.items()):
        yield f"calls      {action}  {calls}"
    yield f"not in it  {UNFORESEEN}"


def status_text(found: StatusReport) -> Iterator[str]:
    """Give the state of the mirror, and a line for each run that needs attention."""
    store = visible(found.tracking_uri)
    yield f"{store}: {found.runs} runs, {found.final} final, {found.open} open"
    yield visible(f"{found.points:,} points, last written {found.synced_at or 'never'}")
    for title, numbers in (
        ("kinds", found.kinds),
        ("status", found.statuses),
        ("metric source", found.metric_sources),
    ):
        counted = ", ".join(f"{n} {word}" for word, n in numbers.items())
        yield visible(f"{title}: {counted or 'none'}")
    for experiment in found.experiments:
        line = f"experiment {experiment.experiment}: {experiment.runs} runs  {experiment.url or ''}"
        yield visible(line)
    for run in found.attention:
        state = "final" if run.final else "open"
        line = f"{state}  {run.name}  {run.status}  {run.warning or 'no warning'}  {run.url or ''}"
        yield visible(line)


def diff_text(a: str, b: str, difference: LineageDiff) -> Iterator[str]:
    """Give a line for each thing that only one of two came from, and for each that both did."""
    for title, nodes in (
        (f"only {a}", difference.only_a),
        (f"only {b}", difference.only_b),
        ("both", difference.both),
    ):
        yield f"{visible(title)}: {len(nodes)}"
        for node in nodes:
            yield visible(f"  {node.kind}  {_shown_name(node)}")


def diff_document(a: str, b: str, difference: LineageDiff) -> dict[str, Any]:
    """Return what ``smwatch lineage --diff --json`` prints."""
    return {
        "a": a,
        "b": b,
        **{
            part: [asdict(node) | {"aliases": list(node.aliases)} for node in nodes]
            for part, nodes in (
                ("only_a", difference.only_a),
                ("only_b", difference.only_b),
                ("both", difference.both),
            )
        },
    }


def _shown_name(node: Node) -> str:
    return f"{node.name}  {node.id}" if node.name and node.name != node.id else node.id

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


def sync_text(report: SyncReport, named: tuple[str, ...]) -> Iterator[str]:
    """Give a line for each run that was written or asked for, and a summary."""
    for line in report.runs:
        if line.word == "unchanged" and not named:
            continue
        points = f"{line.points:,} points"
        yield f"{line.word:<9}  {line.name}  {line.status}  {points}  {line.url or ''}".rstrip()
    for each in report.registered or ():
        yield f"registered {each.model} version {each.version}  {each.source}"
    jobs = ", ".join(f"{count} {word}" for word, count in report.jobs.items())
    calls = sum(report.aws_calls.values())
    begin = "would be: " if report.dry_run else ""
    yield (
        f"{begin}{jobs}; {report.points:,} points; {calls} AWS calls"
        f" (about {report.estimated_cost_usd:.4f} USD); {report.seconds:.1f} s"
    )


def status_text(found: StatusReport) -> Iterator[str]:
    """Give the state of the mirror, and a line for each run that needs attention."""
    yield f"{found.tracking_uri}: {found.runs} runs, {found.final} final, {found.open} open"
    yield f"{found.points:,} points, last written {found.synced_at or 'never'}"
    for title, numbers in (
        ("kinds", found.kinds),
        ("status", found.statuses),
        ("metric source", found.metric_sources),
    ):
        yield f"{title}: " + (", ".join(f"{n} {word}" for word, n in numbers.items()) or "none")
    for experiment in found.experiments:
        yield f"experiment {experiment.experiment}: {experiment.runs} runs  {experiment.url or ''}"
    for run in found.attention:
        state = "final" if run.final else "open"
        yield f"{state}  {run.name}  {run.status}  {run.warning or 'no warning'}  {run.url or ''}"


def diff_text(a: str, b: str, difference: LineageDiff) -> Iterator[str]:
    """Give a line for each thing that only one of two came from, and for each that both did."""
    for title, nodes in (
        (f"only {a}", difference.only_a),
        (f"only {b}", difference.only_b),
        ("both", difference.both),
    ):
        yield f"{visible(title)}: {len(nodes)}"
        for node in nodes:
            yield f"  {node.kind}  {visible(_shown_name(node))}"


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

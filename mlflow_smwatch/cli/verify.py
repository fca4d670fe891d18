"""``smwatch verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    job_options,
    mirror_options,
    option,
    service_options,
    tracking_options,
    work_options,
)
from mlflow_smwatch.cli.output import SOME_FAILED, print_result, progress_bar
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import each_place

if TYPE_CHECKING:
    from mlflow_smwatch.audit.verify import Difference, VerifyReport


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME|ARN]...")
@option("--repair", is_flag=True, help="Mirror the jobs that differ again: adds what is missing.")
@job_options
@mirror_options
@work_options
@tracking_options
@service_options
@from_file("source", "sources")
def verify(*, repair: bool, as_json: bool, log_json: bool, verbose: bool, **chosen: Any) -> None:
    """Read AWS and MLflow afresh and compare them, point by point.

    With no NAME or ARN: every job of the chosen kinds that was modified since --since, and every
    run that was mirrored from this account and Region. Each difference is a line: job, what
    differs, its key, the time, AWS's value, MLflow's value.

    Exit codes: 0 all equal, 1 differences (repaired or not) or jobs that could not be compared,
    2 wrong usage, 3 nothing could be done.

    \b
    Examples:
      smwatch verify
      smwatch verify my-job --json
      smwatch verify --since 30d --repair
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    targets = each_place(**chosen)
    say = Diagnostics(as_records=log_json)
    with quiet(verbose=verbose, log_json=log_json):
        say.name_default_store(targets[0].tracking_uri)
        from mlflow_smwatch.audit.targets import verify as run_verify

        with progress_bar(shown=not log_json) as advance:
            report = run_verify(
                targets,
                repair=repair,
                listener=lambda so_far: advance(so_far.jobs, figures=_figures(so_far)),
            )
    print_result(report.to_dict(), _text(report, repair=repair), as_json=as_json)
    say.troubles(report.failed, report.warnings)
    if report.differences or report.failed:
        sys.exit(SOME_FAILED)


def _figures(so_far: VerifyReport) -> str:
    """Say what the bar shows beside the number of jobs."""
    failed = f", {len(so_far.failed)} failed" if so_far.failed else ""
    return f"{len(so_far.differences)} differences{failed}"


def _text(report: VerifyReport, *, repair: bool) -> Iterator[str]:
    for difference in report.differences:
        yield _line(difference)
    if repair:
        yield from (f"repaired  {visible(each)}" for each in report.repaired)
        yield from (f"left  {visible(each)}" for each in report.left)
    yield (
        f"{report.jobs} jobs, {report.equal} equal; {len(report.differences)} differences;"
        f" {len(report.failed)} failed"
    )


def _line(difference: Difference) -> str:
    name = difference.arn.rpartition("/")[2]
    parts = [name, difference.what, difference.key or "", _time(difference.timestamp)]
    values = f"AWS {_value(difference.aws)}  MLflow {_value(difference.mlflow)}"
    return visible("  ".join([*(part for part in parts if part), values]))


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return ""
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):  # a user's own point, outside the calendar
        return str(timestamp_ms)
    return moment.isoformat(timespec="milliseconds")


def _value(value: object) -> str:
    """Give a value on one line, whatever text it is."""
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)

"""``smwatch forget``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    file_option,
    json_option,
    option,
    tracking_uri_option,
    verbose_option,
)
from mlflow_smwatch.cli.output import SOME_FAILED, print_result
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    from mlflow_smwatch.forget import ForgetReport, Removal

_WITH_IT = (
    "with points, params and tags, the models that the mirror made, and all artifacts, also those"
    " that others have added"
)
_STAYS_AWAY = (
    "their jobs are not mirrored again, unless you want it: 'smwatch sync NAME --restore'. Only a"
    " deleted run without contents is left of each, as a note of that, until 'mlflow gc' takes it"
)
_ENDED_BY_GC = (
    "an MLflow server only deletes runs as its pages do, and their jobs are not mirrored again."
    " 'mlflow gc --backend-store-uri DATABASE --run-ids {ids}', where the server's database can be"
    " reached, ends them; then a sync whose --since reaches back to a job mirrors it anew"
)


@click.command(cls=Command)
@click.argument("things", nargs=-1, required=True, metavar="NAME|ARN|RUN_ID...")
@option("-y", "--yes", is_flag=True, help="Remove without asking.")
@option("--dry-run", is_flag=True, help="Only show what would be removed.")
@tracking_uri_option
@json_option
@verbose_option
@file_option
def forget(
    *,
    things: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    tracking_uri: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Remove mirrored runs for good, after asking.

    Removes runs with points, params, tags, all artifacts and the models that the mirror made;
    versions of registered models stay. Runs that a job's own script logged, or that others made,
    are refused. A name that stands for several jobs means all of them. No later pass mirrors the
    job again, unless it is named: 'smwatch sync NAME --restore'.

    In a database a deleted run without contents is left, as a note of that, and, as after
    'mlflow gc', MLflow's datasets (names and S3 URIs) with links that lead to no run. Over HTTP
    MLflow deletes runs as its pages do; 'mlflow gc' on the server ends them. Reads and
    writes MLflow only, nothing in AWS.

    Exit codes: 0 removed, 1 some runs were not, each named with its reason, 2 wrong usage, also
    where nobody can be asked and --yes is missing, 3 MLflow cannot be used.

    \b
    Examples:
      smwatch forget my-training-job
      smwatch forget my-training-job --dry-run
      smwatch forget 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --yes --json
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        say.name_default_store(tracking_uri)
        from mlflow_smwatch.forget import find

        removal = find(things, tracking_uri)
    if removal.runs and not (yes or dry_run):
        _ask(say, removal)
    with quiet(verbose=verbose):
        report = removal.forecast() if dry_run else removal.carry_out()
    print_result(report.to_dict(), _text(report), as_json=as_json)
    _tell(say, report)
    if report.failed or report.unmet:
        sys.exit(SOME_FAILED)


def _ask(say: Diagnostics, removal: Removal) -> None:
    """Ask once for all runs; end the command where the answer is no, or nobody can answer."""
    if not sys.stdin.isatty():
        message = "forget asks before it removes anything, and there is no terminal: give --yes"
        raise UsageError(message)
    say.note(f"To be {_word(removal.erases)} in {removal.store}, {_WITH_IT}:")
    for each in removal.lines:
        say.note(f"  {each.name}  run {each.run_id}  {each.arn}")
    count = len(removal.runs)
    runs = "this run" if count == 1 else f"these {count} runs"
    click.confirm(f"Remove {runs} for good?", abort=True, err=True)


def _word(erased: bool) -> str:  # noqa: FBT001 - the one thing that it tells
    return "erased" if erased else "deleted"


def _text(report: ForgetReport) -> Iterator[str]:
    begin = "would be " if report.dry_run else ""
    for each in report.removed:
        yield visible(f"{begin}{_word(report.erased)}  {each.name}  run {each.run_id}  {each.arn}")
    for kept in report.kept:
        yield visible(f"kept  {kept.name}  run {kept.run_id}: {kept.reason}")
    numbers = (len(report.removed), len(report.kept), len(report.failed))
    yield "{}{} removed, {} kept, {} failed".format(begin, *numbers)


def _tell(say: Diagnostics, report: ForgetReport) -> None:
    say.troubles(report.failed, report.warnings)
    if not report.removed or report.dry_run:
        return
    ids = ",".join(each.run_id for each in report.removed)
    say.note(_STAYS_AWAY if report.erased else _ENDED_BY_GC.format(ids=ids))

"""``smwatch overlay``."""

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
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    from mlflow_smwatch.engine.turnover import TurnReport


_SEALED = (
    "runs show their jobs once 'smwatch sync --artifacts overlay', with a --since that reaches back"
    " to them, has listed these"
)


@click.command(cls=Command)
@click.argument("experiments", nargs=-1, metavar="[EXPERIMENT]...")
@option(
    "--off",
    is_flag=True,
    help="Turn them back: all can be read without this package. Without EXPERIMENT: all that are on"
    " the overlay.",
)
@tracking_uri_option
@json_option
@verbose_option
@file_option
def overlay(
    *,
    experiments: tuple[str, ...],
    off: bool,
    tracking_uri: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Turn experiments over to the artifact overlay, or back.

    On the overlay a run shows its job's logs, model and output beside what it stores itself.
    Whatever opens such a run (MLflow's server, a client) needs this package. Only addresses in
    MLflow's database are changed, those of an experiment and all its runs together or not at all;
    no file is moved. Made for experiments that are there already: new ones are made on the overlay
    by 'smwatch sync --artifacts overlay', which also seals the runs of those that were turned over,
    so that they show their jobs. --off alone turns back all experiments, as is right before this
    package is uninstalled. Nobody should write to the experiment meanwhile; done twice, it
    takes along what was.

    Needs the URI of the database: no call to an MLflow server changes these addresses.

    Exit codes: 0 all turned, 1 some were not, each named with its reason, 2 wrong usage or a
    server's address, 3 nothing could be done.

    \b
    Examples:
      smwatch overlay my-experiment --tracking-uri sqlite:///mlflow.db
      smwatch overlay sagemaker/training-jobs sagemaker/endpoints
      smwatch overlay --off my-experiment
      smwatch overlay --off --tracking-uri sqlite:///mlflow.db
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        say.name_default_store(tracking_uri)
        from mlflow_smwatch.engine.turnover import turn_over

        report = turn_over(experiments, tracking_uri=tracking_uri, off=off)
    print_result(report.to_dict(), _text(report, off=off), as_json=as_json)
    for each in report.failed:
        say.error(each.error, each.experiment)
    if not (report.experiments or report.failed):
        say.note("no experiment is on the overlay")
    if report.experiments and not off:
        say.note(_SEALED)
    if report.failed:
        sys.exit(SOME_FAILED)


def _text(report: TurnReport, *, off: bool) -> Iterator[str]:
    word = "plain  " if off else "overlay"
    for each in report.experiments:
        left = f"; {each.left} runs stay as they were" if each.left else ""
        place = f"{each.location}  {each.changed} addresses changed{left}"
        yield visible(f"{word}  {each.experiment}  {place}")

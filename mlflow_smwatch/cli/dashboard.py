"""``smwatch dashboard``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    file_option,
    json_option,
    option,
    percentiles_option,
    place_options,
    tracking_options,
    verbose_option,
)
from mlflow_smwatch.cli.output import print_result
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import one_place
from mlflow_smwatch.report import Warned

if TYPE_CHECKING:
    from mlflow_smwatch.dashboard import DashboardReport

_PRICE = (
    "CloudWatch charges 3 USD a month for each dashboard beyond the first three of an account"
    " (2026): 'aws cloudwatch delete-dashboards --dashboard-names {name}' removes it"
)


@click.command(cls=Command)
@click.argument("thing", metavar="NAME|ARN|EXPERIMENT")
@option("--name", help="Name of the dashboard. Default: smwatch- and that of the thing.")
@option("--replace", is_flag=True, help="Replace a dashboard of that name that was made otherwise.")
@option("--print", "shown", is_flag=True, help="Write the body on stdout, and make no dashboard.")
@tracking_options
@place_options
@percentiles_option
@json_option
@verbose_option
@file_option
@from_file("source", "sources")
def dashboard(
    *, thing: str, shown: bool, replace: bool, as_json: bool, verbose: bool, **chosen: Any
) -> None:
    """Make a CloudWatch dashboard of a job, an endpoint or an experiment.

    It has a graph for each metric that CloudWatch has of it, a line for each host, variant or job,
    and links to the AWS console and to the run's page in MLflow. For an MLflow experiment, and for
    what groups jobs, it is of the mirrored jobs in it. A dashboard that this command made of the
    same thing is replaced; another is not, without --replace.

    Writes to CloudWatch: 'smwatch policy --publishing' has the permissions. A dashboard costs 3 USD
    a month, beyond three of an account.

    Exit codes: 0 made (or printed), 1 not known, no metrics, or a dashboard of somebody else's has
    the name, 2 wrong usage, 3 AWS cannot be used.

    \b
    Examples:
      smwatch dashboard my-training-job
      smwatch dashboard my-endpoint --latency-percentiles p50,p90,p99
      smwatch dashboard sagemaker/training-jobs --name trainings
      smwatch dashboard my-training-job --print
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    name = chosen.pop("name")
    place = one_place(**chosen)
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        from mlflow_smwatch.dashboard import draw, put

        drawn = draw(thing, place, name=name)
        report = drawn.report if shown else put(drawn, replace=replace)
    document = drawn.body.document if shown else report.to_dict()
    text = iter((drawn.body.text,)) if shown else _text(report)
    print_result(document, text, as_json=as_json)
    for each in report.warnings:
        say.warning(Warned(thing, each))
    if not shown:
        say.note(_PRICE.format(name=report.name))


def _text(report: DashboardReport) -> Iterator[str]:
    done = "replaced" if report.replaced else "made"
    jobs = "a job" if report.jobs == 1 else f"{report.jobs} jobs"
    yield visible(
        f"{done} {report.name}: {report.widgets} widgets, {report.metrics} metrics of {jobs}"
    )
    if report.url:
        yield report.url

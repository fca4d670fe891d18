"""``smwatch publish``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    file_option,
    json_option,
    option,
    place_options,
    tracking_uri_option,
    verbose_option,
)
from mlflow_smwatch.cli.output import SOME_FAILED, print_result
from mlflow_smwatch.cli.values import dimension
from mlflow_smwatch.core.publishing_names import DEFAULT_DIMENSIONS, DEFAULT_NAMESPACE
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import one_place

if TYPE_CHECKING:
    from mlflow_smwatch.publish_report import PublishReport

_DIMENSIONS = " ".join(f"{name}={value}" for name, value in DEFAULT_DIMENSIONS)


@click.command(cls=Command)
@click.argument("things", nargs=-1, required=True, metavar="RUN_ID|NAME|ARN...")
@option(
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    help="CloudWatch namespace; none of AWS's own.",
)
@option(
    "--dimension",
    "dimensions",
    type=dimension,
    metavar="KEY=VALUE",
    multiple=True,
    help="Dimension of the metrics; repeatable. {run_id}, {run_name} and {experiment} stand for"
    f" those of the run. Default: {_DIMENSIONS}.",
)
@option(
    "--metric",
    "metrics",
    metavar="PATTERN",
    multiple=True,
    help="Only metrics whose key is like this: val*, train/*; repeatable. Default: all but those"
    " below system/ and sagemaker/.",
)
@option("--all-metrics", is_flag=True, help="Those below system/ and sagemaker/ too.")
@option(
    "--dry-run",
    is_flag=True,
    help="Put nothing; print how many metrics, points and calls it would be, and their price.",
)
@tracking_uri_option
@place_options
@json_option
@verbose_option
@file_option
def publish(
    *,
    things: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Put MLflow metrics of runs into CloudWatch.

    Any run of MLflow's: one that a job of SageMaker's stands behind, or none. What was published
    before to the same namespace and dimensions is not put again: the run's tag smwatch.published
    tells. What the mirror itself read from AWS is never published. Points over two weeks old
    cannot be: CloudWatch does not take them.

    Each name of a metric with each set of dimensions is a custom metric of CloudWatch's, which
    costs 0.30 USD a month while points come: --dry-run says how many these are.

    Exit codes: 0 published (what was left out is said on stderr), 1 of some runs nothing could be,
    each named with its reason, 2 wrong usage, 3 MLflow or AWS cannot be used.

    \b
    Examples:
      smwatch publish 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --dry-run
      smwatch publish my-run --metric 'val*' --namespace Research
      smwatch publish my-run --dimension Team=vision --dimension 'Run={run_name}'
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    place = one_place(
        tracking_uri=chosen["tracking_uri"],
        region=chosen["region"],
        profile=chosen["profile"],
        assume_role=chosen["assume_role"],
    )
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        from mlflow_smwatch.publish import PublishOptions
        from mlflow_smwatch.publish import publish as put

        options = PublishOptions(
            namespace=chosen["namespace"],
            dimensions=chosen["dimensions"] or DEFAULT_DIMENSIONS,
            metrics=chosen["metrics"],
            all_metrics=chosen["all_metrics"],
            dry_run=dry_run,
        )
        say.name_default_store(place.tracking_uri)
        report = put(things, options, place)
    print_result(report.to_dict(), _text(report), as_json=as_json)
    say.troubles(report.failed, report.warnings)
    if report.failed:
        sys.exit(SOME_FAILED)


def _text(report: PublishReport) -> Iterator[str]:
    begin = "would be " if report.dry_run else ""
    for each in report.runs:
        shown = ", ".join(f"{name}={value}" for name, value in each.dimensions.items())
        yield visible(
            f"{begin}published  {each.name}  run {each.run_id}: {each.points} points of"
            f" {each.metrics} metrics, {shown}"
        )
    calls = sum(report.aws_calls.values())
    yield (
        f"{begin}published: {report.points} points of {report.metrics} metrics in"
        f" {report.namespace}, {report.region}; {calls} AWS calls,"
        f" {report.estimated_cost_usd:.6f} USD; {report.usd_a_month:.2f} USD for a month in every"
        " hour of which points come"
    )

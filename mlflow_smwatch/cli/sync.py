"""``smwatch sync``."""

from __future__ import annotations

import sys
from typing import Any

import click

from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.exports import otlp_options, sending
from mlflow_smwatch.cli.options import (
    Command,
    bill_options,
    denied_option,
    job_options,
    mirror_options,
    option,
    register_option,
    scale_options,
    service_options,
    tracking_options,
    work_options,
)
from mlflow_smwatch.cli.output import SOME_FAILED, print_result, progress_bar
from mlflow_smwatch.options import each_place


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME|ARN]...")
@job_options
@mirror_options
@register_option
@work_options
@bill_options
@scale_options
@denied_option
@option("--restore", is_flag=True, help="Bring back the runs of NAMEs that you deleted in MLflow.")
@option("--dry-run", is_flag=True, help="Read job lists only; forecast calls and price.")
@otlp_options
@tracking_options
@service_options
@from_file("source", "sources")
def sync(
    *,
    otlp: str | None,
    otlp_protocol: str | None,
    as_json: bool,
    log_json: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Mirror SageMaker jobs into MLflow once, then exit.

    With no NAME or ARN: every job of the chosen kinds that was modified since --since. A second
    sync of an unchanged account writes nothing.

    Exit codes: 0 all mirrored, 1 some jobs could not be, 2 wrong usage, 3 nothing could be done.

    \b
    Examples:
      smwatch sync
      smwatch sync my-job another-job --region eu-west-1
      smwatch sync --since 2026-01-31 --tag team=vision --experiment vision
      smwatch sync my-trial --register churn
      smwatch sync my-job --restore
      smwatch sync --dry-run --json
      smwatch sync --assume-role arn:aws:iam::123456789012:role/smwatch --region eu-west-1,us-east-1
      smwatch sync --since 1d --otlp http://127.0.0.1:4317
      smwatch sync --since 400d --executor dask --scheduler tcp://scheduler:8786
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    targets = each_place(**chosen)
    options = targets[0]
    say = Diagnostics(as_records=log_json)
    with quiet(verbose=verbose, log_json=log_json):
        say.name_default_store(options.tracking_uri)
        from mlflow_smwatch.cli.forecast import figures
        from mlflow_smwatch.cli.memory import share_heaps
        from mlflow_smwatch.engine.targets import sync as run_sync
        from mlflow_smwatch.render import sync_text

        share_heaps()
        with (
            sending(targets, otlp, otlp_protocol) as exports,
            progress_bar(shown=not log_json) as advance,
        ):
            report = run_sync(
                targets,
                lambda so_far: advance(so_far.jobs["seen"], so_far.expected, figures(so_far)),
                tuple(exports.observers),
            )
    document = {**report.to_dict(), **exports.to_dict()}
    print_result(document, sync_text(report, options.names), as_json=as_json)
    say.troubles(report.failed, report.warnings)
    if report.failed:
        sys.exit(SOME_FAILED)

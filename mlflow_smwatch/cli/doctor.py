"""``smwatch doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.config import file_that_was_read, from_file
from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    alarms_option,
    artifacts_option,
    file_option,
    json_option,
    kinds_option,
    metrics_option,
    option,
    place_options,
    register_option,
    tracking_uri_option,
    verbose_option,
)
from mlflow_smwatch.cli.output import SOME_FAILED, print_result
from mlflow_smwatch.core.findings import WARN, Finding
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import each_place

if TYPE_CHECKING:
    from mlflow_smwatch.doctor import DoctorReport

_NOTHING_REACHABLE = 3
_PREFIX = "SMWATCH_"
_NO_OPTION = frozenset({"SMWATCH_SEAL_KEY"})
_GIVEN = {
    click.core.ParameterSource.COMMANDLINE: "the command line",
    click.core.ParameterSource.ENVIRONMENT: "its variable",
    click.core.ParameterSource.DEFAULT_MAP: "the file",
}


@click.command(cls=Command)
@kinds_option
@metrics_option
@alarms_option
@artifacts_option
@register_option
@option("--queue", "queue_url", help="URL of the SQS queue that drives 'smwatch watch'.")
@option(
    "--without-search",
    is_flag=True,
    help="For callers that may not call sagemaker:Search: check what stands in for it.",
)
@place_options
@tracking_uri_option
@json_option
@verbose_option
@file_option
@click.pass_context
@from_file("source", "sources")
def doctor(
    ctx: click.Context,
    /,
    *,
    queue_url: str | None,
    without_search: bool,
    as_json: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Check AWS, each permission and MLflow, and say what to do.

    Credentials, Region, clock, one cheap call for each permission that the kinds and options take
    (one of them, a metric, costs 0.00001 USD), quotas where they are readable; MLflow's server,
    version, database, schema and plugins. Nothing is written, and no message is taken.

    Exit codes: 0 all well, 1 something to mend, 2 wrong usage, 3 neither AWS nor MLflow usable.

    \b
    Examples:
      smwatch doctor
      smwatch doctor --kinds training-job --region eu-west-1 --json
      smwatch doctor --artifacts overlay --tracking-uri http://127.0.0.1:5000
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    targets = each_place(**chosen)
    with quiet(verbose=verbose):
        Diagnostics(as_records=False).name_default_store(chosen["tracking_uri"])
        from mlflow_smwatch.doctor import examine

        found = examine(targets, queue_url=queue_url, search=not without_search)
    report = replace(found, checks=(*_configuration(ctx), *found.checks))
    print_result(report.to_dict(), _text(report), as_json=as_json)
    if not report.reachable:
        sys.exit(_NOTHING_REACHABLE)
    if not report.ok:
        sys.exit(SOME_FAILED)


def _configuration(ctx: click.Context) -> Iterator[Finding]:
    """Say which options were given, and where; and which variables are none's."""
    given = [
        f"{each.opts[-1]} by {_GIVEN[source]}"
        for each in ctx.command.params
        if (source := ctx.get_parameter_source(each.name or "")) in _GIVEN
    ]
    file = file_that_was_read(ctx)
    known = f"; the file is {file}" if file else ""
    detail = f"{', '.join(given) or 'defaults'}{known}"
    yield Finding(check="configuration", detail=detail)
    unknown = sorted(_variables() - _known_variables(ctx))
    if unknown:
        yield Finding(
            check="configuration",
            status=WARN,
            detail=f"{', '.join(unknown)}: no option has this variable",
            fix="check the spelling: 'smwatch sync --help' names the variables",
        )


def _variables() -> set[str]:
    return {name for name in os.environ if name.startswith(_PREFIX)}


def _known_variables(ctx: click.Context) -> set[str]:
    group = ctx.find_root().command
    commands = group.commands.values() if isinstance(group, click.Group) else ()
    options = (each for command in commands for each in command.params)
    variables = {str(each.envvar) for each in options if isinstance(each, click.Option)}
    return variables | _NO_OPTION


def _text(report: DoctorReport) -> Iterator[str]:
    """Give a table, with what to do below each line that needs it."""
    width = max(len(each.check) for each in report.checks)
    for each in report.checks:
        yield visible(f"{each.status:<4}  {each.check:<{width}}  {each.detail}")
        if each.fix:
            yield visible(f"{'':<4}  {'':<{width}}  → {each.fix}")
    counts = {
        word: sum(each.status == word for each in report.checks) for word in ("ok", "warn", "bad")
    }
    yield ", ".join(f"{count} {word}" for word, count in counts.items())

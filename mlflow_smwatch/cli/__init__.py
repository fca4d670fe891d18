"""The command line: parse, call, render, exit. No decisions are made here."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import NoReturn

import click

from mlflow_smwatch._version import __version__
from mlflow_smwatch.cli import (
    dashboard,
    demo,
    doctor,
    forget,
    lineage,
    overlay,
    policy,
    publish,
    status,
    sync,
    verify,
    watch,
)
from mlflow_smwatch.cli import open as open_
from mlflow_smwatch.cli.diagnostics import Diagnostics, log_as_json
from mlflow_smwatch.cli.output import SOME_FAILED
from mlflow_smwatch.core.errors import SmwatchError, StopError, UsageError
from mlflow_smwatch.core.visible import visible

__all__ = ["NOTHING_DONE", "SOME_FAILED", "main"]

NOTHING_DONE = 3


class _Commands(click.Group):
    """Turns the package's errors into one line and the documented exit code."""

    def invoke(self, ctx: click.Context) -> object:
        if isinstance(sys.stdout, io.TextIOWrapper):  # a name that its encoding lacks is no end
            sys.stdout.reconfigure(errors="backslashreplace")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before MLflow is imported
        try:
            return super().invoke(ctx)
        except UsageError as error:
            self._refuse(ctx, click.UsageError(visible(str(error)), ctx))
        except click.UsageError as error:
            self._refuse(ctx, error)
        except SmwatchError as error:
            if ctx.ensure_object(dict).get("json"):
                click.echo(json.dumps({"error": str(error)}))
            _diagnostics(ctx).error(str(error))
            ctx.exit(NOTHING_DONE if isinstance(error, StopError) else SOME_FAILED)

    @staticmethod
    def _refuse(ctx: click.Context, error: click.UsageError) -> NoReturn:
        """Let click say what is wrong, with a reminder of the usage, unless records are wanted."""
        say = _diagnostics(ctx)
        if not say.as_records:
            raise error
        say.error(error.format_message())
        ctx.exit(error.exit_code)


def _diagnostics(ctx: click.Context) -> Diagnostics:
    as_records = ctx.ensure_object(dict).get("log_json", False)
    if as_records:
        log_as_json(verbose=False)
    return Diagnostics(as_records=as_records)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smwatch")
def main() -> None:
    """Mirror Amazon SageMaker jobs into MLflow runs.

    AWS credentials, Region and endpoints are found as by every AWS tool; MLflow as by MLflow.
    Every option may also be an environment variable or stand in smwatch.toml: an option wins
    over a variable, a variable over the file.

    \b
    Examples:
      smwatch demo                              try it: emulated account, no AWS needed
      smwatch sync --since 7d                   mirror a week of training jobs
      smwatch watch                             mirror continuously
      smwatch lineage my-job                    what it was made from, and what from it
      smwatch verify --since 7d                 compare both sides, point by point
      smwatch status                            what is mirrored, how fresh
      smwatch doctor                            check AWS, permissions and MLflow
      smwatch policy                            the IAM policy that is just enough
      smwatch open my-job                       its page in MLflow
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines


for _command in (
    dashboard.dashboard,
    demo.demo,
    doctor.doctor,
    forget.forget,
    lineage.lineage,
    open_.open_page,
    overlay.overlay,
    policy.policy,
    publish.publish,
    status.status,
    sync.sync,
    verify.verify,
    watch.watch,
):
    main.add_command(_command)

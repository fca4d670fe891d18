"""``smwatch status``."""

from __future__ import annotations

import click

from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    file_option,
    json_option,
    tracking_options,
    verbose_option,
)
from mlflow_smwatch.cli.output import print_result


@click.command(cls=Command)
@tracking_options
@json_option
@verbose_option
@file_option
def status(*, tracking_uri: str | None, ui_url: str | None, as_json: bool, verbose: bool) -> None:
    """Show what is mirrored, how fresh it is, and what could not be mirrored and why.

    Reads MLflow only.

    \b
    Examples:
      smwatch status
      smwatch status --json --tracking-uri http://127.0.0.1:5000
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    with quiet(verbose=verbose):
        Diagnostics(as_records=False).name_default_store(tracking_uri)
        from mlflow_smwatch.render import status_text
        from mlflow_smwatch.status import status as read_status

        found = read_status(tracking_uri, ui_url)
    print_result(found.to_dict(), status_text(found), as_json=as_json)

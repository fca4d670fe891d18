"""``smwatch open``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

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
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    from mlflow_smwatch.run_pages import RunPages

_OWN_SCREEN = frozenset({"darwin", "win32"})
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


@click.command("open", cls=Command)
@click.argument("thing", metavar="NAME|ARN|RUN_ID")
@tracking_options
@json_option
@verbose_option
@file_option
def open_page(
    *, thing: str, tracking_uri: str | None, ui_url: str | None, as_json: bool, verbose: bool
) -> None:
    """Print the MLflow page of a mirrored job, and open it.

    It is opened where stdout is a terminal on a desktop; else it is printed alone. A name that
    stands for several jobs prints all their pages and opens the one of the job that began last.
    Where MLflow is a database, stderr says how its pages are served. Reads MLflow only.

    Exit codes: 0 printed, 1 there is no such job in MLflow, 2 wrong usage, 3 MLflow cannot be
    used.

    \b
    Examples:
      smwatch open my-training-job
      smwatch open my-training-job --ui-url https://mlflow.example.com
      smwatch open my-training-job --json | jq -r .url
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        say.name_default_store(tracking_uri)
        from mlflow_smwatch.run_pages import find_pages

        found = find_pages(thing, tracking_uri, ui_url)
    print_result(found.to_dict(), _text(found), as_json=as_json)
    if found.advice:
        say.note(found.advice)
    if found.opens and not as_json and is_desktop(os.environ, sys.platform):
        _launch(say, found.opens)


def is_desktop(
    environment: Mapping[str, str], platform: str, *, terminal: bool | None = None
) -> bool:
    """Whether somebody sits before a screen on which a browser can be opened.

    Parameters
    ----------
    environment
        Environment variables.
    platform
        As of :data:`sys.platform`.
    terminal
        Whether stdout is a terminal; None to look.

    Returns
    -------
    bool
        False in a session over SSH, but for one that brings a display along.
    """
    if not (sys.stdout.isatty() if terminal is None else terminal):
        return False
    if platform in _OWN_SCREEN:
        return not any(environment.get(each) for each in ("SSH_CONNECTION", "SSH_TTY"))
    return any(environment.get(each) for each in _DISPLAYS)


def _launch(say: Diagnostics, url: str) -> None:
    if not url.startswith(("http://", "https://")) or click.launch(url):
        say.note("no browser could be opened: the address is above")


def _text(found: RunPages) -> Iterator[str]:
    for page in found.pages:
        where = page.url or f"run {page.run_id} in experiment {page.experiment_id}"
        yield where if len(found.pages) == 1 else visible(f"{where}  {page.arn}")

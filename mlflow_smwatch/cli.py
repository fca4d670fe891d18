"""The command line: parse, call, render, exit. No decisions are made here."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core.errors import SmwatchError, StopError, UsageError

if TYPE_CHECKING:
    from mlflow_smwatch.demo.account import EmulatedAccount
    from mlflow_smwatch.report import SyncReport

_Command = TypeVar("_Command", bound=Callable[..., Any])

NOTHING_DONE = 3
SOME_FAILED = 1
_USUAL_SIZE = (80, 24)
_QUIET_LOGGERS = {
    "mlflow": logging.ERROR,
    "mlflow.store.db.utils": logging.CRITICAL,
    "alembic": logging.WARNING,
    "botocore": logging.ERROR,
    "mlflow_smwatch": logging.ERROR,
}


class _Commands(click.Group):
    """Turns the package's errors into one line and the documented exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(str(error), ctx) from error
        except SmwatchError as error:
            if ctx.ensure_object(dict).get("json"):
                click.echo(json.dumps({"error": str(error)}))
            click.echo(f"Error: {error}", err=True)
            ctx.exit(NOTHING_DONE if isinstance(error, StopError) else SOME_FAILED)


def _option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """Declare an option that is an environment variable ``SMWATCH_<OPTION>`` too."""
    long_name = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "SMWATCH_" + long_name.removeprefix("--").upper().replace("-", "_")
    settings.setdefault("envvar", variable)
    settings.setdefault("show_envvar", True)
    return click.option(*names, **settings)


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
    ctx.find_root().ensure_object(dict)["json"] = value
    return value


_json_option = _option(
    "--json", "as_json", is_flag=True, callback=_remember_json, help="One JSON document on stdout."
)


def _tracking_options(command: _Command) -> _Command:
    for declare in (
        _option("-v", "--verbose", is_flag=True, help="Show what the libraries log, on stderr."),
        _json_option,
        _option("--ui-url", help="Address of MLflow's pages, for the links that are printed."),
        _option(
            "--tracking-uri",
            help="MLflow tracking URI: sqlite:///…, postgresql://…, http(s)://… or the ARN of a"
            " SageMaker-managed MLflow server. Default: MLFLOW_TRACKING_URI, else MLflow's own.",
        ),
    ):
        command = declare(command)
    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smwatch")
def main() -> None:
    """Mirror Amazon SageMaker jobs into MLflow runs.

    AWS credentials, Region and endpoints are found as by every AWS tool; MLflow as by MLflow.

    \b
    Examples:
      smwatch demo                              try it: emulated account, no AWS needed
      smwatch sync --since 7d                   mirror a week of training jobs
      smwatch status                            what is mirrored, how fresh
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME|ARN]...")
@_option("--kinds", default="training-job", show_default=True, help="Comma list of job kinds.")
@_option(
    "--since",
    default="7d",
    show_default=True,
    help="Jobs modified since: ISO time (UTC) or 90m, 36h, 7d. Runs that are not final are always"
    " looked at.",
)
@_option("--until", help="Jobs modified until: ISO time (UTC) or 90m, 36h, 7d.")
@_option("--region", help="AWS Region. Default: boto3's own choice.")
@_option("--profile", help="AWS profile. Default: boto3's own choice.")
@_option("--experiment", help="Put everything into this MLflow experiment.")
@_option(
    "--tag",
    "tags",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only jobs with this resource tag; repeatable.",
)
@_option("--name-contains", help="Only jobs whose name has this part.")
@_option(
    "--metrics",
    type=click.Choice(["auto", "cloudwatch", "off"]),
    default="auto",
    show_default=True,
    help="Where algorithm metrics come from; off mirrors no metrics.",
)
@_option(
    "--artifacts",
    type=click.Choice(["none", "link"]),
    default="link",
    show_default=True,
    help="link stores sagemaker/job.json with the run; nothing big is copied.",
)
@_option("--workers", default=8, show_default=True, help="Threads that read and write.")
@_option(
    "--settle",
    default=180,
    show_default=True,
    help="Seconds that a CloudWatch period of a running job must be old before it is mirrored.",
)
@_option(
    "--give-up-denied",
    is_flag=True,
    help="Make an ended job final although a part of it (its metrics, its tags) is denied.",
)
@_option("--dry-run", is_flag=True, help="Read job lists only; forecast calls and price.")
@_tracking_options
def sync(
    *, tags: tuple[str, ...], kinds: str, settle: int, as_json: bool, verbose: bool, **chosen: Any
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
      smwatch sync --dry-run --json
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    from mlflow_smwatch.options import SyncOptions

    options = SyncOptions(
        tags=tuple(_pair(tag) for tag in tags),
        kinds=tuple(word.strip() for word in kinds.split(",") if word.strip()),
        settle_s=settle,
        **chosen,
    )
    with _quiet(verbose=verbose):
        _name_default_store(options.tracking_uri)
        from mlflow_smwatch.engine import sync as run_sync
        from mlflow_smwatch.render import sync_text

        with _progress() as listener:
            report = run_sync(options, listener)
    _print(report.to_dict(), sync_text(report, options.names), as_json=as_json)
    for failure in report.failed:
        click.echo(f"Error: {failure.arn}: {failure.error}", err=True)
    for warned in report.warnings:
        click.echo(f"Warning: {warned.arn or 'all jobs'}: {warned.warning}", err=True)
    if report.failed:
        sys.exit(SOME_FAILED)


@main.command()
@_tracking_options
def status(*, tracking_uri: str | None, ui_url: str | None, as_json: bool, verbose: bool) -> None:
    """Show what is mirrored, how fresh it is, and what could not be mirrored and why.

    Reads MLflow only.

    \b
    Examples:
      smwatch status
      smwatch status --json --tracking-uri http://127.0.0.1:5000
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    with _quiet(verbose=verbose):
        _name_default_store(tracking_uri)
        from mlflow_smwatch.render import status_text
        from mlflow_smwatch.status import status as read_status

        found = read_status(tracking_uri, ui_url)
    _print(found.to_dict(), status_text(found), as_json=as_json)


@main.command()
@_option(
    "--dir",
    "folder",
    default="smwatch-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the database and the artifacts go.",
)
@_option("--no-serve", is_flag=True, help="Stop after the mirror and print the tracking URI.")
@_option("--account-only", is_flag=True, help="Serve the account alone; print its endpoint.")
@_json_option
def demo(*, folder: Path, no_serve: bool, account_only: bool, as_json: bool) -> None:
    """Try it: an emulated AWS account with real training logs, mirrored and shown in MLflow.

    Needs no AWS account and no network, but pip install 'mlflow-smwatch[demo]'. Ctrl-C ends
    everything that it began.

    \b
    Examples:
      smwatch demo
      smwatch demo --no-serve --dir /tmp/demo
      smwatch demo --account-only
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # the demo uses no network
    try:
        from mlflow_smwatch.demo import show
        from mlflow_smwatch.demo.account import EmulatedAccount
        from mlflow_smwatch.demo.environment import emulated_environment
    except ModuleNotFoundError as error:
        message = f"the demo needs {error.name}: pip install 'mlflow-smwatch[demo]'"
        raise StopError(message) from error
    folder = folder.resolve()
    with EmulatedAccount() as account, emulated_environment(account):
        if account_only:
            _serve_account(account, as_json=as_json)
            return
        with _quiet(verbose=False):
            uri, live = show.mirrored(account, folder, lambda line: click.echo(line, err=True))
        if no_serve:
            _print({"tracking_uri": uri}, iter([uri]), as_json=as_json)
            return
        with show.served(uri, folder) as address:
            click.echo("emulated account, real MLflow; Ctrl-C ends both", err=True)
            with _quiet(verbose=False):
                url = show.page(uri, address)
            _print({"url": url, "tracking_uri": uri}, iter([url]), as_json=as_json)
            with _quiet(verbose=False):
                show.show(uri, folder, account, live)


def _serve_account(account: EmulatedAccount, *, as_json: bool) -> None:
    from mlflow_smwatch.demo import show

    live = show.filled(account)
    click.echo("emulated AWS account with recorded training jobs; Ctrl-C ends it", err=True)
    for name, value in account.environment.items():
        click.echo(f"export {name}={value}", err=True)
    document = {"endpoint": account.endpoint, "environment": account.environment}
    _print(document, iter([account.endpoint]), as_json=as_json)
    show.keep(account, live)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        message = f"--tag {text!r}: give KEY=VALUE"
        raise UsageError(message)
    return key, value


@contextlib.contextmanager
def _quiet(*, verbose: bool) -> Iterator[None]:
    """Keep everything but the result away from stdout, and libraries' chatter from stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        if verbose:
            logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        else:
            warnings.simplefilter("ignore")
            os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
            # MLflow sets the levels of its loggers while it is imported: so not before.
            import mlflow_smwatch.engine  # noqa: F401 - brings MLflow in

            for name, level in _QUIET_LOGGERS.items():
                logging.getLogger(name).setLevel(level)
        yield


def _name_default_store(tracking_uri: str | None) -> None:
    if tracking_uri is None:
        from mlflow_smwatch.api import default_tracking_uri

        click.echo(f"MLflow tracking URI: {default_tracking_uri()}", err=True)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[SyncReport], None]]:
    from tqdm import tqdm

    columns, rows = _bar_size()
    with tqdm(
        desc="jobs",
        unit="job",
        file=sys.stderr,
        disable=None,
        leave=False,
        ncols=columns,
        nrows=rows,
    ) as bar:

        def advance(report: SyncReport) -> None:
            bar.set_postfix(points=report.points, failed=len(report.failed), refresh=False)
            bar.update(report.jobs["seen"] - bar.n)

        yield advance


def _bar_size() -> tuple[int, int] | tuple[None, None]:
    """Choose a size where the terminal does not know its own: tqdm would draw nothing there."""
    try:
        known = min(os.get_terminal_size(sys.stderr.fileno()))
    except (OSError, ValueError):
        return None, None
    return (None, None) if known else _USUAL_SIZE


def _print(document: dict[str, Any], text: Iterator[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        for line in text:
            click.echo(line)

"""``smwatch demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlflow_smwatch.cli.diagnostics import quiet
from mlflow_smwatch.cli.options import Command, file_option, json_option, option
from mlflow_smwatch.cli.output import print_result
from mlflow_smwatch.core.errors import StopError

if TYPE_CHECKING:
    from mlflow_smwatch.demo.account import EmulatedAccount


@click.command(cls=Command)
@option(
    "--dir",
    "folder",
    default="smwatch-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the database and the artifacts go.",
)
@option("--no-serve", is_flag=True, help="Stop after the mirror and print the tracking URI.")
@option("--account-only", is_flag=True, help="Serve the account alone; print its endpoint.")
@json_option
@file_option
def demo(*, folder: Path, no_serve: bool, account_only: bool, as_json: bool) -> None:
    """Try it: an emulated AWS account with really recorded jobs, mirrored and shown in MLflow.

    Needs no AWS account and no network, but pip install 'mlflow-smwatch[demo]'. Ctrl-C ends
    everything that it began.

    \b
    Examples:
      smwatch demo
      smwatch demo --no-serve --dir /tmp/demo
      smwatch demo --account-only
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
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
        artifacts = show.STORED if no_serve else show.READ_THROUGH
        with quiet(verbose=False):
            uri, live = show.mirrored(account, folder, _say, artifacts)
        if no_serve:
            print_result({"tracking_uri": uri}, iter([uri]), as_json=as_json)
            return
        with show.served(uri, folder) as address:
            click.echo("emulated account, real MLflow; Ctrl-C ends both", err=True)
            with quiet(verbose=False):
                url = show.page(uri, address)
            print_result({"url": url, "tracking_uri": uri}, iter([url]), as_json=as_json)
            with quiet(verbose=False):
                show.show(uri, folder, account, live)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _serve_account(account: EmulatedAccount, *, as_json: bool) -> None:
    from mlflow_smwatch.demo import show

    live = show.filled(account)
    click.echo("emulated AWS account with recorded jobs; Ctrl-C ends it", err=True)
    for name, value in account.environment.items():
        click.echo(f"export {name}={value}", err=True)
    document = {"endpoint": account.endpoint, "environment": account.environment}
    print_result(document, iter([account.endpoint]), as_json=as_json)
    show.keep(account, live)

"""``--notify``, and what becomes of the rules of the file in one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.diagnostics import Diagnostics
from mlflow_smwatch.cli.exports import Exports
from mlflow_smwatch.cli.options import option
from mlflow_smwatch.cli.values import address
from mlflow_smwatch.core.rule_targets import Target, read_address, told, topics
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.options import SyncOptions

if TYPE_CHECKING:
    from mlflow_smwatch.core.rule_alerts import Alert
    from mlflow_smwatch.report import WatchReport

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NOTIFY = option(
    "--notify",
    "notified",
    type=address,
    multiple=True,
    metavar="URL",
    help="Whom the rules of the file tell that name nobody: a URL of apprise's (extra [alerts]) or"
    " the ARN of an SNS topic; repeatable. URLs are secrets: better in the variable, with blanks"
    " between several.",
)


def rule_options(command: _Command) -> _Command:
    """Declare ``--notify``, and give the command ``rules`` and ``named`` of the file."""
    return _NOTIFY(from_file("rule", "rules")(from_file("notify", "named")(command)))


def topics_of(
    rules: Sequence[Rule], named: Sequence[Target], notified: Sequence[str]
) -> tuple[str, ...]:
    """Give the ARNs of the SNS topics that are told of something.

    Raises
    ------
    UsageError
        When an address cannot be understood.
    """
    given = tuple(read_address("--notify", url) for url in notified)
    return topics((*told(rules, named, notified).values(), given))


@contextmanager
def alerting(
    exports: Exports,
    rules: Sequence[Rule],
    named: Sequence[Target],
    notified: Sequence[str],
    target: SyncOptions,
    say: Diagnostics,
) -> Iterator[Callable[[WatchReport], None]]:
    """Judge the rules in a block; without one, nothing is loaded.

    Parameters
    ----------
    exports
        Who is told; the rules join them.
    rules, named, notified
        What the file and ``--notify`` say.
    target
        Where runs are, and with which credentials to publish.
    say
        Says alerts.

    Yields
    ------
    Callable
        Enters into a report what messages cost after the last pass.

    Raises
    ------
    UsageError
        When an address cannot be used.
    """
    whom = told(rules, named, notified)
    if not rules:
        if notified:
            say.note("--notify has no effect: no file has a [[rule]]")
        yield _nothing
        return
    from mlflow_smwatch.alerts.service import alerting as judging

    def tell(alert: Alert) -> None:
        say.note(alert.line, **alert.to_dict())

    with judging(rules, whom, target, tell) as alerts:
        exports.observers.append(alerts.observer)
        exports.listeners.append(alerts.listener)
        yield alerts.enter


def _nothing(_: WatchReport) -> None:
    """Enter nothing."""

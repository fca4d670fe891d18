"""``--notify``, and what becomes of the rules of the file in one command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
    from mlflow_smwatch.alerts.messenger import Line
    from mlflow_smwatch.core.rule_alerts import Alert
    from mlflow_smwatch.exporters.receivers import ReceiverState
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
    targets: Sequence[SyncOptions],
    say: Diagnostics,
) -> Iterator[Callable[[WatchReport], None]]:
    """Judge the rules in a block; without one, nothing is loaded.

    Parameters
    ----------
    exports
        Who is told; the rules join them.
    rules, named, notified
        What the file and ``--notify`` say.
    targets
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

    with judging(rules, whom, targets, tell) as alerts:
        exports.observers.append(alerts.observer)
        exports.listeners.append(alerts.listener)
        exports.receivers += _receivers(alerts.lines)
        yield alerts.enter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Messages:
    """One address of messages, as a receiver: what may be shown of it, and which one of several."""

    line: Line
    number: int

    @property
    def state(self) -> ReceiverState:
        """How it stands now."""
        from mlflow_smwatch.exporters.receivers import ReceiverState

        now = self.line.standing
        which = f" {self.number}" if self.number > 1 else ""
        return ReceiverState(
            receiver=f"notify {now.shown}{which}",
            reachable=now.reachable,
            sent=now.sent,
            waiting=now.waiting,
            dropped=now.dropped,
        )


def _receivers(lines: Sequence[Line]) -> list[_Messages]:
    """Name addresses; several of one scheme are numbered, since no more of them may be shown."""
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        seen[line.standing.shown] += 1
        found.append(_Messages(line=line, number=seen[line.standing.shown]))
    return found


def _nothing(_: WatchReport) -> None:
    """Enter nothing."""

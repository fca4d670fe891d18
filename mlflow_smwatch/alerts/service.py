"""Rules, targets and options → what hears a watch and tells people."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mlflow_smwatch.alerts.channels import channels
from mlflow_smwatch.alerts.evaluator import Evaluator
from mlflow_smwatch.alerts.marks import RunMarks
from mlflow_smwatch.alerts.messenger import GRACE_S, Line, Messenger
from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import Address
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.engine.following import Follower, Listener, together
from mlflow_smwatch.engine.observation import Observer
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import WatchReport

logger = logging.getLogger(__name__)

_SENDERS = 1


@dataclass(slots=True, kw_only=True)
class Alerts:
    """What a watch tells, so that rules are judged.

    Attributes
    ----------
    observer, listener
        They are told of jobs, and of passes.
    ledgers
        Of the calls that messages take.
    lines
        How it stands with the addresses.
    """

    observer: Observer
    listener: Listener
    ledgers: Sequence[Ledger]
    lines: tuple[Line, ...]

    def enter(self, report: WatchReport) -> None:
        """Enter the calls that came after the last pass."""
        for each in self.ledgers:
            calls, cost_usd = each.settle()
            report.aws_calls = Counter(report.aws_calls) + Counter(calls)
            report.estimated_cost_usd += cost_usd


@contextmanager
def alerting(
    rules: Sequence[Rule],
    whom: Mapping[str, tuple[Address, ...]],
    targets: Sequence[SyncOptions],
    say: Callable[[Alert], None],
) -> Iterator[Alerts]:
    """Judge rules in a block; at its end deliver what waits, for a few seconds at most.

    Parameters
    ----------
    rules
        At least one.
    whom
        Name of a rule → whom it tells.
    targets
        Which store, and with which credentials to publish: those of a topic's account, if any are.
    say
        Says an alert on the spot.

    Yields
    ------
    Alerts

    Raises
    ------
    UsageError
        When an address cannot be used.
    CredentialsError
        When there are no credentials for a topic.
    """
    clients = _Clients(targets)
    addresses = [one for some in whom.values() for one in some]
    messenger = Messenger(channels(addresses, clients.of))
    evaluator = Evaluator(
        rules,
        whom,
        messenger=messenger,
        marks=RunMarks(targets[0].tracking_uri),
        say=say,
        clock_ms=lambda: time.time_ns() // 1_000_000,
    )
    listener = together(Listener(begins=clients.bill), evaluator.listener)
    try:
        yield Alerts(
            observer=evaluator.observe,
            listener=listener,
            ledgers=clients.ledgers,
            lines=messenger.lines,
        )
    finally:
        lost = messenger.close(GRACE_S)
        if lost:
            logger.warning("%d messages could not be delivered before the end", lost)


def publisher(arn: str, targets: Sequence[SyncOptions]) -> SyncOptions | None:
    """Choose with whose credentials to publish to a topic: with a role of its account, if any.

    Parameters
    ----------
    arn
        The topic.
    targets
        What is mirrored; of several that fit, the one of the topic's Region goes first.

    Returns
    -------
    SyncOptions or None
        None where roles are given, and all are of other accounts.
    """
    topic = Arn.parse(arn)
    fits = [each for each in targets if _account(each) in {None, topic.account}]
    own = [each for each in fits if each.assume_role is not None] or fits
    return next((each for each in own if each.region == topic.region), own[0] if own else None)


def _account(target: SyncOptions) -> str | None:
    return Arn.parse(target.assume_role).account if target.assume_role else None


@dataclass(slots=True)
class _Clients:
    """Clients for topics, with the credentials of the mirror."""

    targets: Sequence[SyncOptions]
    ledgers: list[Ledger] = field(default_factory=list)
    _made: dict[tuple[str, str | None], Aws] = field(default_factory=dict)

    def of(self, topic_arn: str) -> Aws:
        """Connect; no call is made."""
        options = publisher(topic_arn, self.targets)
        if options is None:
            options = self.targets[0]
            told = "no --assume-role is of the account of %s: messages go there by %s"
            logger.warning(told, topic_arn, options.assume_role)
        key = Arn.parse(topic_arn).region, options.assume_role
        if key not in self._made:
            made = connect(key[0], options.profile, _SENDERS, options.assume_role)
            self.ledgers.append(made.ledger)
            self._made[key] = made
        return self._made[key]

    def bill(self, mirror: Follower) -> None:
        """Enter what messages have cost into the account book of the watch."""
        for each in self.ledgers:
            calls, cost_usd = each.settle()
            if calls:
                mirror.ledger.enter(calls, cost_usd)

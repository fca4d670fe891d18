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
from mlflow_smwatch.alerts.messenger import GRACE_S, Messenger
from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.session import Aws, connect
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
    """

    observer: Observer
    listener: Listener
    ledgers: Sequence[Ledger]

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
    options: SyncOptions,
    say: Callable[[Alert], None],
) -> Iterator[Alerts]:
    """Judge rules in a block; at its end deliver what waits, for a few seconds at most.

    Parameters
    ----------
    rules
        At least one.
    whom
        Name of a rule → whom it tells.
    options
        Which store, and with which credentials to publish.
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
    clients = _Clients(options)
    addresses = [one for some in whom.values() for one in some]
    messenger = Messenger(channels(addresses, clients.of))
    evaluator = Evaluator(
        rules,
        whom,
        messenger=messenger,
        marks=RunMarks(options.tracking_uri),
        say=say,
        clock_ms=lambda: time.time_ns() // 1_000_000,
    )
    listener = together(Listener(begins=clients.bill), evaluator.listener)
    try:
        yield Alerts(observer=evaluator.observe, listener=listener, ledgers=clients.ledgers)
    finally:
        lost = messenger.close(GRACE_S)
        if lost:
            logger.warning("%d messages could not be delivered before the end", lost)


@dataclass(slots=True)
class _Clients:
    """Clients of the Regions of topics, with the credentials of the mirror."""

    options: SyncOptions
    ledgers: list[Ledger] = field(default_factory=list)

    def of(self, region: str) -> Aws:
        """Connect; no call is made."""
        made = connect(region, self.options.profile, _SENDERS, self.options.assume_role)
        self.ledgers.append(made.ledger)
        return made

    def bill(self, mirror: Follower) -> None:
        """Enter what messages have cost into the account book of the watch."""
        for each in self.ledgers:
            calls, cost_usd = each.settle()
            if calls:
                mirror.ledger.enter(calls, cost_usd)

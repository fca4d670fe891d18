"""Addresses → what takes messages there: apprise, imported where a URL of its is given, or SNS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.alerts.messenger import Channel
from mlflow_smwatch.aws.notifications import publish
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import RetriableError, UsageError
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import Address

_TYPES: Mapping[str, str] = {
    "ALARM": "FAILURE",
    "STILL": "WARNING",
    "OK": "SUCCESS",
    "ENDED": "WARNING",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of SNS.

    Attributes
    ----------
    aws
        Clients of its Region.
    arn
        The topic.
    """

    aws: Aws
    arn: str

    def send(self, alert: Alert) -> None:
        """Publish a message."""
        publish(self.aws, self.arn, alert.title, f"{alert.title}\n{alert.text}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One URL of apprise's.

    Attributes
    ----------
    plugin
        apprise's object for it, called from one thread alone.
    types
        apprise's ``NotifyType``.
    shown
        What may be shown of the URL.
    """

    plugin: Any
    types: Any
    shown: str

    def send(self, alert: Alert) -> None:
        """Notify; apprise waits some seconds for a service, and tells no reason."""
        kind = getattr(self.types, _TYPES[alert.word])
        if not self.plugin.notify(body=alert.text, title=alert.title, notify_type=kind):
            message = "it cannot be reached, or refuses the message"
            raise RetriableError(message)


def channels(addresses: Iterable[Address], connect: Callable[[str], Aws]) -> dict[Address, Channel]:
    """Make what takes messages to addresses; nothing is sent yet.

    Parameters
    ----------
    addresses
        Where to.
    connect
        Gives the clients of a Region.

    Returns
    -------
    dict
        Address → channel.

    Raises
    ------
    UsageError
        When apprise is missing, or does not understand a URL.
    """
    clients: dict[str, Aws] = {}
    made: dict[Address, Channel] = {}
    for address in dict.fromkeys(addresses):
        if address.region is None:
            made[address] = _service(address)
            continue
        if address.region not in clients:
            clients[address.region] = connect(address.region)
        made[address] = Topic(aws=clients[address.region], arn=address.url)
    return made


def _service(address: Address) -> Service:
    try:
        import apprise
    except ImportError as error:
        message = f"notifications to {address.shown} need: pip install 'mlflow-smwatch[alerts]'"
        raise UsageError(message) from error
    logging.getLogger("apprise").disabled = True  # it logs what it sends, and where to
    plugin = apprise.Apprise.instantiate(address.url)
    if plugin is None:
        message = f"notify: apprise does not understand a URL that begins with {address.shown}"
        raise UsageError(message)
    return Service(plugin=plugin, types=apprise.NotifyType, shown=address.shown)

"""Addresses → what takes messages there: apprise, imported where a URL of its is given, or SNS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.alerts.messenger import Channel
from mlflow_smwatch.alerts.plain_text import HTML, plain
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
        Clients of its Region, with credentials that may publish.
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
        language = self._language()
        blended = self.plugin.title_maxlen <= 0  # the title stands in the body then
        taken = self.plugin.notify(
            body=plain(alert.text, language),
            title=plain(alert.title, language if blended else ""),
            notify_type=getattr(self.types, _TYPES[alert.word]),
            body_format=None if language == HTML else language,
        )
        if not taken:
            message = "it cannot be reached, or refuses the message"
            raise RetriableError(message)

    def _language(self) -> str:
        """Tell what the service will read a text as; before apprise 2 there is no choice."""
        resolve = getattr(self.plugin, "resolve_format", None)
        found = resolve("text") if resolve else self.plugin.notify_format
        return str(getattr(found, "value", found))


def channels(addresses: Iterable[Address], connect: Callable[[str], Aws]) -> dict[Address, Channel]:
    """Make what takes messages to addresses; nothing is sent yet.

    Parameters
    ----------
    addresses
        Where to.
    connect
        Gives the clients for a topic, by its ARN.

    Returns
    -------
    dict
        Address → channel.

    Raises
    ------
    UsageError
        When apprise is missing, or does not understand a URL.
    """
    return {
        each: _service(each) if each.region is None else Topic(aws=connect(each.url), arn=each.url)
        for each in dict.fromkeys(addresses)
    }


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

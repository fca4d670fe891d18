"""``[notify]``: whom rules tell. Addresses are secrets: messages show no more than their scheme."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.rules import Rule

SNS = "sns"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://.")
_TOPIC = re.compile(
    r"(?:sns:(?://)?)?(arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where messages go.

    Attributes
    ----------
    url
        As apprise takes it; a secret. Of a topic of SNS, its ARN.
    scheme
        What may be shown of it.
    region
        Of a topic; None for what is none.
    """

    url: str = field(repr=False)
    scheme: str
    region: str | None = None

    @property
    def shown(self) -> str:
        """How messages name it: a topic by its ARN, all else by the scheme alone."""
        return self.url if self.region else f"{self.scheme}://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One name of ``[notify]``.

    Attributes
    ----------
    name
        By which rules name it.
    addresses
        Where its messages go.
    """

    name: str
    addresses: tuple[Address, ...]


def read_address(where: str, url: str) -> Address:
    """Read an address: a URL of apprise's, or a topic of SNS.

    Parameters
    ----------
    where
        What gave it, for messages.
    url
        ``slack://…``, ``mailto://…``; ``arn:aws:sns:REGION:ACCOUNT:TOPIC``, with or without
        ``sns:`` before it.

    Raises
    ------
    UsageError
        When it is neither; the message does not show it.
    """
    topic = _TOPIC.fullmatch(url)
    if topic:
        return Address(url=topic[1], scheme=SNS, region=topic[2])
    scheme = _SCHEME.match(url)
    if scheme is None or url.startswith("sns://arn:"):
        message = f"{where}: give a URL such as slack://… or the ARN of an SNS topic"
        raise UsageError(message)
    return Address(url=url, scheme=scheme[1].lower())


def read_targets(where: str, table: object) -> tuple[Target, ...]:
    """Read the table ``[notify]`` of a configuration file.

    Parameters
    ----------
    where
        The file, for messages.
    table
        Name → address, or list of addresses.

    Raises
    ------
    UsageError
        When it cannot be understood.
    """
    targets = []
    for name, value in (table if isinstance(table, dict) else {}).items():
        here = f"{where}: [notify] {name}"
        urls = [value] if isinstance(value, str) else value
        if not isinstance(urls, list) or not urls or not all(isinstance(u, str) for u in urls):
            message = f"{here}: give a URL or a list of URLs"
            raise UsageError(message)
        addresses = dict.fromkeys(read_address(here, url) for url in urls)
        targets.append(Target(name=name, addresses=tuple(addresses)))
    return tuple(targets)


def require_targets(where: str, rules: Iterable[Rule], targets: Iterable[Target]) -> None:
    """Check that rules name targets that are there.

    Raises
    ------
    UsageError
        When one does not.
    """
    names = {each.name for each in targets}
    for rule in rules:
        for name in rule.notify:
            if name not in names:
                choice = ", ".join(sorted(names)) or "none is there"
                message = f"{where}: rule {rule.name}: notify: {name} is not in [notify] ({choice})"
                raise UsageError(message)


def told(
    rules: Iterable[Rule], targets: Iterable[Target], given: Sequence[str]
) -> Mapping[str, tuple[Address, ...]]:
    """Say whom each rule tells.

    Parameters
    ----------
    rules
        The rules.
    targets
        Of ``[notify]``.
    given
        URLs of ``--notify``, for the rules that name nobody.

    Returns
    -------
    Mapping
        Name of the rule → addresses, each once; may be empty.

    Raises
    ------
    UsageError
        When a URL cannot be understood.
    """
    named = {each.name: each.addresses for each in targets}
    default = tuple(dict.fromkeys(read_address("--notify", url) for url in given))
    return {
        rule.name: tuple(dict.fromkeys(one for name in rule.notify for one in named[name]))
        or default
        for rule in rules
    }


def topics(addresses: Iterable[tuple[Address, ...]]) -> tuple[str, ...]:
    """Give the ARNs of the topics among addresses, each once."""
    return tuple(dict.fromkeys(one.url for some in addresses for one in some if one.region))

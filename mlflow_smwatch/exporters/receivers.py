"""How it stands with whom the mirror sends things to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """One receiver, at one moment.

    Attributes
    ----------
    receiver
        What it is called: ``otlp metrics``.
    reachable
        Whether it took what it was sent last; True before that.
    sent, waiting, dropped
        How many points, events or messages it took, are still to be sent, and will never be.
    """

    receiver: str
    reachable: bool
    sent: int
    waiting: int
    dropped: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` and the status file have it."""
        return asdict(self)


class Receiver(Protocol):
    """Whatever things are sent to."""

    @property
    def state(self) -> ReceiverState:
        """How it stands now."""

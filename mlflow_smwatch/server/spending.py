"""AWS calls and what they cost: since the start, and day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

DAYS_KEPT = 31


class Book(Protocol):
    """What is needed of :class:`mlflow_smwatch.aws.ledger.Ledger`."""

    @property
    def calls(self) -> Counter[str]:
        """IAM action → number of calls."""

    @property
    def cost_usd(self) -> float:
        """What they cost."""


class Spending:
    """The account of one watch, over all its connections; earlier days are taken over.

    Parameters
    ----------
    earlier
        The document of an earlier watch.
    """

    def __init__(self, earlier: Mapping[str, Any]) -> None:
        self.calls: Counter[str] = Counter()
        self.cost_usd = 0.0
        self._days = _days_of(earlier)
        self._book: Book | None = None
        self._entered: tuple[Counter[str], float] = (Counter(), 0.0)

    def follow(self, book: Book) -> None:
        """Go on with the ledger of the connection that is in use now."""
        if book is not self._book:
            self._book, self._entered = book, (Counter(), 0.0)

    def enter(self, day: str) -> bool:
        """Enter what was spent since the last time, and tell whether anything was.

        Parameters
        ----------
        day
            The day of now, UTC: ``2026-11-21``.
        """
        if self._book is None:
            return False
        now = (Counter(self._book.calls), self._book.cost_usd)
        calls, cost_usd = now[0] - self._entered[0], now[1] - self._entered[1]
        self._entered = now
        self.calls += calls
        self.cost_usd += cost_usd
        if calls or cost_usd:
            of_day = self._days.get(day, (Counter(), 0.0))
            self._days[day] = (of_day[0] + calls, of_day[1] + cost_usd)
        return bool(calls)

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the document: since the start, and the days, the latest first."""
        latest = sorted(self._days, reverse=True)[:DAYS_KEPT]
        return {
            "aws_calls": dict(sorted(self.calls.items())),
            "estimated_cost_usd": round(self.cost_usd, 6),
            "days": [
                {
                    "day": day,
                    "aws_calls": dict(sorted(self._days[day][0].items())),
                    "estimated_cost_usd": round(self._days[day][1], 6),
                }
                for day in latest
            ],
        }


def _days_of(document: Mapping[str, Any]) -> dict[str, tuple[Counter[str], float]]:
    """Read the days of a document that this program wrote, perhaps in another version."""
    try:
        return {
            str(each["day"]): (
                Counter({str(name): int(count) for name, count in each["aws_calls"].items()}),
                float(each["estimated_cost_usd"]),
            )
            for each in document.get("days", ())
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}

"""What a watch comes to, day by day: a line on stderr when a day is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from mlflow_smwatch.cli.diagnostics import Diagnostics
from mlflow_smwatch.server.spending import Spending

if TYPE_CHECKING:
    from mlflow_smwatch.engine.following import Follower


def _today() -> str:
    return datetime.now(tz=timezone.utc).date().isoformat()


class DayCosts:
    """The account of a watch by days, UTC.

    Parameters
    ----------
    say
        Says what a day came to.
    today
        Tells the day, such as ``2026-11-21``.
    """

    def __init__(self, say: Diagnostics, today: Callable[[], str] = _today) -> None:
        self._say = say
        self._today = today
        self._spending = Spending({})
        self._day = today()

    @property
    def days(self) -> list[dict[str, Any]]:
        """Each day's calls and price by now, the latest first."""
        self._spending.enter(self._today())
        days: list[dict[str, Any]] = self._spending.to_dict()["days"]
        return days

    def begins(self, mirror: Follower) -> None:
        """Go on with the account book of a mirror."""
        self._spending.follow(mirror.ledger)

    def passed(self) -> None:
        """Enter what was spent; where a day is over, say what it came to."""
        today, days = self._today(), self.days
        if today != self._day:
            self._tell(days)
            self._day = today

    def _tell(self, days: list[dict[str, Any]]) -> None:
        for each in days:
            if each["day"] == self._day:
                calls, usd = sum(each["aws_calls"].values()), each["estimated_cost_usd"]
                self._say.note(
                    f"{self._day}: {calls:,} AWS calls, about {usd:.4f} USD",
                    day=self._day,
                    aws_calls=calls,
                    estimated_cost_usd=usd,
                )

"""What a pass may spend: AWS calls and dollars, checked before each call is sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from mlflow_smwatch.core.errors import LimitReachedError

_ROUNDING_USD = 1e-12


@dataclass
class Budget:
    """What is left of what a pass may spend; shared by all that spend of it.

    Parameters
    ----------
    max_calls, max_cost
        The limits: HTTP requests, retries included, and USD; None for none.
    """

    max_calls: int | None = None
    max_cost: float | None = None
    _calls: int = 0
    _cost_usd: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.max_calls is not None or self.max_cost is not None

    @property
    def left(self) -> float:
        """What is left of the limit that is nearer, as a part of it: from 0 to 1."""
        parts = [1.0]
        if self.max_calls is not None:
            parts.append(1 - self._calls / self.max_calls)
        if self.max_cost is not None:
            parts.append(1 - self._cost_usd / self.max_cost if self.max_cost else 0.0)
        return max(0.0, min(parts))

    def spend(self, cost_usd: float) -> None:
        """Take one call of some price.

        Raises
        ------
        LimitReachedError
            When that would exceed a limit; nothing is taken then.
        """
        with self._lock:
            if self.max_calls is not None and self._calls + 1 > self.max_calls:
                raise LimitReachedError(_said(f"--max-calls {self.max_calls}"))
            after = self._cost_usd + cost_usd
            if cost_usd and self.max_cost is not None and after > self.max_cost + _ROUNDING_USD:
                raise LimitReachedError(_said(f"--max-cost {self.max_cost:g}"))
            self._calls, self._cost_usd = self._calls + 1, after


def _said(limit: str) -> str:
    return f"{limit} reached"

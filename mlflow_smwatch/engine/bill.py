"""What one pass has called, and what that costs."""

from __future__ import annotations

from collections import Counter

from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.engine.books import Listener
from mlflow_smwatch.report import SyncReport


class Bill:
    """What one pass has called, from now on.

    Parameters
    ----------
    ledger
        What all passes have called.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._calls, self._cost_usd = Counter(ledger.calls), ledger.cost_usd

    def enter(self, report: SyncReport) -> None:
        """Enter it into the report of the pass."""
        report.aws_calls = dict(Counter(self._ledger.calls) - self._calls)
        report.estimated_cost_usd = self._ledger.cost_usd - self._cost_usd

    def telling(self, listener: Listener | None) -> Listener:
        """Return a listener that hears the bill so far too."""

        def tell(report: SyncReport) -> None:
            if listener is not None:
                self.enter(report)
                listener(report)

        return tell

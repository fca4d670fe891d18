"""The account books of several connections: totals never go back."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from mlflow_smwatch.engine.targets import Ledgers


class Read:
    """A ledger whose totals are read while it is closed."""

    def __init__(self, ledgers: Ledgers) -> None:
        self.seen: list[Counter[str]] = []
        self.reader = threading.Thread(target=lambda: self.seen.append(ledgers.calls))
        self.armed = False
        self.throttled = Counter({"a": 1})

    @property
    def calls(self) -> Counter[str]:
        """Let somebody else read all of it at this moment."""
        if self.armed:
            self.armed = False
            self.reader.start()
            self.reader.join(0.3)
        return Counter({"a": 5})

    @property
    def cost_usd(self) -> float:
        """What they cost."""
        return 0.5


def test_a_scrape_while_a_connection_is_closed() -> None:
    """It is counted once: as open, or as closed."""
    ledgers = Ledgers()
    ledger: Any = Read(ledgers)
    ledgers.open(ledger)
    assert ledgers.calls == {"a": 5}
    ledger.armed = True
    ledgers.close(ledger)
    ledger.reader.join()
    assert ledger.seen == [Counter({"a": 5})]
    assert (ledgers.calls, ledgers.throttled, ledgers.cost_usd) == ({"a": 5}, {"a": 1}, 0.5)

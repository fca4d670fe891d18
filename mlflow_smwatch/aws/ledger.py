"""Counts, prices and paces every AWS call of one process.

The ledger listens to botocore's own events, so that a retry is a call like any other and no caller
can forget it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch.aws.operations import (
    DATAPOINTS_PER_SECOND,
    GET_METRIC_DATA,
    OPERATIONS,
    RECENT_DATAPOINTS_PER_SECOND,
)

logger = logging.getLogger(__name__)

_IAM_PREFIX = {"cloudwatch-logs": "logs"}


@dataclass
class Pacer:
    """Spaces out the spending of one quota.

    Parameters
    ----------
    rate
        Units a second.
    clock
        Monotonic seconds.
    sleep
        Waits for a number of seconds.
    burst
        Units that may be spent at once, ahead of the rate.
    """

    rate: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    burst: float = 0.0
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, units: float = 1.0) -> None:
        """Wait until the quota has room, then take that many units of it."""
        with self._lock:
            now = self.clock()
            start = max(now, self._free_at)
            self._free_at = start + units / self.rate
        wait_s = start - self.burst / self.rate - now
        if wait_s > 0:
            self.sleep(wait_s)


class Ledger:
    """The account book of all AWS calls.

    Parameters
    ----------
    region
        Where the calls go: some quotas depend on it.

    Attributes
    ----------
    calls
        IAM action → number of HTTP requests, retries included.
    cost_usd
        Estimated price of the calls so far.
    """

    def __init__(self, region: str) -> None:
        self.calls: Counter[str] = Counter()
        self.cost_usd = 0.0
        self._pacers = {
            action: Pacer(each.rate_in(region), burst=each.burst)
            for action, each in OPERATIONS.items()
        }
        self._datapoints = Pacer(DATAPOINTS_PER_SECOND)
        self._lock = threading.Lock()

    def attach(self, client: Any) -> None:
        """Follow a boto3 client from now on."""
        client.meta.events.register("before-send", self._before_send)

    def spend_datapoints(self, count: int, *, recent: bool) -> None:
        """Wait until CloudWatch's datapoint quota has room for a request.

        Parameters
        ----------
        count
            What the quota counts: window ÷ period × series.
        recent
            Whether the window begins within the last three hours, where the quota is smaller.
        """
        weight = DATAPOINTS_PER_SECOND / RECENT_DATAPOINTS_PER_SECOND if recent else 1
        self._datapoints.spend(count * weight)

    def count(self, action: str, calls: int = 1) -> None:
        """Enter calls of one operation, and their price."""
        with self._lock:
            self.calls[action] += calls
            if action in OPERATIONS:
                self.cost_usd += calls * OPERATIONS[action].price_per_call_usd

    def charge_metrics(self, metrics: int) -> None:
        """Enter the price of metrics that a ``GetMetricData`` call asks for."""
        with self._lock:
            self.cost_usd += metrics * OPERATIONS[GET_METRIC_DATA].price_per_metric_usd

    def _before_send(self, event_name: str, **_: object) -> None:
        service, operation = event_name.split(".")[1:]
        action = f"{_IAM_PREFIX.get(service, service)}:{operation}"
        if action in self._pacers:
            self._pacers[action].spend()
        self.count(action)
        logger.debug("AWS call %s", action)

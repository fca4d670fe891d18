"""Counts, prices and paces every AWS call of one process.

The ledger listens to botocore's own events, so that a retry is a call like any other and no caller
can forget it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.operations import (
    DATAPOINT_RATE,
    DATAPOINTS_PER_SECOND,
    GET_METRIC_DATA,
    OPERATIONS,
    RECENT_DATAPOINTS_PER_SECOND,
)

logger = logging.getLogger(__name__)

_ATTEMPT = re.compile(r"\battempt=(\d+)")
_IAM_PREFIX = {"cloudwatch-logs": "logs"}
_FINDING = "sagemaker:"
_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes that botocore takes for throttling."""

_COORDINATOR_FINDS = 0.8
_COORDINATOR_READS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RateShare:
    """The part of an account's rates that one of several processes may spend.

    Attributes
    ----------
    finding
        Of SageMaker's own operations, which find and describe jobs: from 0 to 1.
    reading
        Of all others, which read metrics and logs, and of CloudWatch's datapoints.
    """

    finding: float = 1.0
    reading: float = 1.0

    @classmethod
    def of_coordinator(cls) -> RateShare:
        """Give the share of the process that finds jobs for others, and reads what they do not."""
        return cls(finding=_COORDINATOR_FINDS, reading=_COORDINATOR_READS)

    @classmethod
    def of_reader(cls, readers: int) -> RateShare:
        """Give the share of each of a number that read jobs; with the other, all make one."""
        return cls(
            finding=(1 - _COORDINATOR_FINDS) / readers, reading=(1 - _COORDINATOR_READS) / readers
        )

    def of(self, action: str) -> float:
        """Tell the part of one operation's rate."""
        return self.finding if action.startswith(_FINDING) else self.reading


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

    def change(self, rate: float, burst: float) -> None:
        """Go on at another rate; what was spent stays spent."""
        with self._lock:
            self.rate, self.burst = rate, burst

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
    throttled
        IAM action → how many of them AWS throttled.
    cost_usd
        Estimated price of the calls so far.
    budget
        What may be spent at present: each call is checked against it before it is sent.
    """

    def __init__(self, region: str) -> None:
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.cost_usd = 0.0
        self.budget = Budget()
        self._per_call = {name: each.price_per_call_usd for name, each in OPERATIONS.items()}
        self._per_metric = OPERATIONS[GET_METRIC_DATA].price_per_metric_usd
        self._asked = threading.local()
        self._pacers = {
            action: Pacer(each.rate_in(region), burst=each.burst)
            for action, each in OPERATIONS.items()
        }
        self._datapoints = Pacer(DATAPOINT_RATE)
        self._lock = threading.Lock()
        self._region = region

    def share(self, share: RateShare) -> None:
        """Spend no more than a part of each rate from now on; the rest is other processes'."""
        for action, each in OPERATIONS.items():
            part = share.of(action)
            self._pacers[action].change(each.rate_in(self._region) * part, each.burst * part)
        self._datapoints.change(DATAPOINT_RATE * share.reading, 0.0)

    def reprice(self, calls: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        """Take other prices from now on.

        Parameters
        ----------
        calls, metrics
            IAM action → USD for a call, and for each metric that it asks for.
        """
        self._per_call |= calls
        self._per_metric = metrics.get(GET_METRIC_DATA, self._per_metric)

    @contextmanager
    def within(self, budget: Budget) -> Iterator[None]:
        """Let the calls of a block, whichever thread makes them, spend no more than a budget."""
        before, self.budget = self.budget, budget
        try:
            yield
        finally:
            self.budget = before

    def attach(self, client: Any) -> None:
        """Follow a boto3 client from now on."""
        client.meta.events.register("before-send", self._before_send)
        client.meta.events.register("response-received", self._response_received)

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
            self.cost_usd += calls * self._per_call.get(action, 0.0)

    def settle(self) -> tuple[dict[str, int], float]:
        """Close the books and begin new ones: give the calls so far, and their price in USD."""
        with self._lock:
            closed = dict(self.calls), self.cost_usd
            self.calls.clear()
            self.cost_usd = 0.0
        return closed

    def enter(self, calls: Mapping[str, int], cost_usd: float) -> None:
        """Enter what another process spent."""
        with self._lock:
            self.calls.update(calls)
            self.cost_usd += cost_usd

    def charge_metrics(self, metrics: int) -> None:
        """Enter the price of metrics that a ``GetMetricData`` call asks for."""
        with self._lock:
            self.cost_usd += metrics * self._per_metric

    def announce_metrics(self, metrics: int) -> None:
        """Tell how many metrics the ``GetMetricData`` calls of this thread ask for from now on.

        They are charged when such a call is sent; where botocore sends it again, not again.
        """
        self._asked.metrics = metrics

    def _before_send(self, event_name: str, request: Any = None, **_: object) -> None:
        action = _action(event_name)
        asked = action == GET_METRIC_DATA and not _is_retry(request)
        metrics = getattr(self._asked, "metrics", 0) if asked else 0
        self.budget.spend(self._per_call.get(action, 0.0) + metrics * self._per_metric)
        self.charge_metrics(metrics)
        self.count(action)
        if action in self._pacers:
            self._pacers[action].spend()
        logger.debug("AWS call %s", action)

    def _response_received(
        self, event_name: str, parsed_response: Mapping[str, Any] | None = None, **_: object
    ) -> None:
        if (parsed_response or {}).get("Error", {}).get("Code") in _THROTTLING:
            with self._lock:
                self.throttled[_action(event_name)] += 1


def _action(event_name: str) -> str:
    """Name the IAM action of an event of botocore's."""
    service, operation = event_name.split(".")[1:]
    return f"{_IAM_PREFIX.get(service, service)}:{operation}"


def _is_retry(request: Any) -> bool:
    """Whether botocore sends a request again; it numbers its attempts in a header."""
    header = request.headers.get("amz-sdk-request", "") if request is not None else ""
    attempt = _ATTEMPT.search(header.decode() if isinstance(header, bytes) else str(header))
    return attempt is not None and int(attempt[1]) > 1

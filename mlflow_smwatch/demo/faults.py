"""Faults on purpose: what AWS does on bad days, by operation name such as ``sagemaker:Search``."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from mlflow_smwatch.demo.breakages import BREAKAGES, Breakage
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.signatures import Sent, Signatures

_T = TypeVar("_T")

IDENTITY = "arn:aws:sts::123456789012:assumed-role/emulated/session"

TOKEN_ERRORS = {
    "logs": AwsError("InvalidParameterException", "The specified nextToken is expired."),
    "cloudwatch": AwsError("InvalidNextToken", "The given token has expired."),
}
TOKEN_ERROR = AwsError("ValidationException", "The NextToken has expired.")

NOTHING = Sent()


class Schedule(Protocol):
    """Decides beforehand how requests fail."""

    def fault(self, operation: str, number: int) -> AwsError | Breakage | None:
        """Tell how the nth request of an operation fails, from 0; None if it does not."""


@dataclass(slots=True)
class _Failure:
    fault: AwsError | Breakage
    left: int | None


class _Bucket:
    """A token bucket on real time, full at first."""

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second = per_second
        self.burst = burst
        self.tokens = burst
        self.filled = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.per_second)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Faults:
    """What goes wrong in the account until :meth:`clear`.

    Operations are named ``service:Operation``; a ``*`` matches anything (``logs:*``).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._denied: set[str] = set()
            self._failures: dict[str, list[_Failure]] = {}
            self._page_sizes: dict[str, int] = {}
            self._empty_pages: set[str] = set()
            self._rates: dict[str, _Bucket] = {}
            self._known_ends: dict[str, int | None] = {}
            self._dead_tokens: dict[str, int] = {}
            self._schedule: Schedule | None = None
            self._scheduled: Counter[str] = Counter()
            self._signatures = Signatures()
            self._hidden: dict[str, tuple[str, ...]] = {}
            self._frozen: set[str] = set()

    def deny(self, operation: str) -> None:
        """Refuse an operation, as IAM does when the caller lacks the permission."""
        with self._lock:
            self._denied.add(operation)

    def allow(self, operation: str) -> None:
        """Take :meth:`deny` back."""
        with self._lock:
            self._denied.discard(operation)

    def fail(
        self,
        operation: str,
        *,
        times: int | None = 1,
        code: str | None = "ThrottlingException",
        status: int = 400,
        message: str | None = None,
    ) -> None:
        """Let the next requests of an operation fail.

        Parameters
        ----------
        operation
            Name or pattern.
        times
            How many requests; None for all until :meth:`clear`.
        code
            AWS error code; None resets the connection; a word of :data:`.BREAKAGES` breaks the
            true answer.
        status
            HTTP status of the error.
        message
            Of the error; None for a usual one.
        """
        fault: AwsError | Breakage
        if code is None:
            fault = Breakage.RESET
        else:
            fault = BREAKAGES.get(code) or AwsError(code, message or _message_of(code), status)
        with self._lock:
            self._failures.setdefault(operation, []).append(_Failure(fault, times))

    def page_size(self, operation: str, size: int) -> None:
        """Answer with smaller pages than asked for (GetMetricData: points a page)."""
        with self._lock:
            self._page_sizes[operation] = size

    def empty_pages(self, operation: str) -> None:
        """Put an empty page with a token before each page."""
        with self._lock:
            self._empty_pages.add(operation)

    def rate(self, operation: str, *, per_second: float) -> None:
        """Throttle beyond a rate; the burst is the rate of one second, at least 1."""
        with self._lock:
            self._rates[operation] = _Bucket(per_second, max(1.0, per_second))

    def follow(self, schedule: Schedule) -> None:
        """Let requests fail as a schedule says, counted from now."""
        with self._lock:
            self._schedule = schedule
            self._scheduled.clear()

    def expire_tokens(self, operation: str, *, times: int = 1) -> None:
        """Refuse the tokens of the next requests for a further page, each service in its words."""
        with self._lock:
            self._dead_tokens[operation] = times

    def expire_keys(self, pattern: str = "*", *, after: int = 0) -> None:
        """Let credentials expire after a number of requests; others then are taken.

        Parameters
        ----------
        pattern
            Of access keys.
        after
            Requests with such keys that are still served.
        """
        with self._lock:
            self._signatures.expire(pattern, after)

    def skew_clock(self, by: timedelta) -> None:
        """Set AWS's clock ahead, or back: signatures of another time are refused."""
        with self._lock:
            self._signatures.skew = by

    def hide(self, operation: str, *names: str) -> None:
        """Let an operation not know records yet whose names match any of some patterns."""
        with self._lock:
            self._hidden[operation] = names

    def freeze(self, operation: str) -> None:
        """Let an operation show records as they are at its next request; changes stay unseen."""
        with self._lock:
            self._frozen.add(operation)

    def is_frozen(self, operation: str) -> bool:
        """Tell whether an operation shows old records."""
        return operation in self._frozen

    def hides(self, operation: str) -> bool:
        """Tell whether an operation may lack records."""
        return operation in self._hidden

    def is_hidden(self, operation: str, name: str) -> bool:
        """Tell whether an operation does not know a record yet."""
        names = self._hidden.get(operation, ())
        return any(fnmatchcase(name, pattern) for pattern in names)

    def lag_last_events(self, streams: str, known_ms: int | None = None) -> None:
        """Let DescribeLogStreams know an earlier last event of log streams, as AWS may for hours.

        Parameters
        ----------
        streams
            Name or pattern.
        known_ms
            Timestamp that it knows, milliseconds since the epoch; None for none at all.
        """
        with self._lock:
            self._known_ends[streams] = known_ms

    def known_last_event(self, stream: str, last_ms: int | None) -> int | None:
        """Tell which last event of a log stream is known."""
        return next(iter(_matching(self._known_ends, stream)), last_ms)

    def page_limit(self, operation: str, size: int) -> int:
        """Give the size of a page: what was asked for, or less."""
        return min([size, *_matching(self._page_sizes, operation)])

    def has_empty_pages(self, operation: str) -> bool:
        """Tell whether pages of the operation are preceded by empty ones."""
        return any(fnmatchcase(operation, pattern) for pattern in self._empty_pages)

    def next_fault(self, operation: str, sent: Sent = NOTHING) -> AwsError | Breakage | None:
        """Decide how one request fails, if it does; counts the request.

        Parameters
        ----------
        operation
            Its name.
        sent
            What it shows besides.
        """
        with self._lock:
            if any(not bucket.take() for bucket in _matching(self._rates, operation)):
                return AwsError("ThrottlingException", "Rate exceeded")
            refused = self._signatures.refusal(sent) or self._dead_token(operation, sent)
            if refused is not None:
                return refused
            if any(fnmatchcase(operation, pattern) for pattern in self._denied):
                return _denial(operation)
            return self._next_failure(operation) or self._next_scheduled(operation)

    def _dead_token(self, operation: str, sent: Sent) -> AwsError | None:
        for pattern, left in self._dead_tokens.items():
            if sent.leads_on and left > 0 and fnmatchcase(operation, pattern):
                self._dead_tokens[pattern] = left - 1
                return TOKEN_ERRORS.get(operation.partition(":")[0], TOKEN_ERROR)
        return None

    def _next_scheduled(self, operation: str) -> AwsError | Breakage | None:
        if self._schedule is None:
            return None
        number = self._scheduled[operation]
        self._scheduled[operation] += 1
        return self._schedule.fault(operation, number)

    def _next_failure(self, operation: str) -> AwsError | Breakage | None:
        for failures in _matching(self._failures, operation):
            for failure in failures:
                if failure.left is None:
                    return failure.fault
                if failure.left > 0:
                    failure.left -= 1
                    return failure.fault
        return None


def _matching(table: dict[str, _T], operation: str) -> list[_T]:
    return [value for pattern, value in table.items() if fnmatchcase(operation, pattern)]


def _denial(operation: str) -> AwsError:
    message = (
        f"User: {IDENTITY} is not authorized to perform: {operation} because no "
        f"identity-based policy allows the {operation} action"
    )
    return AwsError("AccessDeniedException", message)


MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "Throttling": "Rate exceeded",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "InvalidSignatureException": "The request signature we calculated does not match.",
}


def _message_of(code: str) -> str:
    return MESSAGES.get(code, "The request failed because of an injected fault.")

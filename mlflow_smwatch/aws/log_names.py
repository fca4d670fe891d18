"""The log streams of many jobs whose names begin alike, from one listing by name, 50 a call.

Unlike the time of a stream's last event, its name is there from the beginning: what such a listing
has gone past is all there is.
"""

from __future__ import annotations

import os.path
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch.aws.log_listing import (
    STREAMS_KEPT,
    STREAMS_PER_PAGE,
    WORTHWHILE,
    CallAllowance,
    log_stream,
)
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import SmwatchError, StopError
from mlflow_smwatch.core.log_streams import LogStream

_FRESH_MS = 10 * 60_000
"""For how long a listing may be used, so that streams which come late are found as by name."""

_AFTER_SLASH = chr(ord("/") + 1)


@dataclass(slots=True)
class _Listing:
    """The streams below a prefix, in the order of their names, as far as they were listed."""

    prefix: str
    begun_ms: int
    token: str | None = None
    last: str = ""
    complete: bool = False
    streams: dict[str, list[LogStream]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    kept: int = 0

    def has_passed(self, job: str) -> bool:
        """Whether every stream of a job has been listed."""
        return self.complete or self.last >= job + _AFTER_SLASH

    def serves(self, job: str, ended_ms: int, now_ms: int) -> bool:
        """Whether a job that has ended may be looked for in it."""
        fresh = now_ms - self.begun_ms <= _FRESH_MS
        return job.startswith(self.prefix) and fresh and self.begun_ms >= ended_ms

    def add(self, answer: Mapping[str, Any]) -> None:
        for described in answer["logStreams"]:
            self.last = described["logStreamName"]
            job, slash, _ = self.last.partition("/")
            if slash:
                self.streams.setdefault(job, []).append(log_stream(described, job))
                self.kept += 1
        self.token = answer.get("nextToken")
        self.complete = not self.token

    def take(self, job: str, ended_ms: int) -> tuple[LogStream, ...] | None:
        """Give a job's streams, of which there may be none; None where more have to be looked for.

        They were taken before then, or the first of them may still come.
        """
        late = job not in self.streams and self.begun_ms - ended_ms < _FRESH_MS
        if late or job in self.taken:
            return None
        self.taken.add(job)
        streams = self.streams.pop(job, [])
        self.kept -= len(streams)
        return tuple(streams)


@dataclass(slots=True)
class _Group:
    """A log group: the jobs that are looked for, and its listings, which are under its lock."""

    jobs: frozenset[str]
    listings: list[_Listing] = field(default_factory=list)
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def prefix_for(self, job: str) -> str | None:
        """Give what many jobs' names begin with, this one's among them; None for few."""
        alike = {job, *(each for each in self.jobs if each[:1] == job[:1])}
        if len(alike) < WORTHWHILE:
            return None
        return os.path.commonprefix(sorted(alike))  # noqa: RUF071 - letter by letter is meant


class NamedStreams:
    """Lists the streams of jobs whose names begin alike; may live as long as the process.

    May be used from several threads.

    Parameters
    ----------
    aws
        Account and Region.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._groups: dict[str, _Group] = {}
        self._lock = threading.Lock()

    def prepare(self, group: str, jobs: Collection[str]) -> None:
        """Tell which jobs of a log group are looked for next; no call is made.

        Parameters
        ----------
        group
            Name of the log group.
        jobs
            Names of jobs that have ended, in place of those told before.
        """
        with self._lock:
            known = self._groups.get(group)
            if known is None or known.stopped:
                self._groups[group] = _Group(jobs=frozenset(jobs))
            else:
                known.jobs = frozenset(jobs)

    def find(
        self,
        group: str,
        job: str,
        ended_ms: int,
        allowance: CallAllowance,
        stopped: Callable[[], bool],
    ) -> tuple[LogStream, ...] | None:
        """Take a job's streams out of a listing.

        Parameters
        ----------
        group, job
            Names of the log group and of the job.
        ended_ms
            When the job ended, milliseconds since the epoch.
        allowance
            What may be spent.
        stopped
            Tells, before each page, whether to end early.

        Returns
        -------
        tuple[LogStream, ...] or None
            All streams of the job, in the order of their names; empty where there are none. None
            where they were not reached, were taken before, or may still come.

        Raises
        ------
        StopError
            When nothing more can be done. For any other error there is no listing.
        """
        with self._lock:
            known = self._groups.get(group)
        if known is None:
            return None
        with known.lock:
            listing = None if known.stopped else _listing_for(known, job, ended_ms)
            while listing is not None and not listing.has_passed(job):
                full = sum(each.kept for each in known.listings) >= STREAMS_KEPT
                if full or known.stopped or stopped() or not allowance.spend():
                    return None
                self._turn_page(group, known, listing)
            return None if listing is None else listing.take(job, ended_ms)

    def has_failed(self, group: str) -> bool:
        """Whether AWS refuses to list a group, or goes on failing, since :meth:`prepare`."""
        with self._lock:
            known = self._groups.get(group)
        return known is not None and known.stopped

    def _turn_page(self, group: str, known: _Group, listing: _Listing) -> None:
        request: dict[str, Any] = {
            "logGroupName": group,
            "logStreamNamePrefix": listing.prefix,
            "limit": STREAMS_PER_PAGE,
        }
        if listing.token:
            request["nextToken"] = listing.token
        describe = self._aws.logs.describe_log_streams
        try:
            listing.add(ask(DESCRIBE_LOG_STREAMS, describe, request, "logStreams"))
        except StopError:
            raise
        except SmwatchError:
            known.stopped = True


def _listing_for(known: _Group, job: str, ended_ms: int) -> _Listing | None:
    """Give the listing in which a job is to be looked for; a new one where that is worthwhile."""
    now_ms = int(time.time() * 1000)
    for listing in known.listings:
        if listing.serves(job, ended_ms, now_ms):
            return listing
    prefix = known.prefix_for(job)
    if not prefix:
        return None
    known.listings[:] = [each for each in known.listings if now_ms - each.begun_ms <= _FRESH_MS]
    known.listings.append(_Listing(prefix=prefix, begun_ms=now_ms))
    return known.listings[-1]

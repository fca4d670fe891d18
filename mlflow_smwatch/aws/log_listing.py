"""The log streams of many jobs from one listing: by the time of their last event, 50 a call.

``DescribeLogStreams`` takes no prefix where it orders by ``LastEventTime``, so the listing is of
the whole log group, from the newest event back, and only as far as somebody needs it. It never
proves that there is no stream: times of last events lag behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import InvalidRequestError, SmwatchError, StopError
from mlflow_smwatch.core.log_streams import LogStream

STREAMS_PER_PAGE = 50
WORTHWHILE = 10
"""Fewer jobs than these in a pass are listed one by one."""

STREAMS_KEPT = 50_000
"""Streams in memory that no job has asked for yet: some 25 MB. A listing goes no further."""


@dataclass(slots=True)
class CallAllowance:
    """What a pass may spend on listings: one call for each job that would take one by itself.

    So a pass makes at most twice the calls that it makes without a listing, however many streams of
    others lie between those of its jobs.

    Attributes
    ----------
    jobs
        How many jobs the pass has that may be found in a listing.
    spent
        How many calls it has spent on listings.
    lock
        Held while one is spent.
    """

    jobs: int = 0
    spent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def worthwhile(self) -> bool:
        """Whether there are enough jobs for a listing."""
        return self.jobs >= WORTHWHILE

    @property
    def is_left(self) -> bool:
        """Whether one more call may be spent."""
        return self.worthwhile and self.spent < self.jobs

    def spend(self) -> bool:
        """Take one more call, if it may be spent."""
        with self.lock:
            is_left = self.is_left
            self.spent += is_left
        return is_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a listing shows of one job.

    Attributes
    ----------
    streams
        In the order of their names.
    listed_ms
        When the listing was begun, milliseconds since the epoch.
    """

    streams: tuple[LogStream, ...]
    listed_ms: int


@dataclass(slots=True)
class _Listing:
    """A log group from the newest event back.

    Attributes
    ----------
    begun_ms
        When the first page was asked for, or a little earlier.
    reached_ms
        Every stream whose known last event is later has been listed; None before the first.
    token
        Of the next page; None before the first.
    stopped
        Whether no further page is to be asked for.
    streams
        Job → its streams; without those that were taken.
    kept
        Number of these streams.
    turning
        Held by who looks into it, and asks for the next page; all but ``begun_ms`` is under it.
    """

    begun_ms: int
    reached_ms: int | None = None
    token: str | None = None
    stopped: bool = False
    streams: dict[str, list[LogStream]] = field(default_factory=dict)
    kept: int = 0
    turning: threading.Lock = field(default_factory=threading.Lock)

    def reaches(self, since_ms: int) -> bool:
        return self.reached_ms is not None and self.reached_ms < since_ms

    def add(self, answer: Mapping[str, Any]) -> None:
        for described in answer["logStreams"]:
            job, slash, _ = described["logStreamName"].partition("/")
            stream = log_stream(described, job)
            if slash:
                self.streams.setdefault(job, []).append(stream)
                self.kept += 1
            if stream.last_event_ms is not None:
                self.reached_ms = stream.last_event_ms
        self.token = answer.get("nextToken")
        if not self.token:
            self.reached_ms = -1
        self.stopped = not self.token or self.kept >= STREAMS_KEPT

    def take(self, job: str) -> Listed:
        streams = sorted(self.streams.pop(job, ()), key=lambda each: each.name)
        self.kept -= len(streams)
        return Listed(streams=tuple(streams), listed_ms=self.begun_ms)


class StreamListings:
    """Lists log groups, each once for many jobs; may live as long as the process.

    May be used from several threads: one asks for the next page of a listing, those who look for
    streams of the same group wait for it; nobody else does.

    Parameters
    ----------
    aws
        Account and Region.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._listings: dict[str, _Listing] = {}
        self._lock = threading.Lock()

    def prepare(self, group: str, ended_ms: Collection[int]) -> None:
        """Begin a listing, unless one was begun after most of the jobs have ended.

        No call is made, and none is waited for.

        Parameters
        ----------
        group
            Name of the log group.
        ended_ms
            When the jobs ended that are to be looked for, milliseconds since the epoch.
        """
        with self._lock:
            known = self._listings.get(group)
            newer = sum(each > known.begun_ms for each in ended_ms) if known else 0
            if known is None or newer >= WORTHWHILE:
                self._listings[group] = _Listing(_now_ms())

    def find(
        self,
        group: str,
        job: str,
        since_ms: int,
        allowance: CallAllowance,
        stopped: Callable[[], bool],
    ) -> Listed | None:
        """Take a job's streams out of the listing of its group; each can be taken once.

        Parameters
        ----------
        group, job
            Names of the log group and of the job.
        since_ms
            How far back to look: no stream of the job ends earlier.
        allowance
            What may be spent.
        stopped
            Tells, before each page, whether to end early.

        Returns
        -------
        Listed or None
            What the listing shows; None where it does not go back so far.

        Raises
        ------
        StopError
            When nothing more can be done. For any other error there is no listing.
        """
        while listing := self._listing(group):
            with listing.turning:
                if listing.reaches(since_ms):
                    return listing.take(job)
                if self._listing(group) is not listing:
                    continue
                if listing.stopped or stopped() or not allowance.spend():
                    return None
                self._turn_page(group, listing)
        return None

    def _listing(self, group: str) -> _Listing | None:
        with self._lock:
            return self._listings.get(group)

    def _turn_page(self, group: str, listing: _Listing) -> None:
        request: dict[str, Any] = {
            "logGroupName": group,
            "orderBy": "LastEventTime",
            "descending": True,
            "limit": STREAMS_PER_PAGE,
        }
        if listing.token:
            request["nextToken"] = listing.token
        describe = self._aws.logs.describe_log_streams
        try:
            listing.add(ask(DESCRIBE_LOG_STREAMS, describe, request, "logStreams"))
        except StopError:
            raise
        except SmwatchError as error:
            if isinstance(error, InvalidRequestError) and listing.token:  # dead after 24 hours
                self._begin_anew(group, listing)
            else:
                listing.stopped = True

    def _begin_anew(self, group: str, dead: _Listing) -> None:
        with self._lock:
            if self._listings[group] is dead:
                self._listings[group] = _Listing(_now_ms())


def log_stream(described: Mapping[str, Any], job: str) -> LogStream:
    """Make a stream of what ``DescribeLogStreams`` says of one.

    Parameters
    ----------
    described
        One of ``logStreams``.
    job
        Whose it is; its name and the slash are cut off.
    """
    return LogStream(
        name=described["logStreamName"].removeprefix(f"{job}/"),
        created_ms=described.get("creationTime", 0),
        first_event_ms=described.get("firstEventTimestamp"),
        last_event_ms=described.get("lastEventTimestamp"),
    )


def _now_ms() -> int:
    return int(time.time() * 1000)

"""Logs in any pages, passes and order of hosts: the points and steps are those of one reading."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_smwatch.aws.logs import LogPage, LogReader
from mlflow_smwatch.core.definitions import MetricReader
from mlflow_smwatch.core.job import Job, MetricDefinition
from mlflow_smwatch.core.log_progress import LogPart, advance
from mlflow_smwatch.core.log_streams import START, LogStream, StreamPosition, by_host
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint, metric_keys
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.watermark import Watermark, from_tags, to_tags
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.engine import log_reader
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.host_replay import HostReplay, Stretch, hosts_of_job
from mlflow_smwatch.engine.task import LogReading, Task
from tests.unit.jobs import completed_job

T0 = 1_790_000_100_000
KEYS = {"loss": "loss", "acc": "acc"}


def part(first_step: int, *values: float, original: str = "loss") -> LogPart:
    """Make a stretch of one series that follows so many points; it ends at second ``values``."""
    made = LogPart(steps={original: first_step})
    points = [Point(T0 + round(value), value) for value in values]
    position = StreamPosition(T0 + round(values[-1]), 1) if values else START
    made.add({original: points}, {"algo-1-1": position}, {})
    return made


def told(points: Sequence[MetricPoint]) -> list[tuple[str, int, float]]:
    return [(point.key, point.step, point.value) for point in points]


def test_steps_go_on() -> None:
    """The watermark counts the points, and the first of them chooses the source."""
    points, after = advance(Watermark(made_ms=1), part(0, 1, 2), KEYS, ())
    assert told(points) == [("loss", 0, 1.0), ("loss", 1, 2.0)]
    assert (after.points, after.source) == ({"loss": 2}, "logs")
    assert after.positions == {"algo-1-1": StreamPosition(T0 + 2, 1)}
    points, after = advance(after, part(2, 3), KEYS, ())
    assert told(points) == [("loss", 2, 3.0)]
    assert after.points == {"loss": 3}


def test_a_stretch_without_a_match_chooses_no_source() -> None:
    """It moves the position all the same."""
    stretch = LogPart(steps={})
    stretch.add({}, {"algo-1-1": StreamPosition(T0, 4)}, {"loss": {"not-a-number": 2}})
    points, after = advance(Watermark(made_ms=1), stretch, KEYS, ())
    assert points == []
    assert after.source is None
    assert after.positions == {"algo-1-1": StreamPosition(T0, 4)}
    assert after.findings == {"loss": {"not-a-number": 2}}
    _, after = advance(after, stretch, KEYS, ())
    assert after.findings == {"loss": {"not-a-number": 4}}


def test_what_another_mirror_wrote_meanwhile_is_not_sent() -> None:
    """Both read the same lines, so what is further on in the watermark is there."""
    before = Watermark(made_ms=1, points={"loss": 3}, source="logs")
    points, after = advance(before, part(1, 11, 12, 13, 14), KEYS, ())
    assert told(points) == [("loss", 3, 13.0), ("loss", 4, 14.0)]
    assert after.points == {"loss": 5}
    ahead = Watermark(made_ms=1, points={"loss": 9}, source="logs")
    points, after = advance(ahead, part(1, 11, 12), KEYS, ())
    assert points == []
    assert after.points == {"loss": 9}


def test_positions_never_go_back() -> None:
    """A slower mirror leaves the place of a faster one as it is."""
    before = Watermark(made_ms=1, streams={"algo-1-1": [T0 + 50, 2]})
    _, after = advance(before, part(0, 5), KEYS, ())
    assert after.positions == {"algo-1-1": StreamPosition(T0 + 50, 2)}


def test_what_the_script_logs_is_not_sent() -> None:
    """It is not counted either, and chooses no source."""
    points, after = advance(Watermark(made_ms=1), part(0, 1, 2), KEYS, {"loss"})
    assert points == []
    assert after.points == {}
    assert after.source is None
    assert after.positions == {"algo-1-1": StreamPosition(T0 + 2, 1)}


def test_a_chosen_source_stays() -> None:
    """What was begun with CloudWatch is no matter of logs."""
    _, after = advance(Watermark(made_ms=1, source="cloudwatch"), part(0, 1), KEYS, ())
    assert after.source == "cloudwatch"


def test_the_rest_follows_the_stretch() -> None:
    """It is empty, and its steps go on where the stretch ends; other series keep theirs."""
    stretch = LogPart(steps={"loss": 4, "acc": 7})
    stretch.add({"loss": [Point(T0, 1.0), Point(T0, 2.0)]}, {"s-1": START}, {"loss": {"dot": 1}})
    assert stretch.size == 2
    rest = stretch.rest()
    assert (rest.size, dict(rest.steps)) == (0, {"loss": 6, "acc": 7})
    assert (rest.positions, rest.findings) == ({}, {})


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6), st.data())
def test_any_cut_gives_the_same_points(pieces: list[list[int]], data: st.DataObject) -> None:
    """Written after each piece, or several at once: points, steps and counts are the same."""
    watermark, written = Watermark(made_ms=1), []
    stretch = LogPart(steps=watermark.points)
    for piece in pieces:
        stretch.add({"loss": [Point(T0, float(each)) for each in piece]}, {}, {})
        if data.draw(st.booleans()):
            points, watermark = advance(watermark, stretch, KEYS, ())
            written += points
            again = data.draw(st.booleans())
            stretch = LogPart(steps=watermark.points) if again else stretch.rest()
    points, watermark = advance(watermark, stretch, KEYS, ())
    written += points
    whole = [float(each) for piece in pieces for each in piece]
    assert told(written) == [("loss", step, value) for step, value in enumerate(whole)]
    assert watermark.points.get("loss", 0) == len(whole)


# ----------------------------------------------------------- whole logs, in memory, many passes


class AtOnce(Executor):
    """Runs each call at once, in the thread that asks for it."""

    def submit(self, call: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """Call, and keep what comes of it."""
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **named))
        except Exception as error:  # noqa: BLE001 - as executors do
            future.set_exception(error)
        return future


@dataclass
class Logs:
    """Streams in memory, with the reading of our own reader: pages after a position."""

    page_size: int = 3
    live: bool = False
    streams: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    reads: int = 0

    def put(self, stream: str, timestamp_ms: int, message: str) -> None:
        """Store an event; behind those of its time, as AWS orders them."""
        events = self.streams.setdefault(stream, [])
        events.insert(
            bisect_right(events, timestamp_ms, key=lambda each: each[0]), (timestamp_ms, message)
        )

    def put_all(self, events: Iterable[tuple[str, int, str]]) -> None:
        """Store events of any streams."""
        for event in events:
            self.put(*event)

    def list_streams(self, _group: str, _job: str) -> tuple[LogStream, ...]:
        return tuple(
            LogStream(name=name, first_event_ms=events[0][0])
            for name, events in sorted(self.streams.items())
        )

    def listed_s_ago(self, _group: str, _job: str) -> float:
        return 0.0

    def read(
        self,
        _group: str,
        _job: str,
        stream: str,
        after: StreamPosition,
        until_ms: int | None = None,
    ) -> Iterator[LogPage]:
        position, skipped = after, 0
        rest = []
        for event in self.streams[stream]:
            at_position = event[0] == after.timestamp_ms and skipped < after.events
            skipped += at_position
            if event[0] >= after.timestamp_ms and not at_position:
                rest.append(event)
        for start in range(0, len(rest), self.page_size):
            self.reads += 1
            times = [ms for ms, _ in rest[start : start + self.page_size]]
            texts = [text for _, text in rest[start : start + self.page_size]]
            position = position.after(times)
            yield LogPage(timestamps_ms=times, messages=texts, position=position)
            if self.live and until_ms is not None:
                return


@dataclass
class Store:
    """The points of one run, in memory, and what is written with them."""

    points: set[tuple[str, int, int, float]] = field(default_factory=set)
    watermark: Watermark = field(default_factory=lambda: Watermark(made_ms=1))

    def commit(self, task: Task) -> None:
        """Write what a task has gathered."""
        keys = metric_keys(task.job, task.watermark.given_keys, task.log_hosts)
        points, after = advance(task.watermark, task.logs, keys, ())
        for point in points:
            row = (point.key, point.timestamp_ms, point.step, point.value)
            assert row not in self.points
            self.points.add(row)
        noted = from_tags(to_tags(after))
        assert noted is not None
        self.watermark = task.watermark = noted
        task.logs = task.logs.rest()

    def history(self, _run_id: str, key: str) -> list[Point]:
        return [Point(ms, value) for found, ms, _, value in self.points if found == key]

    def curve(self, key: str) -> list[tuple[int, float]]:
        """Give a curve in the order of its steps, which count from 0."""
        rows = sorted((step, ms, value) for found, ms, step, value in self.points if found == key)
        assert [step for step, _, _ in rows] == list(range(len(rows)))
        return [(ms, value) for _, ms, value in rows]


DEFINITIONS = (
    MetricDefinition(name="loss", regex=r"loss=(\w+)"),
    MetricDefinition(name="acc", regex=r"acc=(\d+)"),
)
JOB = completed_job(definitions=DEFINITIONS, hosts=("algo-1", "algo-2"))
RUN = KnownRun(
    run_id="run",
    experiment_id="1",
    status="RUNNING",
    start_ms=JOB.created_ms,
    end_ms=None,
    active=True,
    tags={},
)


def look(logs: Logs, store: Store, job: Job, *, stop_after: int | None = None) -> LogReading:
    """Make a pass over a job's logs; without a stop it is written to its end."""
    context = SimpleNamespace(
        logs=logs,
        slack_ms=0,
        clock_ms=lambda: T0 * 2,
        options=SimpleNamespace(metrics="auto"),
        index=store,
        stopped=lambda: False,
    )
    task = Task(
        job=job,
        record=run_record(job),
        run=RUN,
        watermark=store.watermark,
        reading=Reading(windows=(), complete=job.ended),
    )
    limit = None if stop_after is None else logs.reads + stop_after
    reader = log_reader.JobLogReader(
        cast("PassContext", context),
        AtOnce(),
        store.commit,
        lambda: limit is not None and logs.reads >= limit,
    )
    reading = reader.read(task)
    if reading.whole:
        task.watermark = replace(task.watermark, modified_ms=job.modified_ms)
        store.commit(task)
    return reading


def running(number: int) -> Job:
    """Give the job as it is in a pass before its end; a number tells how often it has changed."""
    return replace(JOB, status="InProgress", ended_ms=None, modified_ms=JOB.created_ms + number)


lines = st.sampled_from(
    ("loss={0}", "acc={0}", "loss={0} acc={0}", "loss={0}\nloss={0}", "loss=x", "-", "")
)
host_logs = st.tuples(
    st.lists(st.tuples(st.sampled_from((0, 0, 1, 500)), lines), max_size=25), st.integers(0, 25)
)
"""Lines of a host with the time since the one before, and where it is restarted."""


def timed(host: int, log: list[tuple[int, str]], restart: int) -> list[tuple[str, int, str]]:
    """Give stream, timestamp and message of each line of a host."""
    at_ms = itertools.accumulate((gap for gap, _ in log), initial=T0)
    next(at_ms)
    return [
        (f"algo-{host}-{100 if place < restart else 1000}", ms, text.format(place))
        for place, (ms, (_, text)) in enumerate(zip(at_ms, log, strict=True))
    ]


def expected(events: list[tuple[str, int, str]], metric: str) -> list[tuple[int, float]]:
    """Give a metric's curve: the rule once more, sharing no code with the package."""
    found = []
    for _, ms, message in events:
        for line in message.split("\n"):
            _, is_there, rest = line.partition(f"{metric}=")
            digits = "".join(itertools.takewhile(str.isdigit, rest))
            if is_there and digits:
                found.append((ms, float(digits)))
    return found


@settings(max_examples=150, deadline=None)
@given(host_logs, host_logs, st.data())
def test_any_split_into_passes_and_pages(
    first: tuple[list[tuple[int, str]], int],
    second: tuple[list[tuple[int, str]], int],
    data: st.DataObject,
) -> None:
    """Passes, stops, page sizes, restarts and partial writes change neither points nor steps."""
    hosts = [timed(1, *first), timed(2, *second)]
    logs, store, done = Logs(), Store(), [0, 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_reader, "_MANY_POINTS", data.draw(st.sampled_from((0, 2, 5_000))))
        patch.setattr(log_reader, "_KEPT_POINTS", data.draw(st.sampled_from((0, 1_000))))
        modified = 0
        for _ in range(data.draw(st.integers(0, 5))):
            for place, events in enumerate(hosts):
                upto = data.draw(st.integers(done[place], len(events)))
                logs.put_all(events[done[place] : upto])
                done[place] = upto
            logs.page_size = data.draw(st.integers(1, 6))
            logs.live = data.draw(st.booleans())
            modified += data.draw(st.booleans())
            stop = data.draw(st.none() | st.integers(0, 6))
            look(logs, store, running(modified), stop_after=stop)
        for place, events in enumerate(hosts):
            logs.put_all(events[done[place] :])
        decided = store.watermark.source == "logs"
        stop = data.draw(st.none() | st.integers(0, 6))
        look(logs, store, JOB, stop_after=stop)
        look(logs, store, JOB)
    for host, events in zip(("", "/algo-2"), hosts, strict=True):
        for metric in ("loss", "acc"):
            assert store.curve(metric + host) == expected(events, metric)
    skipped = [text for events in hosts for _, _, text in events if text == "loss=x"]
    if decided:
        counted = store.watermark.findings.get("loss", {}).get("not-a-number", 0)
        assert counted == len(skipped)


def test_a_stream_that_is_known_and_not_read_yet() -> None:
    """After a pass that was cut off, the rest of the stream before it comes first."""
    logs, store = Logs(page_size=1), Store()
    alone = replace(JOB, hosts=("algo-1",))
    goes_on = replace(running(0), hosts=("algo-1",))
    look(logs, store, goes_on)
    events = timed(1, [(1, "loss={0}"), (1, "loss={0}"), (1, "loss={0}")], 2)
    logs.put_all(events)
    look(logs, store, goes_on, stop_after=0)
    assert store.curve("loss") == expected(events[:1], "loss")
    look(logs, store, goes_on)
    look(logs, store, alone)
    assert store.curve("loss") == expected(events, "loss")


@settings(max_examples=150, deadline=None)
@given(host_logs, st.data())
def test_late_events_get_the_next_free_steps(
    log: tuple[list[tuple[int, str]], int], data: st.DataObject
) -> None:
    """What was written keeps its step; what came late is there once, in the end."""
    events = timed(1, *log)
    order = data.draw(st.permutations(events)) if events else []
    logs, store = Logs(page_size=data.draw(st.integers(1, 6))), Store()
    before: list[tuple[int, float]] = []
    for number, piece in enumerate(pieces_of(order, data)):
        logs.put_all(piece)
        look(logs, store, running(number))
        now = store.curve("loss")
        assert now[: len(before)] == before
        before = now
    stop = data.draw(st.none() | st.integers(0, 6))
    look(logs, store, JOB, stop_after=stop)
    look(logs, store, JOB)
    now = store.curve("loss")
    assert now[: len(before)] == before
    assert Counter(now) == Counter(expected(events, "loss"))
    assert Counter(store.curve("acc")) == Counter(expected(events, "acc"))
    look(logs, store, JOB)
    assert store.curve("loss") == now


@settings(max_examples=100, deadline=None)
@given(st.lists(host_logs, min_size=2, max_size=3), st.data())
def test_pages_of_hosts_come_in_any_order(
    given_logs: list[tuple[list[tuple[int, str]], int]], data: st.DataObject
) -> None:
    """Whichever host is faster, and whenever is written: the same points and steps."""
    hosts = [timed(number, *log) for number, log in enumerate(given_logs, start=1)]
    logs, store = Logs(page_size=data.draw(st.integers(1, 4))), Store()
    for events in hosts:
        logs.put_all(events)
    job = replace(JOB, hosts=tuple(f"algo-{number}" for number in range(1, len(hosts) + 1)))
    task = Task(
        job=job,
        record=run_record(job),
        run=RUN,
        watermark=store.watermark,
        reading=Reading(windows=(), complete=True),
        log_hosts=job.hosts,
    )
    streams = by_host(logs.list_streams("", ""))
    going = [replay_of(logs, job, each) for each in streams.values()]
    while going:
        replay = data.draw(st.sampled_from(going))
        apply = replay.next_page()
        if apply is None:
            going.remove(replay)
        else:
            page = apply()
            task.logs.add(page.series, page.positions, page.findings)
        if data.draw(st.booleans()):
            store.commit(task)
    store.commit(task)
    for host, events in zip(("", "/algo-2", "/algo-3"), hosts, strict=False):
        for metric in ("loss", "acc"):
            assert store.curve(metric + host) == expected(events, metric)


def replay_of(logs: Logs, job: Job, streams: Sequence[LogStream]) -> HostReplay:
    """Replay all streams of a host from their beginning."""
    return HostReplay(
        hosts_of_job(cast("LogReader", logs), job),
        streams,
        Stretch(positions={}),
        lambda: MetricReader(job.definitions, float),
    )


def pieces_of(
    events: Sequence[tuple[str, int, str]], data: st.DataObject
) -> Iterator[Sequence[tuple[str, int, str]]]:
    """Cut events into some pieces."""
    start = 0
    while start < len(events):
        stop = data.draw(st.integers(start, len(events)))
        stop = max(stop, start + 1)
        yield events[start:stop]
        start = stop

"""Log streams over HTTP: every event once, in order, with as few calls as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_smwatch.aws.logs import LogPage, LogReader
from mlflow_smwatch.aws.operations import DELETE_MESSAGES
from mlflow_smwatch.aws.session import aws_errors, connect
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    LogsGoneError,
    RetriableError,
)
from mlflow_smwatch.core.log_streams import START, StreamPosition
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import NAMESPACE as GROUP
from tests.jobs import now_ms

GET = "logs:GetLogEvents"
DESCRIBE = "logs:DescribeLogStreams"
STREAM = "algo-1-1700000000"
T0 = 1_700_000_000_000


@pytest.fixture
def reader(account: EmulatedAccount) -> LogReader:
    """Read the account's logs; it asks for the account so that the environment leads there."""
    assert account.endpoint
    return fresh()


def fresh() -> LogReader:
    """Make a reader as a new process would, which remembers nothing."""
    return LogReader(connect(None, None, 4))


def put(account: EmulatedAccount, *events: tuple[int, str], stream: str = STREAM) -> None:
    """Store events, times relative to T0."""
    account.put_log_events(GROUP, f"job/{stream}", [(T0 + ms, text) for ms, text in events])


def seed(account: EmulatedAccount, number: int) -> None:
    """Store events m0, m1, … one second apart."""
    put(account, *((n * 1000, f"m{n}") for n in range(number)))


def read(
    reader: LogReader, after: StreamPosition = START, until_ms: int | None = None
) -> Iterator[LogPage]:
    """Read the stream of the tests."""
    return reader.read(GROUP, "job", STREAM, after, until_ms)


def messages(pages: Iterator[LogPage]) -> list[str]:
    """Give the messages of all pages; each page must have as many timestamps, at least one."""
    found: list[str] = []
    for page in pages:
        assert len(page.timestamps_ms) == len(page.messages) > 0
        found += page.messages
    return found


def test_pages(account: EmulatedAccount, reader: LogReader) -> None:
    """A stream is read page by page to its end; empty pages in between are neither end nor page."""
    seed(account, 7)
    account.faults.page_size(GET, 3)
    account.faults.empty_pages(GET)
    pages = list(read(reader))
    assert [list(page.messages) for page in pages] == [
        ["m0", "m1", "m2"],
        ["m3", "m4", "m5"],
        ["m6"],
    ]
    assert [list(page.timestamps_ms) for page in pages] == [
        [T0, T0 + 1000, T0 + 2000],
        [T0 + 3000, T0 + 4000, T0 + 5000],
        [T0 + 6000],
    ]
    assert [page.position for page in pages] == [
        StreamPosition(T0 + 2000, 1),
        StreamPosition(T0 + 5000, 1),
        StreamPosition(T0 + 6000, 1),
    ]
    assert account.calls == {GET: 6}  # three pages, two empty ones, and the token that stays


def test_pages_of_a_megabyte(account: EmulatedAccount, reader: LogReader) -> None:
    """AWS cuts pages by bytes, too."""
    put(account, *((n, str(n) * 200_000) for n in range(7)))
    assert [len(page.messages) for page in read(reader)] == [5, 2]


@pytest.mark.parametrize("page_size", [2, 10_000])
def test_resume_within_one_timestamp(account: EmulatedAccount, page_size: int) -> None:
    """Of several events of one timestamp, those that were read are skipped, over pages too."""
    put(account, (0, "a"), (5, "b"), (5, "c"), (5, "d"), (5, "e"), (6, "f"))
    account.faults.page_size(GET, page_size)
    account.faults.empty_pages(GET)
    at_5 = [StreamPosition(T0 + 5, events) for events in range(1, 7)]
    rests = [messages(read(fresh(), after)) for after in at_5]
    assert rests == [list("cdef"), list("def"), list("ef"), ["f"], ["f"], ["f"]]
    (page,) = read(fresh(), StreamPosition(T0 + 6, 0))
    assert page.position == StreamPosition(T0 + 6, 1)


def test_positions_count_events_of_one_timestamp(account: EmulatedAccount) -> None:
    """A position goes on counting where the page before, or the read before, left off."""
    put(account, (0, "a"), (5, "b"), (5, "c"), (5, "d"))
    account.faults.page_size(GET, 3)
    assert [page.position for page in read(fresh())] == [
        StreamPosition(T0 + 5, 2),
        StreamPosition(T0 + 5, 3),
    ]
    (page,) = read(fresh(), StreamPosition(T0 + 5, 2))
    assert page.position == StreamPosition(T0 + 5, 3)


def test_a_stream_without_news_costs_one_call(account: EmulatedAccount, reader: LogReader) -> None:
    """The token of the last page is used as long as the position is the one it belongs to."""
    seed(account, 3)
    (page,) = read(reader)
    for _ in range(3):
        account.reset_calls()
        assert messages(read(reader, page.position)) == []
        assert account.calls == {GET: 1}
    put(account, (2000, "same time"), (3000, "later"))
    assert messages(read(reader, page.position)) == ["same time", "later"]
    assert messages(read(reader, page.position)) == ["same time", "later"]  # they were not kept
    assert messages(read(reader)) == ["m0", "m1", "m2", "same time", "later"]


def test_an_empty_stream_fills(account: EmulatedAccount, reader: LogReader) -> None:
    """A stream may be there before its first event."""
    put(account)
    assert messages(read(reader)) == []
    account.reset_calls()
    assert messages(read(reader)) == []
    assert account.calls == {GET: 1}
    seed(account, 2)
    assert messages(read(reader)) == ["m0", "m1"]


def test_a_reading_that_is_left_goes_on(account: EmulatedAccount, reader: LogReader) -> None:
    """Who stops between two pages goes on after the last one taken."""
    seed(account, 6)
    account.faults.page_size(GET, 2)
    pages = read(reader)
    next(pages)
    position = next(pages).position
    account.reset_calls()
    assert messages(read(reader, position)) == ["m4", "m5"]
    assert account.calls == {GET: 2}


def test_a_token_dies_between_two_reads(account: EmulatedAccount, reader: LogReader) -> None:
    """After 24 hours reading goes on by time."""
    put(account, (0, "a"), (5, "b"), (5, "c"))
    (page,) = read(reader)
    account.clock.set(account.clock.now() + timedelta(hours=25))
    put(account, (5, "d"), (6, "e"))
    account.reset_calls()
    assert messages(read(reader, page.position)) == ["d", "e"]
    assert account.calls == {GET: 3}  # refused, by time, the token that stays
    assert [request.parameters.get("startTime") for request in account.requests[1:]] == [T0 + 5] * 2


def test_a_token_dies_between_two_pages(account: EmulatedAccount, reader: LogReader) -> None:
    """The same in the middle of a long reading."""
    put(account, (0, "a"), (5, "b"), (5, "c"), (5, "d"), (6, "e"))
    account.faults.page_size(GET, 2)
    pages = read(reader)
    assert next(pages).messages == ["a", "b"]
    account.clock.set(account.clock.now() + timedelta(hours=25))
    assert messages(pages) == ["c", "d", "e"]


def test_refused_for_good(account: EmulatedAccount, reader: LogReader) -> None:
    """What AWS does not take without a token either is an error."""
    seed(account, 1)
    (page,) = read(reader)
    account.faults.fail(GET, times=None, code="InvalidParameterException")
    account.reset_calls()
    with pytest.raises(InvalidRequestError, match=f"{GET} does not take the request"):
        list(read(reader, page.position))
    assert account.calls == {GET: 2}


def test_a_live_stream(account: EmulatedAccount, reader: LogReader) -> None:
    """A page that reaches the moment at which reading began is the last; others are confirmed."""
    seed(account, 4)
    account.faults.page_size(GET, 2)
    began_ms = account.clock.now_ms()
    (page,) = read(reader, until_ms=began_ms - 60_000)  # taken in since
    assert (page.messages, account.calls[GET]) == (["m0", "m1"], 1)
    account.reset_calls()
    assert messages(read(reader, page.position, began_ms + 60_000)) == ["m2", "m3"]
    assert account.calls == {GET: 2}
    after = StreamPosition(T0 + 3000, 1)
    account.reset_calls()
    assert messages(read(fresh(), after, began_ms - 60_000)) == []  # known, and still live
    assert account.calls == {GET: 1}


def test_streams_of_a_job(account: EmulatedAccount, reader: LogReader) -> None:
    """Every host and restart of this job, of no other whose name begins alike."""
    assert account.endpoint
    before_ms = now_ms()
    names = ["algo-1-1700000000", "algo-1-1700009999", "algo-10-1700000001", "algo-2-1700000000"]
    for name in reversed(names):
        put(account, (7, "x"), stream=name)
    put(account, stream="algo-3-1700000000")
    for other in ("job-2", "jo", "my-job"):
        account.put_log_events(GROUP, f"{other}/{STREAM}", [(T0, "x")])
    streams = reader.list_streams(GROUP, "job")
    assert [each.name for each in streams] == [*names, "algo-3-1700000000"]
    assert [each.first_event_ms for each in streams] == [T0 + 7] * 4 + [None]
    assert all(before_ms <= each.created_ms <= now_ms() for each in streams)
    assert streams[1].host == "algo-1"
    (request,) = account.requests
    assert request.parameters == {"logGroupName": GROUP, "logStreamNamePrefix": "job/", "limit": 50}


def test_streams_come_in_pages(account: EmulatedAccount, reader: LogReader) -> None:
    """50 streams a call, however many hosts there are."""
    for host in range(120):
        put(account, (0, "x"), stream=f"algo-{host:03}-1700000000")
    streams = reader.list_streams(GROUP, "job")
    assert [each.name for each in streams] == [f"algo-{n:03}-1700000000" for n in range(120)]
    assert account.calls == {DESCRIBE: 3}


def test_no_group_no_streams_no_stream(account: EmulatedAccount, reader: LogReader) -> None:
    """A missing group or stream is an error of its own; a group without the job is none."""
    with pytest.raises(LogsGoneError, match=f"{DESCRIBE}: .*log group does not exist"):
        reader.list_streams(GROUP, "job")
    account.put_log_events(GROUP, f"job-2/{STREAM}", [(T0, "x")])
    assert reader.list_streams(GROUP, "job") == ()
    with pytest.raises(LogsGoneError, match=f"{GET}: .*log stream does not exist"):
        list(read(reader))


def test_a_stream_disappears(account: EmulatedAccount) -> None:
    """Somebody deletes the stream between two pages."""
    seed(account, 4)
    account.faults.page_size(GET, 2)
    aws = connect(None, None, 1)
    pages = read(LogReader(aws))
    assert next(pages).messages == ["m0", "m1"]
    aws.logs.delete_log_stream(logGroupName=GROUP, logStreamName=f"job/{STREAM}")
    with pytest.raises(LogsGoneError):
        list(pages)


def test_denied(account: EmulatedAccount, reader: LogReader) -> None:
    """The missing permission is named."""
    seed(account, 1)
    account.faults.deny("logs:*")
    with pytest.raises(AccessDeniedError) as listing:
        reader.list_streams(GROUP, "job")
    with pytest.raises(AccessDeniedError) as reading:
        list(read(reader))
    assert (listing.value.action, reading.value.action) == (DESCRIBE, GET)


@pytest.mark.parametrize("code", ["ThrottlingException", "MalformedBody", None])
def test_a_bad_moment(account: EmulatedAccount, code: str | None) -> None:
    """A call that is throttled, cut off or reset is repeated; the ledger counts both."""
    seed(account, 3)
    account.faults.page_size(GET, 2)
    aws = connect(None, None, 1)
    reader = LogReader(aws)
    pages = read(reader)
    assert next(pages).messages == ["m0", "m1"]
    account.faults.fail(GET, code=code)
    assert messages(pages) == ["m2"]
    account.faults.fail(DESCRIBE, code=code)
    assert [each.name for each in reader.list_streams(GROUP, "job")] == [STREAM]
    assert aws.ledger.calls == account.calls == {GET: 4, DESCRIBE: 2}
    assert aws.ledger.cost_usd == 0


def test_answers_that_stay_cut_off(account: EmulatedAccount, reader: LogReader) -> None:
    """An answer without its members does not say that the stream is at its end."""
    seed(account, 1)
    account.faults.fail("logs:*", times=None, code="MalformedBody")
    with pytest.raises(RetriableError, match="without events and nextForwardToken 3 times"):
        list(read(reader))
    with pytest.raises(RetriableError, match="without logStreams 3 times"):
        reader.list_streams(GROUP, "job")


def test_streams_at_once(account: EmulatedAccount, reader: LogReader) -> None:
    """Threads share a reader, and each stream has its own token."""
    names = [f"algo-{host}-1700000000" for host in range(1, 9)]
    for name in names:
        put(account, *((n, f"{name} {n}") for n in range(5)), stream=name)
    account.faults.page_size(GET, 2)

    def everything(name: str) -> list[str]:
        first = next(reader.read(GROUP, "job", name, START))
        rest = reader.read(GROUP, "job", name, first.position)
        return [*first.messages, *messages(rest)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(everything, names))
    assert found == [[f"{name} {n}" for n in range(5)] for name in names]
    assert account.calls == {GET: 8 * 4}


def test_memory_is_bounded(
    account: EmulatedAccount, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The streams that were not read for the longest are forgotten, and go on by time."""
    monkeypatch.setattr("mlflow_smwatch.aws.logs._NOTES_KEPT", 2)
    for name in ("algo-1-1", "algo-2-1", "algo-3-1"):
        put(account, (0, "x"), stream=name)
        messages(reader.read(GROUP, "job", name, START))
    calls = []
    for host in (2, 1, 2, 3):
        account.reset_calls()
        name = f"algo-{host}-1"
        assert messages(reader.read(GROUP, "job", name, StreamPosition(T0, 1))) == []
        calls.append((host, account.calls[GET]))
    assert calls == [(2, 1), (1, 2), (2, 1), (3, 2)]


STREAM_NUMBERS = count()
GAPS = st.sampled_from([0, 0, 1, 1000])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    appended=st.lists(st.lists(GAPS, max_size=5), min_size=1, max_size=4),
    again=st.lists(st.booleans(), min_size=4, max_size=4),
    page_size=st.integers(1, 4),
    empty_pages=st.booleans(),
    live=st.booleans(),
)
def test_every_event_once(
    account: EmulatedAccount,
    appended: list[list[int]],
    again: list[bool],
    page_size: int,
    *,
    empty_pages: bool,
    live: bool,
) -> None:
    """In any number of reads, by old and new processes, while the stream grows."""
    account.faults.clear()
    account.faults.page_size(GET, page_size)
    if empty_pages:
        account.faults.empty_pages(GET)
    stream, reader, position = f"algo-1-{next(STREAM_NUMBERS)}", fresh(), START
    written: list[tuple[int, str]] = []
    found: list[tuple[int, str]] = []
    until_ms = 0 if live else None
    for gaps, is_new in zip([*appended, []], [*again, True], strict=False):
        begin = len(written)
        for gap in gaps:
            at_ms = written[-1][0] - T0 + gap if written else gap
            written.append((T0 + at_ms, f"m{len(written)}"))
        put(account, *((ms - T0, text) for ms, text in written[begin:]), stream=stream)
        reader = fresh() if is_new else reader
        for page in reader.read(GROUP, "job", stream, position, until_ms):
            found += zip(page.timestamps_ms, page.messages, strict=True)
            position = page.position
            assert position == START.after(timestamp_ms for timestamp_ms, _ in found)
        assert found == written[: len(found)]
    for page in fresh().read(GROUP, "job", stream, position):
        found += zip(page.timestamps_ms, page.messages, strict=True)
    assert found == written


def test_queue_calls_cost(account: EmulatedAccount) -> None:
    """SQS's calls are counted under their own names, priced, and denied by their permission's."""
    aws = connect(None, None, 1)
    sqs = aws.session.client("sqs", region_name=aws.region)
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    aws.ledger.attach(sqs)
    for _ in range(3):
        sqs.receive_message(QueueUrl=url)
    assert aws.ledger.calls == {"sqs:ReceiveMessage": 3}
    assert aws.ledger.cost_usd == pytest.approx(3 * 0.40 / 1_000_000)
    account.faults.deny(DELETE_MESSAGES)
    with (
        pytest.raises(AccessDeniedError, match="sqs:DeleteMessage is denied"),
        aws_errors(DELETE_MESSAGES),
    ):
        sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": "x"}])

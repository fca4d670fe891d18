from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import GROUP, NOW, Clients

STREAM = {"logGroupName": GROUP, "logStreamName": "job-1/algo-1-1"}
DAY_MS = 86_400_000


def ms(instant: datetime) -> int:
    """Give milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


NOW_MS = ms(NOW)


def code_of(call: Callable[..., Any], **parameters: Any) -> str:
    """Give the code of the error that a call must end in."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    code: str = error.value.response["Error"]["Code"]
    return code


def put(clients: Clients, *events: tuple[int, str], **changes: Any) -> dict[str, Any]:
    """Send PutLogEvents, times relative to NOW."""
    listed = [{"timestamp": NOW_MS + t, "message": m} for t, m in events]
    answer: dict[str, Any] = clients.logs.put_log_events(**STREAM, logEvents=listed, **changes)
    return answer


def seed(account: EmulatedAccount, number: int, stream: str = "job-1/algo-1-1") -> None:
    """Store events m0, m1, … one second apart, the last one second ago."""
    events = [(NOW_MS - (number - i) * 1000, f"m{i}") for i in range(number)]
    account.put_log_events(GROUP, stream, events)


def messages(answer: dict[str, Any]) -> list[str]:
    """Give the messages of a page."""
    return [event["message"] for event in answer["events"]]


@pytest.fixture
def stream(clients: Clients) -> None:
    """Make the group and its stream."""
    clients.logs.create_log_group(logGroupName=GROUP)
    clients.logs.create_log_stream(**STREAM)


@pytest.mark.usefixtures("stream")
def test_put_and_get(account: EmulatedAccount, clients: Clients) -> None:
    """Events come back sorted by time, with the account's ingestion time and no id."""
    put(clients, (-1000, "late"))
    put(clients, (-2000, "early"), (-1000, "same time"))
    answer = clients.logs.get_log_events(**STREAM)
    assert answer["events"] == [
        {"timestamp": NOW_MS + t, "message": m, "ingestionTime": NOW_MS}
        for t, m in ((-2000, "early"), (-1000, "late"), (-1000, "same time"))
    ]
    (described,) = clients.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert described["firstEventTimestamp"] == NOW_MS - 2000
    assert described["lastEventTimestamp"] == NOW_MS - 1000
    assert described["lastIngestionTime"] == described["creationTime"] == NOW_MS
    assert described["storedBytes"] == 0
    assert account.calls["logs:PutLogEvents"] == 2


@pytest.mark.usefixtures("stream")
def test_missing_and_existing_things(clients: Clients) -> None:
    """Groups and streams must exist to be read, and must not to be made."""
    logs = clients.logs
    nowhere = {"logGroupName": "/nowhere", "logStreamName": "s"}
    for name in (nowhere, {"logGroupName": GROUP, "logStreamName": "none"}):
        assert code_of(logs.get_log_events, **name) == "ResourceNotFoundException"
    assert code_of(logs.filter_log_events, logGroupName="/nowhere") == "ResourceNotFoundException"
    assert code_of(logs.create_log_stream, **STREAM) == "ResourceAlreadyExistsException"
    assert code_of(logs.create_log_group, logGroupName=GROUP) == "ResourceAlreadyExistsException"
    assert code_of(logs.get_log_events, logStreamName="x") == "InvalidParameterException"


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    "events",
    [
        [(0, "b"), (-1, "a")],
        [(-DAY_MS - 1, "a"), (0, "b")],
        [(0, "x" * 100_000)] * 11,
        [(0, "x")] * 10_001,
        [(0, "é" * 600_000)],
    ],
    ids=["order", "span", "batch bytes", "number", "event bytes"],
)
def test_refused_batches(clients: Clients, events: list[tuple[int, str]]) -> None:
    """Batches are chronological, within 24 hours, 1 MB and 10,000 events."""
    with pytest.raises(ClientError) as error:
        put(clients, *events)
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.usefixtures("stream")
def test_events_out_of_time_are_rejected(account: EmulatedAccount, clients: Clients) -> None:
    """Older than 14 days and newer than two hours: told, not stored; by the account's clock."""
    hour = 3_600_000
    assert "rejectedLogEventsInfo" not in put(clients, (2 * hour, "ok"))
    assert put(clients, (0, "ok"), (2 * hour + 1, "new"))["rejectedLogEventsInfo"] == {
        "tooNewLogEventStartIndex": 1
    }
    old = -14 * DAY_MS
    assert put(clients, (old - 1, "old"), (old, "ok"))["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1
    }
    with account.clock.at(NOW - timedelta(days=30)):
        assert "rejectedLogEventsInfo" not in put(clients, (-30 * DAY_MS, "then"))
    assert messages(clients.logs.get_log_events(**STREAM)) == ["then", "ok", "ok", "ok"]


def test_newest_page_first(account: EmulatedAccount, clients: Clients) -> None:
    """Without startFromHead the newest page comes; backward tokens lead to the beginning."""
    seed(account, 10)
    page = clients.logs.get_log_events(**STREAM, limit=4)
    assert messages(page) == ["m6", "m7", "m8", "m9"]
    page = clients.logs.get_log_events(**STREAM, limit=4, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["m2", "m3", "m4", "m5"]
    page = clients.logs.get_log_events(**STREAM, limit=4, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["m0", "m1"]
    token = page["nextBackwardToken"]
    page = clients.logs.get_log_events(**STREAM, limit=4, nextToken=token)
    assert (messages(page), page["nextBackwardToken"]) == ([], token)


def from_head(clients: Clients, limit: int = 10_000) -> tuple[list[list[str]], str]:
    """Read a stream forward until the token repeats."""
    pages: list[list[str]] = []
    parameters: dict[str, Any] = {**STREAM, "startFromHead": True, "limit": limit}
    while True:
        page = clients.logs.get_log_events(**parameters)
        if page["nextForwardToken"] == parameters.get("nextToken"):
            assert page["events"] == []
            return pages, page["nextForwardToken"]
        pages.append(messages(page))
        parameters["nextToken"] = page["nextForwardToken"]


def test_reading_forward_ends_where_the_token_repeats(
    account: EmulatedAccount, clients: Clients
) -> None:
    """The last token serves for what comes later; it dies after a day."""
    seed(account, 7)
    pages, token = from_head(clients, limit=3)
    assert pages == [["m0", "m1", "m2"], ["m3", "m4", "m5"], ["m6"]]
    account.put_log_events(GROUP, STREAM["logStreamName"], [(NOW_MS, "new")])
    more = {**STREAM, "startFromHead": True, "nextToken": token}
    assert messages(clients.logs.get_log_events(**more)) == ["new"]
    headless = {**more, "startFromHead": False}
    assert code_of(clients.logs.get_log_events, **headless) == "InvalidParameterException"
    account.clock.set(NOW + timedelta(hours=25))
    assert code_of(clients.logs.get_log_events, **more) == "InvalidParameterException"
    junk = {**more, "nextToken": "f/7"}
    assert code_of(clients.logs.get_log_events, **junk) == "InvalidParameterException"


def test_empty_pages_in_the_middle(account: EmulatedAccount, clients: Clients) -> None:
    """An empty page with another token is not the end."""
    seed(account, 5)
    account.faults.page_size("logs:GetLogEvents", 2)
    account.faults.empty_pages("logs:GetLogEvents")
    assert from_head(clients)[0] == [["m0", "m1"], [], ["m2", "m3"], [], ["m4"]]


def test_page_holds_a_megabyte(account: EmulatedAccount, clients: Clients) -> None:
    """Pages are cut by bytes, too; and at 10,000 events."""
    big = [(NOW_MS - 20 + i, str(i) * 200_000) for i in range(7)]
    account.put_log_events(GROUP, "job-1/algo-1-1", big)
    assert [len(page) for page in from_head(clients)[0]] == [5, 2]
    assert len(clients.logs.get_log_events(**STREAM)["events"]) == 5
    filtered = clients.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
    assert [len(page["events"]) for page in filtered] == [5, 2]
    account.put_log_events(GROUP, "job-2/algo-1-1", [(NOW_MS, "x")] * 10_001)
    page = clients.logs.get_log_events(logGroupName=GROUP, logStreamName="job-2/algo-1-1")
    assert len(page["events"]) == 10_000


def test_time_range(account: EmulatedAccount, clients: Clients) -> None:
    """EndTime is exclusive in GetLogEvents, inclusive in FilterLogEvents."""
    seed(account, 4)
    span = {"startTime": NOW_MS - 3000, "endTime": NOW_MS - 1000}
    assert messages(clients.logs.get_log_events(**STREAM, **span)) == ["m1", "m2"]
    found = clients.logs.filter_log_events(logGroupName=GROUP, **span)
    assert messages(found) == ["m1", "m2", "m3"]


def test_filter_log_events(account: EmulatedAccount, clients: Clients) -> None:
    """Streams are interleaved by time; prefix or names choose them; ids are unique."""
    for name in ("job-1/algo-1-1", "job-1/algo-2-1", "job-10/algo-1-1"):
        seed(account, 3, name)

    def find(**parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = clients.logs.filter_log_events(logGroupName=GROUP, **parameters)
        return answer

    answer = find(logStreamNamePrefix="job-1/")
    assert messages(answer) == ["m0", "m0", "m1", "m1", "m2", "m2"]
    assert {e["logStreamName"] for e in answer["events"]} == {"job-1/algo-1-1", "job-1/algo-2-1"}
    assert len({e["eventId"] for e in answer["events"]}) == 6
    assert answer["searchedLogStreams"] == []
    assert "nextToken" not in answer
    assert len(find()["events"]) == 9
    assert messages(find(logStreamNames=["job-10/algo-1-1"], filterPattern="m2")) == ["m2"]
    tail = find(startFromHead=False, startTime=NOW_MS - 2000, limit=1)
    assert messages(tail) == ["m2"]
    for refused in (
        {"logStreamNames": ["job-1/algo-1-1"], "logStreamNamePrefix": "job"},
        {"startFromHead": False},
        {"nextToken": "junk"},
        {"logStreamNames": [f"s{i}" for i in range(101)]},
    ):
        code = code_of(clients.logs.filter_log_events, logGroupName=GROUP, **refused)
        assert code == "InvalidParameterException", refused


def test_describe_log_streams(account: EmulatedAccount, clients: Clients) -> None:
    """50 a page; a prefix goes with the order of names only."""
    for i in range(60):
        account.put_log_events(GROUP, f"job-{i:02}/algo-1-1", [(NOW_MS - i, "x")])
    pages = clients.logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP)
    names = [[s["logStreamName"] for s in page["logStreams"]] for page in pages]
    assert [len(page) for page in names] == [50, 10]
    assert [name for page in names for name in page] == [f"job-{i:02}/algo-1-1" for i in range(60)]

    def first(**parameters: Any) -> str:
        found = clients.logs.describe_log_streams(logGroupName=GROUP, **parameters)
        name: str = found["logStreams"][0]["logStreamName"]
        return name

    assert first(logStreamNamePrefix="job-07/") == "job-07/algo-1-1"
    assert first(orderBy="LastEventTime", descending=True) == "job-00/algo-1-1"
    assert first(orderBy="LastEventTime") == "job-59/algo-1-1"
    for refused in (
        {"orderBy": "LastEventTime", "logStreamNamePrefix": "job"},
        {"limit": 51},
        {"nextToken": "junk"},
    ):
        code = code_of(clients.logs.describe_log_streams, logGroupName=GROUP, **refused)
        assert code == "InvalidParameterException", refused


def test_groups_are_the_underlying_emulators_too(
    account: EmulatedAccount, clients: Clients
) -> None:
    """Operations that the account leaves to moto see the same groups; ARNs name them."""
    seed(account, 1)
    (group,) = clients.logs.describe_log_groups()["logGroups"]
    assert group["logGroupName"] == GROUP
    by_arn = clients.logs.get_log_events(
        logGroupIdentifier=group["logGroupArn"], logStreamName=STREAM["logStreamName"]
    )
    assert messages(by_arn) == ["m0"]
    clients.logs.delete_log_stream(**STREAM)
    assert clients.logs.describe_log_streams(logGroupName=GROUP)["logStreams"] == []


def test_times_of_last_events_may_lag_behind(account: EmulatedAccount, clients: Clients) -> None:
    """DescribeLogStreams says and orders by what it knows: an early time, or none."""
    for i in range(3):
        account.put_log_events(GROUP, f"job-{i}/algo-1-1", [(NOW_MS - i, "x")])
    account.faults.lag_last_events("job-0/*", NOW_MS - 9)
    account.faults.lag_last_events("job-1/*")
    found = clients.logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True
    )
    known = [
        (each["logStreamName"], each.get("lastEventTimestamp")) for each in found["logStreams"]
    ]
    assert known == [
        ("job-2/algo-1-1", NOW_MS - 2),
        ("job-0/algo-1-1", NOW_MS - 9),
        ("job-1/algo-1-1", None),
    ]

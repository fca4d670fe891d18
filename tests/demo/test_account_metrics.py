from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import QueryParser

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import GROUP, NOW, Clients

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOON = NOW.replace(second=0)
SPACE = "/aws/sagemaker/TrainingJobs"
JOB = {"TrainingJobName": "job-1"}


def ms(instant: datetime) -> int:
    """Give milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


def query(identifier: str = "q", **changes: Any) -> dict[str, Any]:
    """Make a MetricDataQuery for the metric loss of job-1."""
    settings = {"name": "loss", "dimensions": JOB, "Period": 60, "Stat": "Average", **changes}
    dimensions = [{"Name": k, "Value": v} for k, v in settings.pop("dimensions").items()]
    name, space = settings.pop("name"), settings.pop("space", SPACE)
    metric = {"Namespace": space, "MetricName": name, "Dimensions": dimensions}
    return {"Id": identifier, "MetricStat": {"Metric": metric, **settings}}


def read(
    clients: Clients, *queries: dict[str, Any], start: datetime, end: datetime, **more: Any
) -> list[tuple[datetime, float]]:
    """Read the points of the only result."""
    answer = clients.cloudwatch.get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=end, **more
    )
    (result,) = answer["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    points = zip(result["Timestamps"], result["Values"], strict=True)
    return [(t.astimezone(timezone.utc), v) for t, v in points]


def code_of(call: Callable[..., Any], **parameters: Any) -> str:
    """Give the code of the error that a call must end in."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    code: str = error.value.response["Error"]["Code"]
    return code


def test_periods_are_aligned_to_the_clock(account: EmulatedAccount, clients: Clients) -> None:
    """Averages of whole minutes, newest first; StartTime inclusive, EndTime exclusive."""
    start = NOON - 3 * MINUTE
    account.put_metric(
        SPACE,
        "loss",
        JOB,
        [(ms(start) + s * 1000, float(s)) for s in (0, 30, 60, 61, 119, 120, 180)],
    )
    expected = [(start + MINUTE, 80.0), (start, 15.0)]
    assert read(clients, query(), start=start, end=start + 2 * MINUTE) == expected
    late = start + timedelta(seconds=59)
    assert read(clients, query(), start=late, end=start + 2 * MINUTE) == expected
    just_in = start + 2 * MINUTE + timedelta(milliseconds=1)
    assert read(clients, query(), start=start, end=just_in, ScanBy="TimestampAscending") == [
        (start, 15.0),
        (start + MINUTE, 80.0),
        (start + 2 * MINUTE, 120.0),
    ]
    hour = NOON.replace(hour=11)
    assert read(clients, query(Period=3600), start=hour, end=NOON) == [(hour, 455 / 7)]


@pytest.mark.parametrize(
    ("stat", "expected"),
    [
        ("Average", 25.0),
        ("Sum", 100.0),
        ("Minimum", 10.0),
        ("Maximum", 40.0),
        ("SampleCount", 4.0),
        ("p50", 25.0),
        ("p100", 40.0),
        ("p0", 10.0),
    ],
)
def test_statistics(account: EmulatedAccount, clients: Clients, stat: str, expected: float) -> None:
    """The five statistics, and percentiles."""
    points = [(ms(NOON) - 1000 * s, float(v)) for s, v in ((9, 10), (8, 40), (7, 20), (6, 30))]
    account.put_metric(SPACE, "loss", JOB, points)
    ((_, value),) = read(clients, query(Stat=stat), start=NOON - MINUTE, end=NOON)
    assert value == expected


def test_dimensions_unit_and_namespace_match_exactly(
    account: EmulatedAccount, clients: Clients
) -> None:
    """No roll-up; an omitted unit is all units, a wrong one is empty."""
    host = {"Host": "job-1/algo-1"}
    account.put_metric(SPACE, "CPUUtilization", host, [(ms(NOON) - 1, 5.0)], unit="Percent")
    account.put_metric("other", "CPUUtilization", host, [(ms(NOON) - 1, 7.0)])
    account.put_metric(SPACE, "CPUUtilization", {**host, "x": "y"}, [(ms(NOON) - 1, 9.0)])

    def values(**changes: Any) -> list[float]:
        asked = query(**{"name": "CPUUtilization", "dimensions": host, **changes})
        return [v for _, v in read(clients, asked, start=NOON - MINUTE, end=NOON)]

    assert values() == values(Unit="Percent") == [5.0]
    assert values(Unit="Seconds") == values(dimensions={}) == values(name="cpuutilization") == []
    assert values(space="other") == [7.0]


@pytest.mark.parametrize(
    ("age", "period", "is_stored"),
    [
        (2 / 24, 1, True),
        (4 / 24, 1, False),
        (14.9, 60, True),
        (15.1, 60, False),
        (15.1, 300, True),
        (62.9, 300, True),
        (63.1, 300, False),
        (63.1, 3600, True),
        (454, 3600, True),
        (456, 3600, False),
    ],
)
def test_retention(
    account: EmulatedAccount, clients: Clients, age: float, period: int, *, is_stored: bool
) -> None:
    """Old points are read at coarser periods only; otherwise no points and no error."""
    moment = NOW - age * DAY
    account.put_metric(SPACE, "loss", JOB, [(ms(moment), 1.0)])
    found = read(clients, query(Period=period), start=moment - timedelta(hours=1), end=moment + DAY)
    assert [value for _, value in found] == ([1.0] if is_stored else [])


@pytest.mark.parametrize(
    ("age", "period", "step"), [(10, 60, 60), (20, 300, 300), (100, 3600, 3600)]
)
def test_start_is_rounded_down(
    account: EmulatedAccount, clients: Clients, age: int, period: int, step: int
) -> None:
    """To the minute, five minutes or the hour, by age."""
    begin = datetime.fromtimestamp((NOW - age * DAY).timestamp() // step * step, tz=timezone.utc)
    account.put_metric(SPACE, "loss", JOB, [(ms(begin), 1.0)])
    inside = begin + timedelta(seconds=step - 1)
    assert read(clients, query(Period=period), start=inside, end=begin + DAY) == [(begin, 1.0)]


def test_pages_split_a_series(account: EmulatedAccount, clients: Clients) -> None:
    """MaxDatapoints cuts a page; what goes on is PartialData and returns under its Id."""
    for name in ("a", "b"):
        points = [(ms(NOON - i * MINUTE), float(i)) for i in range(1, 6)]
        account.put_metric(SPACE, name, JOB, points)
    request = {
        "MetricDataQueries": [query("a", name="a"), query("b", name="b")],
        "StartTime": NOON - 10 * MINUTE,
        "EndTime": NOON,
        "MaxDatapoints": 4,
    }
    pages = list(clients.cloudwatch.get_paginator("get_metric_data").paginate(**request))
    shape = [
        [(r["Id"], r["StatusCode"], r["Values"]) for r in page["MetricDataResults"]]
        for page in pages
    ]
    assert shape == [
        [("a", "PartialData", [1.0, 2.0, 3.0, 4.0]), ("b", "PartialData", [])],
        [("a", "Complete", [5.0]), ("b", "PartialData", [1.0, 2.0, 3.0])],
        [("b", "Complete", [4.0, 5.0])],
    ]
    token = clients.cloudwatch.get_metric_data(**request)["NextToken"]
    other = {**request, "ScanBy": "TimestampAscending", "NextToken": token}
    assert code_of(clients.cloudwatch.get_metric_data, **other) == "InvalidNextToken"
    assert clients.cloudwatch.exceptions.InvalidNextToken


def test_full_page_of_points(account: EmulatedAccount, clients: Clients) -> None:
    """A page holds 100,800 points."""
    minutes = 14 * 1440
    points = [(ms(NOON - i * MINUTE), 1.0) for i in range(1, minutes + 1)]
    for i in range(6):
        account.put_metric(SPACE, f"m{i}", JOB, points)
    answer = clients.cloudwatch.get_metric_data(
        MetricDataQueries=[query(f"m{i}", name=f"m{i}") for i in range(6)],
        StartTime=NOON - minutes * MINUTE,
        EndTime=NOON,
    )
    assert sum(len(r["Values"]) for r in answer["MetricDataResults"]) == 100_800
    assert answer["MetricDataResults"][4]["StatusCode"] == "Complete"
    assert answer["MetricDataResults"][5]["StatusCode"] == "PartialData"


@pytest.mark.parametrize(
    "queries",
    [
        [],
        [query(f"q{i}") for i in range(501)],
        [query("q"), query("q")],
        [query("Q")],
        [query("q-1")],
        [query(Period=45)],
        [query(Stat="Median")],
        [{"Id": "q", "Expression": "SUM(METRICS())"}],
        [{"Id": "q"}],
    ],
    ids=["none", "501", "twice", "capital", "dash", "period", "stat", "expression", "nothing"],
)
def test_refused_queries(clients: Clients, queries: list[dict[str, Any]]) -> None:
    """Limits and rules of MetricDataQueries."""
    code = code_of(
        clients.cloudwatch.get_metric_data,
        MetricDataQueries=queries,
        StartTime=NOON - MINUTE,
        EndTime=NOON,
    )
    assert code in {"ValidationError", "InvalidParameterValue"}


def test_start_must_be_before_end(clients: Clients) -> None:
    """An empty span is an error."""
    code = code_of(
        clients.cloudwatch.get_metric_data,
        MetricDataQueries=[query()],
        StartTime=NOON,
        EndTime=NOON,
    )
    assert code == "ValidationError"


def put(clients: Clients, *data: dict[str, Any], space: str = "mine") -> None:
    """Send PutMetricData."""
    clients.cloudwatch.put_metric_data(
        Namespace=space, MetricData=[{"MetricName": "m", **datum} for datum in data]
    )


def test_put_metric_data_ways_to_give_values(clients: Clients) -> None:
    """Single values, values with counts, and statistic sets add up."""
    moment = NOON - MINUTE
    put(
        clients,
        {"Timestamp": moment, "Value": 1.0},
        {"Timestamp": moment, "Values": [2.0, 5.0], "Counts": [3.0, 1.0]},
        {
            "Timestamp": moment,
            "StatisticValues": {"SampleCount": 2, "Sum": 20, "Minimum": 8, "Maximum": 12},
        },
    )
    for stat, expected in (("SampleCount", 7), ("Sum", 32), ("Minimum", 1), ("Maximum", 12)):
        asked = query(space="mine", name="m", dimensions={}, Stat=stat)
        assert read(clients, asked, start=moment, end=NOON) == [(moment, expected)]
    asked = query(space="mine", name="m", dimensions={}, Stat="p90")
    assert read(clients, asked, start=moment, end=NOON) == []


def test_put_metric_data_compressed(account: EmulatedAccount, clients: Clients) -> None:
    """Large requests come gzipped, as boto3 sends them."""
    put(clients, *({"Timestamp": NOON - MINUTE, "Value": 1.0} for _ in range(1000)))
    asked = query(space="mine", name="m", dimensions={}, Stat="Sum")
    assert read(clients, asked, start=NOON - MINUTE, end=NOON) == [(NOON - MINUTE, 1000.0)]
    (request, _) = account.requests
    assert request.operation == "cloudwatch:PutMetricData"
    assert len(request.parameters["MetricData"]) == 1000


@pytest.mark.parametrize(
    ("datum", "number", "code"),
    [
        ({"Value": 1.0}, 1001, "ValidationError"),
        ({"Values": [1.0] * 151}, 1, "ValidationError"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, 1, "InvalidParameterValue"),
        ({"Value": float("nan")}, 1, "InvalidParameterValue"),
        ({"Value": float("inf")}, 1, "InvalidParameterValue"),
        ({"Value": 2.0**361}, 1, "InvalidParameterValue"),
        ({"Value": 1.0, "Values": [1.0]}, 1, "InvalidParameterCombination"),
        ({}, 1, "MissingParameter"),
        ({"Value": 1.0, "Timestamp": NOW - 14 * DAY - MINUTE}, 1, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": NOW + 121 * MINUTE}, 1, "InvalidParameterValue"),
        ({"Value": 1.0, "StorageResolution": 30}, 1, "InvalidParameterValue"),
        (
            {"Value": 1.0, "Dimensions": [{"Name": f"d{i}", "Value": "v"} for i in range(31)]},
            1,
            "ValidationError",
        ),
    ],
    ids=["1001", "151", "counts", "nan", "inf", "big", "two", "none", "old", "new", "res", "dims"],
)
def test_refused_data(clients: Clients, datum: dict[str, Any], number: int, code: str) -> None:
    """Limits of PutMetricData."""
    data = [{"MetricName": "m", **datum}] * number
    assert code_of(clients.cloudwatch.put_metric_data, Namespace="mine", MetricData=data) == code


def test_reserved_namespace(clients: Clients) -> None:
    """AWS/… is AWS's own; /aws/sagemaker/… is not reserved."""
    data = [{"MetricName": "m", "Value": 1.0}]
    code = code_of(clients.cloudwatch.put_metric_data, Namespace="AWS/EC2", MetricData=data)
    assert code == "InvalidParameterValue"
    clients.cloudwatch.put_metric_data(Namespace=SPACE, MetricData=data)


def test_timestamps_are_judged_by_the_accounts_clock(
    account: EmulatedAccount, clients: Clients
) -> None:
    """What is too old now could be put in the past."""
    with account.clock.at(NOW - 100 * DAY):
        put(clients, {"Timestamp": NOW - 101 * DAY, "Value": 1.0})
    asked = query(space="mine", name="m", dimensions={}, Period=3600)
    assert len(read(clients, asked, start=NOW - 102 * DAY, end=NOW)) == 1


def test_get_metric_statistics(account: EmulatedAccount, clients: Clients) -> None:
    """Points of one metric with their unit, in no order."""
    points = [(ms(NOON - i * MINUTE), float(i)) for i in range(1, 21)]
    account.put_metric(SPACE, "loss", JOB, points, unit="Percent")
    answer = clients.cloudwatch.get_metric_statistics(
        Namespace=SPACE,
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "job-1"}],
        StartTime=NOON - 20 * MINUTE,
        EndTime=NOON,
        Period=60,
        Statistics=["Average", "Maximum"],
    )
    times = [point["Timestamp"] for point in answer["Datapoints"]]
    assert times != sorted(times)
    assert sorted(times) == [NOON - i * MINUTE for i in range(20, 0, -1)]
    assert {point["Unit"] for point in answer["Datapoints"]} == {"Percent"}
    newest = next(p for p in answer["Datapoints"] if p["Timestamp"] == NOON - MINUTE)
    assert (newest["Average"], newest["Maximum"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"StartTime": NOON - 1441 * MINUTE}, "InvalidParameterCombination"),
        ({"Statistics": None}, "MissingParameter"),
        ({"ExtendedStatistics": ["p90"]}, "InvalidParameterCombination"),
        ({"Period": 61}, "InvalidParameterValue"),
    ],
)
def test_get_metric_statistics_limits(clients: Clients, changes: dict[str, Any], code: str) -> None:
    """1,440 points; one kind of statistics; whole minutes."""
    request = {
        "Namespace": SPACE,
        "MetricName": "loss",
        "StartTime": NOON - 1440 * MINUTE,
        "EndTime": NOON,
        "Period": 60,
        "Statistics": ["Average"],
    }
    clients.cloudwatch.get_metric_statistics(**request)
    changed = {k: v for k, v in {**request, **changes}.items() if v is not None}
    assert code_of(clients.cloudwatch.get_metric_statistics, **changed) == code


def test_list_metrics(account: EmulatedAccount, clients: Clients) -> None:
    """500 a page; two weeks old at most; filters by name and by dimension."""
    for i in range(1001):
        account.put_metric(SPACE, "CPUUtilization", {"Host": f"job/algo-{i}"}, [(ms(NOW), 1.0)])
    account.put_metric(SPACE, "old", JOB, [(ms(NOW - 15 * DAY), 1.0)])
    account.put_metric(SPACE, "hours", JOB, [(ms(NOW - timedelta(hours=5)), 1.0)])
    pages = list(clients.cloudwatch.get_paginator("list_metrics").paginate(Namespace=SPACE))
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 2]

    def names(**parameters: Any) -> list[str]:
        return [m["MetricName"] for m in clients.cloudwatch.list_metrics(**parameters)["Metrics"]]

    assert names(Dimensions=[{"Name": "TrainingJobName"}]) == ["hours"]
    assert names(Dimensions=[{"Name": "Host", "Value": "job/algo-7"}]) == ["CPUUtilization"]
    assert names(Dimensions=[{"Name": "Host", "Value": "job/algo-"}]) == []
    assert names(MetricName="old") == []
    assert names(MetricName="hours", RecentlyActive="PT3H") == []
    junk = {"NextToken": "500"}
    assert code_of(clients.cloudwatch.list_metrics, **junk) == "InvalidNextToken"


def test_log_lines_become_metrics(
    clients: Clients, job_request: Callable[..., dict[str, Any]]
) -> None:
    """First match in a line, first group, numbers only; all hosts under TrainingJobName."""
    definitions = [
        {"Name": "loss", "Regex": r"loss=(\S+?)(;|$)"},
        {"Name": "broken", "Regex": "loss=("},
        {"Name": "groupless", "Regex": "loss="},
        {"Name": "endless", "Regex": r"((a|aa)+)$"},
    ]
    clients.sagemaker.create_training_job(
        **job_request(
            AlgorithmSpecification={
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": definitions,
            }
        )
    )
    clients.logs.create_log_group(logGroupName=GROUP)
    start = ms(NOON - MINUTE)
    for host, messages in (
        ("algo-1", ["loss=1;loss=9", "loss=abc", "loss=nan", "loss=1_0", "a" * 60 + "b"]),
        ("algo-2", ["loss=2\nloss=6\r", "nothing"]),
    ):
        stream = {"logGroupName": GROUP, "logStreamName": f"job-1/{host}-1"}
        clients.logs.create_log_stream(**stream)
        events = [{"timestamp": start + i, "message": m} for i, m in enumerate(messages)]
        clients.logs.put_log_events(**stream, logEvents=events)
    asked = [query(name=name, Stat="SampleCount") for name in ("loss",)]
    assert read(clients, *asked, start=NOON - MINUTE, end=NOON) == [(NOON - MINUTE, 3.0)]
    assert read(clients, query(), start=NOON - MINUTE, end=NOON) == [(NOON - MINUTE, 3.0)]
    listed = clients.cloudwatch.list_metrics(Namespace=SPACE)["Metrics"]
    assert [(m["MetricName"], m["Dimensions"]) for m in listed] == [
        ("loss", [{"Name": "TrainingJobName", "Value": "job-1"}])
    ]


def test_query_protocol(account: EmulatedAccount, clients: Clients) -> None:
    """Older SDKs speak the query protocol and read XML."""
    account.put_metric(SPACE, "loss", JOB, [(ms(NOON) - 1, 5.0)])
    scope = "Credential=key/20260302/us-east-1/monitoring/aws4_request"
    form = {
        "Action": "GetMetricStatistics",
        "Namespace": SPACE,
        "MetricName": "loss",
        "Dimensions.member.1.Name": "TrainingJobName",
        "Dimensions.member.1.Value": "job-1",
        "StartTime": "2026-03-02T11:00:00Z",
        "EndTime": "2026-03-02T12:00:00Z",
        "Period": "60",
        "Statistics.member.1": "Sum",
    }
    status, answer = query_call(account, clients, scope, form)
    assert status == 200
    assert [p["Sum"] for p in answer["Datapoints"]] == [5.0]
    assert answer["Datapoints"][0]["Timestamp"] == NOON - MINUTE
    status, answer = query_call(account, clients, scope, {**form, "Period": "61"})
    assert (status, answer["Error"]["Code"]) == (400, "InvalidParameterValue")
    assert account.calls == {"cloudwatch:GetMetricStatistics": 2}


def query_call(
    account: EmulatedAccount, clients: Clients, scope: str, form: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Send a form; read the answer with botocore's parser."""
    connection = HTTPConnection(account.endpoint.removeprefix("http://"))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
    }
    connection.request("POST", "/", urlencode(form), headers)
    response = connection.getresponse()
    model = clients.cloudwatch.meta.service_model.operation_model(form["Action"])
    raw = {"status_code": response.status, "headers": {}, "body": response.read()}
    connection.close()
    return response.status, QueryParser().parse(raw, model.output_shape)

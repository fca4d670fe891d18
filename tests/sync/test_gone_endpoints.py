"""An endpoint that is gone: what came since the last pass is read, and whoever listens hears it."""

from __future__ import annotations

from typing import Any

import boto3
from mlflow.entities import Run

from mlflow_smwatch.core.sources import read_sources
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import HOUR_MS, MINUTE_MS, job_answer, moment, now_ms, whole
from tests.sync.conftest import EVENTS, Mirror

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
GROUP, STREAM = "/apps/shop", "shop-1"
APP: dict[str, Any] = {
    "name": "app",
    "name-matches": "shop",
    "log-groups": [GROUP],
    "streams": "{name}-*",
    "definitions": [{"name": "score", "regex": r"score=(\S+)"}],
}
BLUE = {"EndpointName": "shop", "VariantName": "blue"}


def put(mirror: Mirror, created_ms: int = CREATED_MS) -> None:
    """Put an endpoint into service."""
    account = mirror.account
    account.put_model(kinds.model("model", created_ms=created_ms))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=created_ms))
    account.put_job("endpoint", kinds.endpoint("shop", created_ms=created_ms))


def put_scores(mirror: Mirror, *scores: float, begin: int) -> None:
    """Let the endpoint log, a line a minute."""
    lines = [
        (CREATED_MS + (begin + at) * MINUTE_MS, f"score={each}") for at, each in enumerate(scores)
    ]
    mirror.account.put_log_events(GROUP, STREAM, lines, publish=False)


def put_alarm(mirror: Mirror, *changes: tuple[int, str]) -> None:
    """Let an alarm on its invocations change, some minutes after it was made."""
    client = boto3.client("cloudwatch", endpoint_url=mirror.account.endpoint)
    for minute, state in changes:
        with mirror.account.clock.at(moment(CREATED_MS + minute * MINUTE_MS)):
            client.put_metric_alarm(
                AlarmName="busy",
                Namespace="AWS/SageMaker",
                MetricName="Invocations",
                Dimensions=[{"Name": key, "Value": value} for key, value in BLUE.items()],
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=9.0,
                ComparisonOperator="GreaterThanThreshold",
            )
            client.set_alarm_state(AlarmName="busy", StateValue=state, StateReason=state)


def look(mirror: Mirror, heard: list[Observation], **options: Any) -> SyncReport:
    """Make a pass with the source, and with somebody who listens."""
    given = {"kinds": ("endpoint", "training-job"), "artifacts": "none", "alarms": True, **options}
    sources = read_sources("sources", [APP])
    report = sync(mirror.options(sources=sources, **given), observers=(heard.append,))
    assert report.failed == []
    return report


def the_run(mirror: Mirror) -> Run:
    """Give the one run."""
    (run,) = mirror.runs()
    return run


def values(mirror: Mirror, key: str) -> list[float]:
    """Give the values of a metric of the one run."""
    return [value for _, _, value in mirror.points(the_run(mirror)).get(key, [])]


def test_the_last_look_reads_all_that_is_attached(mirror: Mirror) -> None:
    """Lines and changes of alarms between the last pass and the end; the report says the end."""
    put(mirror)
    put_scores(mirror, 1, 2, begin=1)
    mirror.account.put_metric("AWS/SageMaker", "Invocations", BLUE, [(CREATED_MS, 1.0)])
    put_alarm(mirror, (1, "OK"))
    look(mirror, [])
    assert values(mirror, "app/score") == [1, 2]
    put_scores(mirror, 3, 4, begin=60)
    put_alarm(mirror, (60, "ALARM"))
    mirror.account.remove_job("endpoint", "shop")
    heard: list[Observation] = []
    report = look(mirror, heard, settle_s=0)
    assert values(mirror, "app/score") == [1, 2, 3, 4]
    (alarm,) = (key for key in the_run(mirror).data.metrics if key.startswith("alarm/"))
    assert values(mirror, alarm)[-1] == 1.0
    assert the_run(mirror).data.tags["smwatch.final"] == "true"
    assert [(line.word, line.status) for line in report.runs] == [("updated", "FINISHED")]
    told = heard[-1]
    assert (told.record.status, told.final, told.created) == ("FINISHED", True, False)
    assert told.record.end_ms == the_run(mirror).info.end_time
    assert {"app/score", alarm} <= {each.key for each in told.points}
    before = mirror.dump()
    look(mirror, heard, settle_s=0)
    assert (mirror.dump(), len(heard)) == (before, 1)


def test_denied_logs_keep_the_run_open(mirror: Mirror) -> None:
    """It is final only once they are read; another look that is denied writes nothing."""
    put(mirror)
    put_scores(mirror, 1, begin=1)
    look(mirror, [])
    put_scores(mirror, 2, begin=60)
    mirror.account.remove_job("endpoint", "shop")
    mirror.account.faults.deny(EVENTS)
    heard: list[Observation] = []
    look(mirror, heard, settle_s=0)
    tags = the_run(mirror).data.tags
    assert "no logs of the source app" in tags["smwatch.warning"]
    assert "smwatch.final" not in tags
    assert [each.final for each in heard] == [False]
    before = mirror.dump()
    look(mirror, heard, settle_s=0)
    assert mirror.dump() == before
    mirror.account.faults.clear()
    look(mirror, heard, settle_s=0)
    assert values(mirror, "app/score") == [1, 2]
    assert the_run(mirror).data.tags["smwatch.final"] == "true"
    assert "smwatch.warning" not in the_run(mirror).data.tags


def test_a_notebook_instance(mirror: Mirror) -> None:
    """What is attached to it is read to the end too."""
    notebook = kinds.notebook_instance("shop", created_ms=CREATED_MS)
    mirror.account.put_job("notebook-instance", notebook)
    put_scores(mirror, 1, begin=1)
    given = {"kinds": ("notebook-instance",), "settle_s": 0}
    look(mirror, [], **given)
    put_scores(mirror, 2, begin=60)
    mirror.account.remove_job("notebook-instance", "shop")
    look(mirror, [], **given)
    assert values(mirror, "app/score") == [1, 2]
    tags, status = the_run(mirror).data.tags, the_run(mirror).info.status
    assert (tags["smwatch.final"], status) == ("true", "FINISHED")


def test_lines_of_another_that_has_its_name_by_now(mirror: Mirror) -> None:
    """They belong to that one alone."""
    put(mirror)
    put_scores(mirror, 1, begin=1)
    look(mirror, [])
    mirror.account.remove_job("endpoint", "shop")
    again_ms = CREATED_MS + HOUR_MS
    put(mirror, again_ms)
    put_scores(mirror, 2, begin=59)
    put_scores(mirror, 3, 4, begin=61)
    look(mirror, [])
    runs = {run.info.start_time: mirror.points(run) for run in mirror.runs()}
    scores = {
        begin_ms: [value for key in points if key.startswith("app/") for _, _, value in points[key]]
        for begin_ms, points in runs.items()
    }
    assert scores == {CREATED_MS: [1, 2], again_ms: [3, 4]}


def test_an_ordinary_job(mirror: Mirror) -> None:
    """It is told of too: nothing more comes of it."""
    mirror.account.put_training_job(job_answer("job", created_ms=CREATED_MS))
    look(mirror, [])
    mirror.account.remove_training_job("job")
    heard: list[Observation] = []
    report = look(mirror, heard)
    assert [line.status for line in report.runs] == ["KILLED"]
    assert [(each.record.status, each.final) for each in heard] == [("KILLED", True)]
    look(mirror, heard)
    assert len(heard) == 1

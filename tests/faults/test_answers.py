"""Answers that are broken on the way, once or for good."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.demo.breakages import BREAKAGES
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.mirror import Mirror as Engine
from tests.faults.conftest import Weather, cut, require_plain, some_of
from tests.jobs import arn
from tests.sync.conftest import DESCRIBE, EVENTS, IDENTITY, METRICS, SEARCH, STREAMS

BROKEN = sorted(set(BREAKAGES) - {"StalledBody"})
ERRORS: dict[str, dict[str, Any]] = {
    "throttled": {"code": "ThrottlingException"},
    "500": {"code": "InternalFailure", "status": 500},
    "503": {"code": "ServiceUnavailable", "status": 503},
    "reset": {"code": None},
    **{name: {"code": name} for name in BROKEN},
}


@pytest.mark.parametrize("fault", some_of(ERRORS, "LostAnswer", "OtherJson"))
def test_once(paged: Weather, fault: str) -> None:
    """One broken answer of every operation costs one more call each, and nothing else."""
    paged.calm_calls()
    calm = dict(paged.account.calls)
    for operation in calm:
        paged.account.faults.fail(operation, **ERRORS[fault])
    report = paged.sync()
    assert report.failed == []
    assert report.warnings == []
    assert paged.account.calls.total() <= sum(calm.values()) + len(calm)
    paged.clear_up()


@pytest.mark.parametrize("operation", some_of((METRICS, EVENTS, STREAMS), METRICS))
@pytest.mark.parametrize("code", some_of(BROKEN, "HtmlPage", "OtherJson"))
def test_for_good(
    weather: Weather, monkeypatch: pytest.MonkeyPatch, operation: str, code: str
) -> None:
    """The jobs that need the operation fail, each with its reason in one line; nothing is lost."""
    if code == "SlowBody":
        pytest.skip("a slow answer is a whole one")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    weather.account.faults.fail(operation, times=None, code=code)
    report = weather.sync()
    assert report.failed
    assert all(operation in each.error for each in report.failed)
    assert not any("\n" in each.error for each in report.failed)
    weather.clear_up()


@pytest.mark.parametrize(
    "code", some_of(("HtmlPage", "OtherJson", "EmptyBody", "GarbledBody", "BadGateway"), "HtmlPage")
)
def test_everything_for_good(weather: Weather, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Where nothing answers as AWS does the pass stops, and says what to look at."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    weather.account.faults.fail("*", times=None, code=code)
    with pytest.raises(StopError, match="run again later") as error:
        weather.mirror.sync()
    require_plain(str(error.value))
    assert "\n" not in str(error.value)
    weather.clear_up()


@pytest.mark.parametrize("code", some_of(("HtmlPage", "OtherJson", "MalformedBody"), "OtherJson"))
def test_whose_account_it_is(weather: Weather, code: str) -> None:
    """Also the one answer that says whose the account is may be broken."""
    weather.sync()
    weather.account.faults.fail(SEARCH, times=None, code="AccessDeniedException", status=400)
    weather.account.faults.fail("sagemaker:List*", times=None, code="AccessDeniedException")
    weather.account.faults.fail(IDENTITY, times=1, code=code)
    with pytest.raises(StopError, match="denied"):
        weather.mirror.sync()
    weather.clear_up()


@pytest.mark.parametrize("code", some_of(("StalledBody", "SlowBody"), "StalledBody"))
def test_a_body_that_takes_longer(weather: Weather, code: str) -> None:
    """One that comes piece by piece is waited for; one that stops is asked for again."""
    connection = Connection.to(weather.mirror.options())
    aws = connection.aws
    aws.config = aws.config.merge(Config(read_timeout=0.6))
    cut(weather.account)
    for operation in (SEARCH, METRICS, EVENTS):
        weather.account.faults.fail(operation, code=code)
    report = Engine(weather.mirror.options(), connection=connection).sync()
    assert report.failed == []
    tries = weather.account.calls[SEARCH]
    assert tries == (5 if code == "StalledBody" else 4)
    weather.clear_up()


def test_one_job_that_is_broken(weather: Weather) -> None:
    """A job that AWS does not describe as it should be stops no other."""
    weather.account.faults.fail(SEARCH, times=None, code="AccessDeniedException")
    weather.account.faults.fail(DESCRIBE, times=1, code="InternalFailure", status=501)
    done = weather.program("--json")
    assert done.code == 1
    document = done.document
    (failed,) = document["failed"]
    names = {job.name for job in weather.author.jobs}
    assert {each["name"] for each in document["runs"]} == {
        name for name in names if arn(name) != failed["arn"]
    }
    assert done.err.count("Error: ") == 1
    weather.clear_up()

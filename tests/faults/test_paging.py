"""Tokens that lead to a further page die on the way."""

from __future__ import annotations

import pytest

from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.signatures import Sent
from tests.faults.conftest import MOST, Weather, some_of
from tests.sync.conftest import ASSOCIATIONS, EVENTS, LIST, METRICS, SEARCH, STREAMS


@pytest.mark.parametrize("operation", some_of((SEARCH, STREAMS, EVENTS, METRICS), SEARCH, METRICS))
def test_a_token_dies(paged: Weather, operation: str) -> None:
    """The listing begins anew, and nothing of it is taken twice, left out or said."""
    calm = paged.calm_calls()
    paged.account.faults.expire_tokens(operation)
    report = paged.sync()
    assert report.failed == []
    assert report.warnings == []
    assert paged.account.calls.total() <= MOST * calm
    assert paged.account.calls[LIST] == 0
    paged.clear_up()


def test_a_token_of_the_lists_dies(paged: Weather) -> None:
    """So do the lists that stand in for Search."""
    paged.account.faults.deny(SEARCH)
    paged.account.faults.page_size(ASSOCIATIONS, 1)
    paged.account.faults.expire_tokens(LIST, times=2)
    report = paged.sync()
    assert report.failed == []
    assert len(report.runs) == len(paged.author.jobs)
    paged.clear_up()


@pytest.mark.parametrize("operation", some_of((SEARCH, STREAMS, METRICS), METRICS))
def test_every_token_is_dead(paged: Weather, operation: str) -> None:
    """It is not tried for ever; what could not be read is named, and comes later."""
    paged.account.faults.expire_tokens(operation, times=10_000)
    report = paged.sync()
    assert report.failed or report.warnings
    assert paged.account.calls[operation] < 200
    paged.clear_up()


def test_tokens_are_refused_in_each_services_words(weather: Weather) -> None:
    """As AWS does: each service has its own error for a token that has grown old."""
    faults = weather.account.faults
    said = {}
    for operation in (SEARCH, STREAMS, METRICS):
        faults.expire_tokens(operation)
        assert faults.next_fault(operation, Sent()) is None
        fault = faults.next_fault(operation, Sent(leads_on=True))
        assert isinstance(fault, AwsError)
        said[operation] = fault.code
        assert faults.next_fault(operation, Sent(leads_on=True)) is None
    assert list(said.values()) == [
        "ValidationException",
        "InvalidParameterException",
        "InvalidNextToken",
    ]

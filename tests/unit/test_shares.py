"""Rates that several processes divide among themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.ledger import Ledger, Pacer, RateShare
from mlflow_smwatch.aws.operations import GET_LOG_EVENTS, GET_METRIC_DATA, OPERATIONS, SEARCH
from tests.unit.test_ledger import FakeTime


@given(st.integers(1, 1000), st.sampled_from(sorted(OPERATIONS)))
def test_the_shares_make_one(readers: int, action: str) -> None:
    """However many read, together with the one that finds they spend the whole, and no more."""
    shares = [RateShare.of_coordinator(), *[RateShare.of_reader(readers)] * readers]
    assert sum(share.of(action) for share in shares) == pytest.approx(1)
    assert all(share.of(action) > 0 for share in shares)


def test_finding_is_the_coordinators() -> None:
    """It calls what finds jobs; the others call what reads them."""
    coordinator, reader = RateShare.of_coordinator(), RateShare.of_reader(4)
    assert coordinator.of(SEARCH) > reader.of(SEARCH)
    assert coordinator.of(GET_METRIC_DATA) < reader.of(GET_METRIC_DATA)
    assert RateShare().of(SEARCH) == RateShare().of(GET_LOG_EVENTS) == 1


def test_another_rate_counts_from_now_on() -> None:
    """What was spent at the old one stays spent."""
    time = FakeTime()
    pacer = Pacer(10.0, time.clock, time.sleep)
    pacer.spend()
    pacer.change(1.0, 0.0)
    pacer.spend()
    assert time.now == pytest.approx(100.1)
    pacer.spend()
    assert time.now == pytest.approx(101.1)


def test_the_books_are_closed_and_entered() -> None:
    """What one ledger gives away another one takes in, once."""
    worker, coordinator = Ledger("us-east-1"), Ledger("us-east-1")
    worker.count(GET_METRIC_DATA, 2)
    worker.charge_metrics(1000)
    coordinator.count(SEARCH)
    coordinator.enter(*worker.settle())
    coordinator.enter(*worker.settle())
    assert coordinator.calls == {SEARCH: 1, GET_METRIC_DATA: 2}
    assert coordinator.cost_usd == pytest.approx(0.01)
    assert (dict(worker.calls), worker.cost_usd) == ({}, 0.0)

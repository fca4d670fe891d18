"""Pacing: no quota is spent faster than it grows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.ledger import Ledger, Pacer
from mlflow_smwatch.aws.operations import (
    DESCRIBE_LOG_STREAMS,
    GET_LOG_EVENTS,
    OPERATIONS,
    RECEIVE_MESSAGE,
    permission,
)


class FakeTime:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.floats(0, 3), min_size=1, max_size=50), st.sampled_from([0.5, 2.0, 40.0]))
def test_calls_are_spaced(work: list[float], rate: float) -> None:
    """Two calls are at least one interval apart, however long the work between them."""
    time = FakeTime()
    pacer = Pacer(rate, time.clock, time.sleep)
    sent = []
    for seconds in work:
        pacer.spend()
        sent.append(time.now)
        time.now += seconds
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert all(gap >= 1 / rate - 1e-9 for gap in gaps)
    assert sent[0] == 100.0


def test_a_large_spending_makes_the_next_one_wait() -> None:
    """Units are what the quota counts, calls or datapoints."""
    time = FakeTime()
    pacer = Pacer(100.0, time.clock, time.sleep)
    pacer.spend(250)
    pacer.spend(1)
    assert time.now == 102.5


def test_metrics_have_a_price() -> None:
    """0.01 USD per 1,000 metrics requested."""
    ledger = Ledger("us-east-1")
    ledger.charge_metrics(500)
    ledger.charge_metrics(1500)
    assert round(ledger.cost_usd, 9) == 0.02


@pytest.mark.parametrize(
    ("region", "quota"),
    [
        ("us-east-1", 25),
        ("ap-south-1", 25),
        ("us-west-2", 10),
        ("ap-northeast-3", 10),
        ("ap-southeast-3", 10),
        ("ca-west-1", 10),
        ("eu-central-1", 10),
        ("eu-west-1", 10),
        ("il-central-1", 10),
        ("eu-west-3", 30),
    ],
)
def test_log_events_are_read_at_the_pace_of_the_region(region: str, quota: int) -> None:
    """Nine tenths of what "CloudWatch Logs quotas" publishes."""
    assert OPERATIONS[GET_LOG_EVENTS].rate_in(region) == pytest.approx(0.9 * quota)
    assert OPERATIONS[DESCRIBE_LOG_STREAMS].rate_in(region) == pytest.approx(0.9 * 25)


def test_calls_have_a_price() -> None:
    """SQS takes 0.40 USD per million requests; most calls are free, also those unheard of."""
    ledger = Ledger("us-east-1")
    ledger.count(GET_LOG_EVENTS, 1_000_000)
    ledger.count("logs:SomethingElse")
    assert ledger.cost_usd == 0
    ledger.count(RECEIVE_MESSAGE, 1_000_000)
    assert ledger.cost_usd == pytest.approx(0.40)


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_permissions(action: str) -> None:
    """IAM knows neither SQS's batches nor a service of metrics, and no HEAD of S3's."""
    in_s3 = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadObject": "s3:GetObject"}
    action_name = in_s3.get(action, action)
    action_name = action_name.removesuffix("Batch").replace("sagemaker-metrics:", "sagemaker:")
    assert permission(action) == action_name


def test_a_burst_is_ahead_of_the_rate_and_paid_back() -> None:
    """Some calls go out at once; after that the rate holds, and a pause fills the burst again."""
    now, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))
        now[0] += seconds

    pacer = Pacer(10, burst=2, clock=lambda: now[0], sleep=sleep)
    for _ in range(5):
        pacer.spend()
    assert waits == [0.1, 0.1]
    assert now[0] == pytest.approx(0.2)
    now[0] += 60
    for _ in range(4):
        pacer.spend()
    assert waits == [0.1, 0.1, 0.1]

"""Some requests of every operation fail, in every way there is: nothing is lost or doubled."""

from __future__ import annotations

import pytest

from mlflow_smwatch.demo.bad_days import TRANSIENT, Storm, throttle_as_published
from tests.faults.conftest import MOST, Weather, seeds


@pytest.mark.parametrize("seed", seeds(1))
def test_a_few_of_a_hundred_requests_fail(paged: Weather, seed: int) -> None:
    """Such a pass is whole and makes at most half as many calls again; so is the next, later."""
    calm = paged.calm_calls()
    assert calm > 40
    paged.account.faults.follow(Storm(seed=seed, share=0.04))
    report = paged.sync()
    assert report.failed == []
    assert paged.account.calls.total() <= MOST * calm
    paged.author.grow()
    paged.author.end()
    paged.sync()
    paged.clear_up()


@pytest.mark.parametrize("seed", seeds(1))
def test_every_third_request_fails(paged: Weather, seed: int) -> None:
    """Whatever such a pass could not read, one calm pass adds."""
    paged.account.faults.follow(Storm(seed=seed, share=0.33))
    paged.sync()
    paged.author.grow()
    paged.author.end()
    paged.clear_up()


def test_a_storm_is_the_same_again() -> None:
    """What fails depends on seed, operation and number; no three on end."""
    storm, again = (Storm(seed=5, share=0.5) for _ in range(2))
    said = [storm.fault("sagemaker:Search", number) for number in range(200)]
    assert said == [again.fault("sagemaker:Search", number) for number in range(200)]
    assert said != [storm.fault("sagemaker:ListTags", number) for number in range(200)]
    assert all(None in said[start : start + 3] for start in range(198))
    assert set(said) > {None, *TRANSIENT[:2]}


def test_throttled_as_aws_publishes_it(paged: Weather) -> None:
    """The mirror keeps to the rates that AWS publishes, so next to nothing is refused."""
    calm = paged.calm_calls()
    throttle_as_published(paged.account.faults)
    report = paged.sync()
    assert report.failed == []
    assert paged.account.calls.total() <= MOST * calm
    paged.clear_up()

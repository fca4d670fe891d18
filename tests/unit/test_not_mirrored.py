"""What has no run is said so, in one line."""

from __future__ import annotations

import pytest

from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.not_mirrored import NOT_MIRRORED, why_not

ACCOUNT = "eu-west-1:123456789012"


@pytest.mark.parametrize("key", NOT_MIRRORED)
def test_each_is_said_in_one_line(key: str) -> None:
    """What it is, and what to look at instead."""
    service, _, word = key.partition(":")
    arn = f"arn:aws-us-gov:{service}:{ACCOUNT}:{word}/thing"
    said = why_not(arn)
    assert said is not None
    assert said.startswith(f"not mirrored: {arn} is ")
    assert NOT_MIRRORED[key].instead in said
    assert "\n" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "arn:odd",
        f"arn:aws:s3:{ACCOUNT}:thing",
        f"arn:aws:sagemaker:{ACCOUNT}:unheard-of/thing",
        f"arn:aws:sagemaker:{ACCOUNT}:pipeline/p/execution/abc",
        *(
            f"arn:aws:sagemaker:{ACCOUNT}:{kind.resource_type}/thing"
            for kind in KINDS.values()
            if kind.resource_type != "pipeline"
        ),
    ],
)
def test_nothing_is_said_of_others(text: str) -> None:
    """Names, what is mirrored, and what nobody has heard of."""
    assert why_not(text) is None


def test_the_generic_jobs() -> None:
    """Their ARN has a category before the name."""
    said = why_not(f"arn:aws:sagemaker:{ACCOUNT}:job/AgentRFT/tune-it")
    assert said is not None
    assert "/aws/sagemaker/Job/<JobCategory>" in said

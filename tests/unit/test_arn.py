"""ARNs: parts, round trip, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.arn import EXAMPLE, Arn, is_arn
from mlflow_smwatch.core.errors import UsageError
from tests.strategies import any_text, arns


def test_parts() -> None:
    """Every part is where AWS puts it."""
    arn = Arn.parse("arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:training-job/my-job")
    assert arn == Arn(
        partition="aws-us-gov",
        service="sagemaker",
        region="us-gov-west-1",
        account="123456789012",
        resource="training-job/my-job",
    )
    assert (arn.resource_type, arn.resource_name) == ("training-job", "my-job")


@pytest.mark.parametrize(
    ("text", "resource_type", "resource_name"),
    [
        (
            "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p/execution/abc",
            "pipeline",
            "p/execution/abc",
        ),
        (
            "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
            "log-group",
            "/aws/sagemaker/TrainingJobs:*",
        ),
        ("arn:aws-cn:s3:::a-bucket", "", "a-bucket"),
        ("arn:aws:sagemaker:eu-west-1:aws:pipeline/p", "pipeline", "p"),
        ("arn:aws-eusc:iam::123456789012:role/service-role/r", "role", "service-role/r"),
        ("arn:aws:sns:us-east-1:123456789012:a topic", "", "a topic"),
    ],
)
def test_resource(text: str, resource_type: str, resource_name: str) -> None:
    """The type ends at the first separator; a name may hold more of them."""
    arn = Arn.parse(text)
    assert (arn.resource_type, arn.resource_name) == (resource_type, resource_name)
    assert str(arn) == text


@given(arns)
def test_round_trip(arn: Arn) -> None:
    """An ARN's text parses to the ARN."""
    assert Arn.parse(str(arn)) == arn


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my-job",
        "arn:",
        "arn:aws:sagemaker:us-east-1:123456789012",
        "arn:aws:sagemaker:us-east-1:123456789012:",
        "arn:aws:sagemaker:us-east-1:12345:training-job/j",
        "arn:aws:sagemaker:us-east-1:１２３４５６７８９０１２:training-job/j",  # noqa: RUF001
        "arn:aws:sagemaker:US EAST:123456789012:training-job/j",
        "arn:azure:sagemaker:us-east-1:123456789012:training-job/j",
        "ARN:aws:sagemaker:us-east-1:123456789012:training-job/j",
        " arn:aws:sagemaker:us-east-1:123456789012:training-job/j",
        "arn:aws:sagemaker:us-east-1:123456789012:training-job/j\n",
        "arn:aws:sagemaker:us-east-1:123456789012:training-job/\ud800",
        "s3://bucket/key",
    ],
)
def test_refused(text: str) -> None:
    """What is no ARN is named, on one line, beside one that is."""
    with pytest.raises(UsageError) as raised:
        Arn.parse(text)
    message = str(raised.value)
    assert "\n" not in message
    assert EXAMPLE in message
    assert message.isprintable()


@given(st.one_of(any_text, any_text.map("arn:aws:sagemaker:".__add__)))
def test_never_another_error(text: str) -> None:
    """Any text is either parsed, and comes back as it was, or refused in one short line."""
    try:
        outcome = str(Arn.parse(text))
    except UsageError as error:
        outcome = str(error)
        assert_one_short_line(outcome)
    else:
        assert outcome == text


def assert_one_short_line(message: str) -> None:
    """Refuse a message that would spill over a terminal."""
    assert message.isprintable()
    assert len(message) < 2500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EXAMPLE, True),
        ("arn:aws:sagemaker:broken", True),
        ("my-job", False),
        ("arn", False),
        ("s3://arn:aws:s3", False),
        ("", False),
    ],
)
def test_is_arn(text: str, *, expected: bool) -> None:
    """A text that begins like an ARN is meant as one, so that a broken one is refused by parse."""
    assert is_arn(text) is expected


def test_example_is_one() -> None:
    """The example of the error message is right."""
    assert str(Arn.parse(EXAMPLE)) == EXAMPLE

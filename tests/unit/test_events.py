"""A message's body gives the ARN of a job, or one line that says why it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.events import JobEvent, job_event
from mlflow_smwatch.core.job_kinds import KINDS, JobKind

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1"
TYPE = "SageMaker Training Job State Change"


def event(**changes: Any) -> dict[str, Any]:
    """Make an event as a rule puts it into a queue, fields replaced or (None) left out."""
    whole = {
        "version": "0",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "detail-type": TYPE,
        "source": "aws.sagemaker",
        "account": "123456789012",
        "time": "2026-10-06T12:26:13Z",
        "region": "us-east-1",
        "resources": [ARN],
        "detail": {
            "TrainingJobName": "another-name",
            "TrainingJobArn": ARN,
            "TrainingJobStatus": "Failed",
            "CreationTime": 1583831889050,
        },
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def notification(message: object) -> str:
    """Make what SNS puts into a queue that is subscribed without raw delivery."""
    return json.dumps({"Type": "Notification", "MessageId": "m", "Message": message})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(event()), id="event"),
        pytest.param(json.dumps(event(detail=None)), id="no detail"),
        pytest.param(json.dumps(event(detail={"TrainingJobArn": 7})), id="odd detail"),
        pytest.param(json.dumps(event(detail="text")), id="detail is text"),
        pytest.param(json.dumps(event(resources=None)), id="no resources"),
        pytest.param(json.dumps(event(resources=["arn:aws:s3:::x"])), id="detail goes first"),
        pytest.param(json.dumps(event(account=None, region="moon", time=5)), id="rest is ignored"),
        pytest.param(notification(json.dumps(event())), id="through SNS"),
        pytest.param(f"\n {json.dumps(event(), indent=2)}\n", id="white space"),
    ],
)
def test_the_job_is_found(body: str) -> None:
    """The ARN is taken from the detail, else from the resources, and nothing else is looked at."""
    assert job_event(body) == JobEvent(arn=ARN, name="job-1", kind="training-job")


@pytest.mark.parametrize(
    ("told", "name"),
    [("JOB-1", "JOB-1"), ("job-1", "job-1"), ("job-2", "job-1"), (None, "job-1"), (7, "job-1")],
)
def test_the_name_is_the_arns(told: object, name: str) -> None:
    """The event's spelling is taken where the ARN may have lost it, and nothing else."""
    detail = {"TrainingJobName": told, "TrainingJobArn": ARN}
    assert job_event(json.dumps(event(detail=detail))).name == name


SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        json.dumps([SECRET]),
        json.dumps(event(source=SECRET)),
        json.dumps(event(source={"is": SECRET})),
        json.dumps(event(detail={"TrainingJobArn": SECRET})),
        json.dumps(event(detail={"TrainingJobArn": f"{ARN} {SECRET}"})),
        "x" * 75 + f" {SECRET}",
    ],
)
def test_secrets_are_not_repeated(body: str) -> None:
    """Whatever somebody sends goes into the log, but for what looks like a secret."""
    with pytest.raises(JobError) as caught:
        job_event(body)
    assert SECRET[:8] not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not JSON: ''"),
        ("hello\nworld", "not JSON: 'hello\\nworld'"),
        ("[" * 100_000, "not JSON: "),
        ("[]", "not an event: '[]'"),
        ("null", "not an event"),
        ("{}", "its source is None"),
        (json.dumps(event(source="aws.ec2")), "not an event of aws.sagemaker: its source is"),
        (json.dumps(event(source=["aws.sagemaker"])), "its source is ['aws.sagemaker']"),
        (
            json.dumps(event(**{"detail-type": "SageMaker Model State Change"})),
            "events of the type 'SageMaker Model State Change' are not mirrored",
        ),
        (json.dumps(event(**{"detail-type": {}})), "events of the type {} are not mirrored"),
        (json.dumps(event(detail={}, resources=[])), "without an ARN"),
        (json.dumps(event(detail={}, resources=None)), "without an ARN"),
        (json.dumps(event(detail={"TrainingJobArn": "job-1"})), "not an ARN: 'job-1'"),
        (
            json.dumps(event(detail={"TrainingJobArn": ARN.replace("training", "transform")})),
            "is not the ARN of a training job",
        ),
        (json.dumps(event(detail={"TrainingJobArn": ARN + "x" * 300})), "is not the ARN of a"),
        (json.dumps(event(detail={"TrainingJobArn": ARN + "'; drop"})), "is not the ARN of a"),
        (notification("hello"), "not JSON: 'hello'"),
        (notification(5), "its source is None"),
        (notification(notification(json.dumps(event()))), "its source is None"),
    ],
)
def test_what_is_not_understood(body: str, why: str) -> None:
    """Anything else is refused in one line, which names what is wrong."""
    with pytest.raises(JobError) as caught:
        job_event(body)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


WITH_EVENTS = [kind for kind in KINDS.values() if kind.event_type]


def test_an_event_type_tells_the_kind() -> None:
    """No two kinds share one; AWS tells nothing of these three."""
    assert len({kind.event_type for kind in WITH_EVENTS}) == len(WITH_EVENTS)
    silent = {kind.word for kind in KINDS.values()} - {kind.word for kind in WITH_EVENTS}
    assert silent == {"automl-job", "trial", "trial-component"}


@pytest.mark.parametrize("kind", WITH_EVENTS, ids=lambda kind: kind.word)
def test_every_kind_with_events(kind: JobKind) -> None:
    """The ARN stands in a field of its own; a pipeline's execution goes by the last part of it."""
    resource = "pipeline/p/execution/x" if kind.word == "pipeline-execution" else ""
    resource = resource or f"{kind.resource_type}/x"
    arn = f"arn:aws-cn:sagemaker:cn-north-1:123456789012:{resource}"
    changes = {"detail-type": kind.event_type, "detail": {kind.event_arn: arn}}
    found = job_event(json.dumps(event(**changes)))
    assert found == JobEvent(arn=arn, name="x", kind=kind.word)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ARN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("source", "detail-type", "detail", "resources", "Type", "Message")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | st.text())
def test_nothing_but_a_job_or_a_reason(changes: dict[str, Any] | str) -> None:
    """Whatever somebody sends, the answer is the right ARN or one of our errors."""
    body = changes if isinstance(changes, str) else json.dumps({**event(), **changes})
    assert outcome(body) in {JobEvent(arn=ARN, name="job-1", kind="training-job"), "one line"}


def outcome(body: str) -> JobEvent | str:
    """Say what becomes of a body."""
    try:
        return job_event(body)
    except JobError as error:
        return "one line" if str(error).isprintable() else "several"

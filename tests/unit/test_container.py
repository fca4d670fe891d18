"""What a container says of its job."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.container import container_tags
from mlflow_smwatch.core.tags import FACTS, HOST, is_fact

BASE = "arn:aws:sagemaker:eu-west-1:123456789012"
TRAINING = f"{BASE}:training-job/my-job"
PROCESSING = f"{BASE}:processing-job/clean"
TRANSFORM = f"{BASE}:transform-job/score"
JOB_FILE = "config/processingjobconfig.json"
TRAINING_HOSTS, PROCESSING_HOSTS = "input/config/resourceconfig.json", "config/resourceconfig.json"


def tags(environment: dict[str, str], files: dict[str, str] | None = None) -> dict[str, str] | None:
    """Look at a container."""
    return container_tags(environment, (files or {}).get)


def said(arn: str, kind: str, name: str, host: str | None = None) -> dict[str, str]:
    """Write out the tags of a job."""
    found = {
        "sagemaker.arn": arn,
        "sagemaker.kind": kind,
        "sagemaker.name": name,
        "sagemaker.region": arn.split(":")[3],
    }
    return found | ({"sagemaker.host": host} if host else {})


def config(arn: object = PROCESSING, name: object = "clean") -> dict[str, str]:
    """Give the file of a processing container."""
    return {JOB_FILE: json.dumps({"ProcessingJobArn": arn, "ProcessingJobName": name})}


CONTAINERS = [
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING}, {}, said(TRAINING, "training-job", "my-job"), id="only-arn"
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING, "TRAINING_JOB_NAME": "My-Job", "SM_CURRENT_HOST": "algo-2"},
        {TRAINING_HOSTS: "never read"},
        said(TRAINING, "training-job", "My-Job", "algo-2"),
        id="arn-in-small-letters",
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING, "SM_TRAINING_ENV": '{"current_host": "algo-3"}'},
        {},
        said(TRAINING, "training-job", "my-job", "algo-3"),
        id="host-of-the-toolkit",
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING, "SM_TRAINING_ENV": "{"},
        {TRAINING_HOSTS: '{"current_host": "algo-1", "hosts": ["algo-1"]}'},
        said(TRAINING, "training-job", "my-job", "algo-1"),
        id="host-of-the-file",
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING},
        {TRAINING_HOSTS: '{"current_host": 7}'},
        said(TRAINING, "training-job", "my-job"),
        id="no-host",
    ),
    pytest.param(
        {},
        {**config(), PROCESSING_HOSTS: '{"current_host": "algo-2"}'},
        said(PROCESSING, "processing-job", "clean", "algo-2"),
        id="processing",
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING},
        config(),
        said(PROCESSING, "processing-job", "clean"),
        id="processing-that-was-given-the-arn-of-a-training",
    ),
    pytest.param(
        {"TRANSFORM_JOB_ARN": TRANSFORM},
        {},
        said(TRANSFORM, "transform-job", "score"),
        id="transform",
    ),
    pytest.param(
        {"TRAINING_JOB_ARN": TRAINING.replace("arn:aws:", "arn:aws-cn:")},
        {},
        said(TRAINING.replace("arn:aws:", "arn:aws-cn:"), "training-job", "my-job"),
        id="other-partition",
    ),
]

ELSEWHERE = [
    pytest.param({}, {}, id="nothing"),
    pytest.param({"TRAINING_JOB_NAME": "my-job", "SM_CURRENT_HOST": "algo-1"}, {}, id="local-mode"),
    pytest.param({}, config("clean"), id="local-processing"),
    pytest.param({"TRAINING_JOB_ARN": "my own variable"}, {}, id="no-arn"),
    pytest.param({"TRAINING_JOB_ARN": ""}, {}, id="empty"),
    pytest.param({"TRAINING_JOB_ARN": PROCESSING}, {}, id="other-kind"),
    pytest.param({"TRAINING_JOB_ARN": f"{BASE}:model/m"}, {}, id="no-job"),
    pytest.param({"TRAINING_JOB_ARN": TRAINING.replace(":sagemaker:", ":s3:")}, {}, id="service"),
    pytest.param({"TRAINING_JOB_ARN": TRAINING.replace("eu-west-1", "")}, {}, id="no-region"),
    pytest.param({"TRAINING_JOB_ARN": TRAINING, "TRAINING_JOB_NAME": "other"}, {}, id="name"),
    pytest.param({}, {JOB_FILE: ""}, id="unreadable-file"),
    pytest.param({}, {JOB_FILE: "[" * 100_000}, id="deep-file"),
    pytest.param({}, {JOB_FILE: "[1]"}, id="list"),
    pytest.param({}, config(None), id="null"),
    pytest.param({}, config({"a": 1}), id="object"),
    pytest.param({}, config(name="another"), id="another-name"),
]


@pytest.mark.parametrize(("environment", "files", "expected"), CONTAINERS)
def test_container(
    environment: dict[str, str], files: dict[str, str], expected: dict[str, str]
) -> None:
    """Whose job it is, and which host, where that is told."""
    assert tags(environment, files) == expected


@pytest.mark.parametrize(("environment", "files"), ELSEWHERE)
def test_elsewhere(environment: dict[str, str], files: dict[str, str]) -> None:
    """Without an ARN that is certain nothing is tagged, and nothing is raised."""
    assert tags(environment, files) is None


def test_the_host_is_no_fact() -> None:
    """So it stays on a run that the mirror adopts."""
    assert HOST not in FACTS
    assert not is_fact(HOST)


NAMES = st.sampled_from(
    [
        "TRAINING_JOB_ARN",
        "TRAINING_JOB_NAME",
        "TRANSFORM_JOB_ARN",
        "SM_CURRENT_HOST",
        "SM_TRAINING_ENV",
    ]
)
VALUES = st.one_of(st.text(), st.sampled_from([TRAINING, PROCESSING, TRANSFORM, "my-job", "{}"]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), VALUES),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
PARTS = st.sampled_from(["ProcessingJobArn", "ProcessingJobName", "current_host"])
TEXTS = st.one_of(st.text(), JSON.map(json.dumps), st.dictionaries(PARTS, JSON).map(json.dumps))


@given(
    st.dictionaries(NAMES, VALUES),
    st.dictionaries(st.sampled_from([JOB_FILE, TRAINING_HOSTS, PROCESSING_HOSTS]), TEXTS),
)
def test_anything_at_all(environment: dict[str, str], files: dict[str, str]) -> None:
    """It never raises; what it tags is an ARN with its own kind, name and Region."""
    found = tags(environment, files)
    if found is not None:
        arn = found["sagemaker.arn"].split(":")
        kind, _, name = arn[5].partition("/")
        assert found["sagemaker.region"] == arn[3]
        assert (found["sagemaker.kind"], found["sagemaker.name"].lower()) == (kind, name.lower())

"""AWS's answers → jobs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mlflow_smwatch.core.describe import iso_utc, to_ms, training_job
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job import Channel, FinalMetric, MetricDefinition, Phase
from mlflow_smwatch.core.kinship import Kinship

CREATED = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=timezone.utc)
ENDED = CREATED + timedelta(minutes=10)


def answer(**changes: Any) -> dict[str, Any]:
    """Build a small DescribeTrainingJob answer."""
    base = {
        "TrainingJobName": "job",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job",
        "TrainingJobStatus": "Completed",
        "CreationTime": CREATED,
        "LastModifiedTime": ENDED + timedelta(seconds=5),
    }
    return {**base, **changes}


def test_times_are_milliseconds_and_written_in_utc() -> None:
    """CreationTime keeps its milliseconds."""
    job = training_job(answer(TrainingEndTime=ENDED))
    assert iso_utc(job.created_ms) == "2026-01-31T12:00:00.250Z"
    assert job.ended_ms == to_ms(ENDED)
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=9)))
    assert to_ms(elsewhere) == job.created_ms


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_an_ended_job_without_an_end_ended_when_it_was_modified(status: str) -> None:
    """A job that failed before it trained has no TrainingEndTime."""
    assert training_job(answer(TrainingJobStatus=status)).ended_ms == to_ms(ENDED) + 5000


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Deleting"])
def test_a_job_that_goes_on_has_no_end(status: str) -> None:
    """Whatever its times say."""
    job = training_job(answer(TrainingJobStatus=status, TrainingEndTime=ENDED))
    assert job.ended_ms is None
    assert not job.ended


@pytest.mark.parametrize(
    "missing", ["TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "CreationTime"]
)
def test_an_answer_without_its_core_is_an_error_of_that_job(missing: str) -> None:
    """It is named, and the others go on."""
    content = answer()
    del content[missing]
    with pytest.raises(JobError, match=missing):
        training_job(content)


def test_instance_groups_are_added_up() -> None:
    """Types are joined, counts summed, hosts numbered through."""
    groups = [
        {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2, "InstanceGroupName": "gpu"},
        {"InstanceType": "ml.c5.large", "InstanceCount": 1, "InstanceGroupName": "cpu"},
    ]
    job = training_job(answer(ResourceConfig={"InstanceGroups": groups}))
    assert job.instance_type == "ml.p4d.24xlarge, ml.c5.large"
    assert job.instance_count == 3
    assert job.hosts == ("algo-1", "algo-2", "algo-3")


def test_metrics_channels_and_phases_are_read() -> None:
    """Names from definitions and final values; phases summed, end states left out."""
    job = training_job(
        answer(
            AlgorithmSpecification={
                "TrainingImage": "image:1",
                "MetricDefinitions": [
                    {"Name": "b", "Regex": "b=(.*)"},
                    {"Name": "a", "Regex": "(.)"},
                ],
            },
            FinalMetricDataList=[{"MetricName": "z", "Value": 0.5, "Timestamp": ENDED}],
            InputDataConfig=[
                {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/t"}}},
                {
                    "ChannelName": "fs",
                    "DataSource": {"FileSystemDataSource": {"FileSystemId": "f"}},
                },
            ],
            SecondaryStatusTransitions=[
                {
                    "Status": "Training",
                    "StartTime": CREATED,
                    "EndTime": CREATED + timedelta(seconds=5),
                },
                {"Status": "Interrupted", "StartTime": CREATED, "EndTime": CREATED},
                {"Status": "Training", "StartTime": ENDED, "EndTime": ENDED + timedelta(seconds=2)},
                {"Status": "Uploading", "StartTime": ENDED},
                {"Status": "Completed", "StartTime": ENDED, "EndTime": ENDED},
            ],
        )
    )
    assert job.metric_names == ("a", "b", "z")
    assert job.definitions[0] == MetricDefinition(name="b", regex="b=(.*)")
    assert job.final_metrics == (FinalMetric(name="z", value=0.5, timestamp_ms=to_ms(ENDED)),)
    assert job.channels == (Channel(name="train", uri="s3://b/t"),)
    assert job.phases == (
        Phase(status="Training", duration_ms=7000),
        Phase(status="Interrupted", duration_ms=0),
    )


@pytest.mark.parametrize(
    ("status", "artifact"), [("Completed", "s3://b/m"), ("Stopped", "s3://b/m"), ("Failed", None)]
)
def test_the_model_artifact_exists_only_once_it_was_uploaded(
    status: str, artifact: str | None
) -> None:
    """A failed or running job has none, whatever path AWS names."""
    content = answer(TrainingJobStatus=status, ModelArtifacts={"S3ModelArtifacts": "s3://b/m"})
    assert training_job(content).model_artifact == artifact


def test_parents_are_names() -> None:
    """Parents come as ARNs."""
    prefix = "arn:aws:sagemaker:eu-west-1:123456789012:"
    job = training_job(
        answer(
            TuningJobArn=f"{prefix}hyper-parameter-tuning-job/tune",
            AutoMLJobArn=f"{prefix}automl-job/auto",
            ExperimentConfig={"ExperimentName": "e", "TrialName": "t"},
        )
    )
    assert job.kinship == Kinship(
        experiment="e", trial="t", trials=("t",), tuning_job="tune", automl_job="auto"
    )
    assert not job.component_known


def test_the_document_is_the_whole_answer_in_a_fixed_order() -> None:
    """Times are ISO, the HTTP metadata is left out."""
    content = json.loads(training_job(answer(ResponseMetadata={"a": 1}, Odd=[1])).document)
    assert "ResponseMetadata" not in content
    assert content["CreationTime"] == "2026-01-31T12:00:00.250Z"
    assert content["Odd"] == [1]
    assert list(content) == sorted(content)


def test_tags_come_with_the_answer() -> None:
    """Search carries them; to an answer of DescribeTrainingJob they are added."""
    tagged = answer(Tags=[{"Key": "team", "Value": "x"}])
    assert training_job(tagged).tags == (("team", "x"),)
    assert training_job(answer()).tags == ()

"""A run's note, and the links in it."""

from __future__ import annotations

from typing import Any

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job, MetricDefinition
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.record import run_record
from tests.unit.jobs import completed_job

LINKS = (
    ("Job in the SageMaker console", "sagemaker.console_url"),
    ("Log streams", "sagemaker.logs_url"),
    ("CloudWatch metrics", "sagemaker.metrics_url"),
    ("Model artifact", "sagemaker.model_artifact_url"),
)


def job(partition: str = "aws", **changes: Any) -> Job:
    """Build a completed job that left a model."""
    arn = Arn.parse(f"arn:{partition}:sagemaker:us-east-1:123456789012:training-job/job")
    base = {"arn": arn, "model_artifact": "s3://bucket/job/output/model.tar.gz"}
    return completed_job(**{**base, **changes})


def test_all_links_stand_in_one_line() -> None:
    """MLflow's page shows two paragraphs; more than that is folded away."""
    record = run_record(job())
    tags = dict(record.tags)
    summary, blank, links = record.note.split("\n")
    assert summary == r"SageMaker training job **job** on 1 × ml\.m5\.large in us\-east\-1."
    assert blank == ""
    shown = [(title, tags[tag]) for title, tag in LINKS]
    assert links == " · ".join(
        f"[{title}](<{url}>)" if "(" in url else f"[{title}]({url})" for title, url in shown
    )


def test_a_job_without_a_model_has_its_output_folder() -> None:
    """The note is written once: a running job's says where its model will be."""
    record = run_record(
        job(model_artifact=None, status="InProgress", ended_ms=None, output="s3://bucket/out/")
    )
    assert record.note.endswith("prefix=out%2Fjob%2F)")
    assert "[Output folder](https://" in record.note


def test_a_partition_without_a_console_has_no_links() -> None:
    """The note is the summary alone."""
    assert "\n" not in run_record(job(partition="aws-iso")).note


def test_long_metric_names_cut_no_link() -> None:
    """A graph of fewer metrics, not an address that ends in the middle."""
    definitions = tuple(MetricDefinition(name=f"{n}" + "损" * 250, regex="(.)") for n in range(40))
    artifact = f"s3://bucket/{'损' * 300}/model.tar.gz"
    record = run_record(job(definitions=definitions, model_artifact=artifact))
    tags = dict(record.tags)
    assert tags["sagemaker.metrics_url"].endswith("Z)")
    assert "**635f" in tags["sagemaker.metrics_url"]
    assert len(record.note) < TAG_VALUE_LIMIT
    assert record.note.endswith("%2Fmodel.tar.gz)")

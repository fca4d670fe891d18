"""Notebook instances are mirrored where they are asked for, and only there."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

import mlflow_smwatch
from mlflow_smwatch.core.events import job_event
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import MINUTE_MS, moment
from tests.sync.conftest import Mirror
from tests.sync.every_kind import CREATED_MS, run

NOTEBOOK = "notebook-instance/explore"
WORD = "notebook-instance"
LIST = "sagemaker:ListNotebookInstances"
DESCRIBE = "sagemaker:DescribeNotebookInstance"


@pytest.fixture
def there(mirror: Mirror) -> Mirror:
    """Put one into service."""
    answer = kinds.notebook_instance("explore", created_ms=CREATED_MS)
    mirror.account.put_job(WORD, answer, {"team": "vision"})
    return mirror


def usual(mirror: Mirror, *names: str, **options: Any) -> SyncReport:
    """Run a pass over the kinds that are mirrored where none is named."""
    return mlflow_smwatch.sync(*names, tracking_uri=mirror.uri, **options)


def test_not_unless_asked_for(there: Mirror) -> None:
    """Without the kind there is no call for them, and no name stands for one."""
    report = usual(there)
    assert (report.runs, report.failed) == ([], [])
    assert LIST not in report.aws_calls
    report = usual(there, "explore")
    assert [each.arn for each in report.failed] == ["explore"]
    assert DESCRIBE not in report.aws_calls


def test_by_its_arn(there: Mirror) -> None:
    """An ARN says what it is."""
    report = usual(there, kinds.kind_arn(NOTEBOOK))
    assert [each.kind for each in report.runs] == [WORD]


def test_from_start_to_stop(there: Mirror) -> None:
    """Its run follows its status, has links and facts, and ends when it is deleted."""
    account = there.account
    account.update_job(
        WORD, "explore", NotebookInstanceStatus="Pending", LastModifiedTime=moment(CREATED_MS)
    )
    there.sync(kinds=(WORD,))
    assert run(there, NOTEBOOK).info.status == "SCHEDULED"
    for minute, (status, expected) in enumerate(
        (("InService", "RUNNING"), ("Stopped", "FINISHED"), ("InService", "RUNNING")), 1
    ):
        account.update_job(
            WORD,
            "explore",
            NotebookInstanceStatus=status,
            LastModifiedTime=moment(CREATED_MS + minute * MINUTE_MS),
        )
        report = there.sync(kinds=(WORD,))
        assert (report.failed, there.warnings(report)) == ([], "")
        assert run(there, NOTEBOOK).info.status == expected
    tags = run(there, NOTEBOOK).data.tags
    assert tags["sagemaker.log_group"] == "/aws/sagemaker/NotebookInstances"
    assert "$253D" not in tags["sagemaker.logs_url"]
    assert tags["sagemaker.logs_url"].endswith("logStreamNameFilter$3Dexplore$252F")
    assert tags["sagemaker.console_url"].endswith("#/notebook-instances/explore")
    assert tags["sagemaker.lifecycle_config"] == "install"
    assert tags["sagemaker.tag.team"] == "vision"
    experiment = there.client.get_experiment(run(there, NOTEBOOK).info.experiment_id)
    assert experiment.name == "sagemaker/notebook-instances"

    report = there.sync(kinds=(WORD,))
    assert report.jobs["unchanged"] == 1
    assert set(report.aws_calls) <= {LIST, "sagemaker:ListAssociations", "sagemaker:Search"}

    account.remove_job(WORD, "explore")
    there.sync(kinds=(WORD,))
    one = run(there, NOTEBOOK)
    assert (one.info.status, one.data.tags["smwatch.final"]) == ("FINISHED", "true")
    report = there.sync("explore", kinds=(WORD,))
    assert report.failed == []


def test_one_that_nobody_knows(mirror: Mirror) -> None:
    """SageMaker says ``RecordNotFound`` of it."""
    report = mirror.sync("nothing", kinds=(WORD,))
    (failed,) = report.failed
    assert failed.arn == "nothing"
    assert "no notebook instance 'nothing'" in failed.error


def test_no_presigned_address_is_asked_for(there: Mirror) -> None:
    """It would let whoever sees the run into the notebook."""
    there.sync(kinds=(WORD,))
    assert run(there, NOTEBOOK).data.tags["sagemaker.notebook_url"].startswith("explore.notebook.")
    asked = {each.operation for each in there.account.requests}
    assert asked == {LIST, DESCRIBE, "sagemaker:ListTags", "sagemaker:ListAssociations"}


def test_its_event() -> None:
    """It leads to the notebook instance."""
    arn = kinds.kind_arn(NOTEBOOK)
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Notebook Instance State Change",
        "resources": [arn],
        "detail": {"NotebookInstanceName": "Explore", "NotebookInstanceArn": arn},
    }
    found = job_event(json.dumps(event))
    assert (found.kind, found.name, found.arn) == (WORD, "Explore", arn)


def test_the_accounts_operations(mirror: Mirror) -> None:
    """The emulated account makes, stops, starts and lists them as SageMaker does."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_notebook_instance(
        NotebookInstanceName="own",
        InstanceType="ml.t3.medium",
        RoleArn=kinds.ROLE,
        LifecycleConfigName="install",
    )
    named = {"NotebookInstanceName": "own"}
    found = sagemaker.describe_notebook_instance(**named)
    assert found["NotebookInstanceStatus"] == "Pending"
    assert found["NotebookInstanceLifecycleConfigName"] == "install"
    with pytest.raises(sagemaker.exceptions.ClientError, match="Unable to transition"):
        sagemaker.stop_notebook_instance(**named)
    mirror.account.update_job(WORD, "own", NotebookInstanceStatus="InService")
    sagemaker.stop_notebook_instance(**named)
    mirror.account.update_job(WORD, "own", NotebookInstanceStatus="Stopped")
    sagemaker.start_notebook_instance(**named)
    (listed,) = sagemaker.list_notebook_instances()["NotebookInstances"]
    assert listed["NotebookInstanceStatus"] == "Pending"
    sagemaker.delete_notebook_instance(**named)
    with pytest.raises(sagemaker.exceptions.ClientError, match="RecordNotFound"):
        sagemaker.describe_notebook_instance(**named)

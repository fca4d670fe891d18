"""What we ask of AWS, and what we take AWS to answer, against botocore's service models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.model import ServiceModel, StringShape
from botocore.validate import ParamValidator
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.aws.alarms import read_history
from mlflow_smwatch.aws.notifications import publish as publish_message
from mlflow_smwatch.aws.objects import ObjectReader
from mlflow_smwatch.aws.operations import OPERATIONS
from mlflow_smwatch.aws.queue import JobQueue
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.job_kinds import KINDS, TRAINING_JOB
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.dashboard import draw, put
from mlflow_smwatch.demo.account import EmulatedAccount, Request
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.publish import PublishOptions, publish
from tests import kinds
from tests.jobs import HOUR_MS, put_log
from tests.kinds import kind_arn
from tests.stores.jobs import START, completed, put_jobs, put_loss

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/job"
WAITING = {
    "Starting",
    "Pending",
    "Downloading",
    "LaunchingMLInstances",
    "PreparingTrainingStack",
    "DownloadingTrainingImage",
}


@cache
def model(service: str) -> ServiceModel:
    """Load the model of a service."""
    return botocore.session.get_session().get_service_model(service)


def words(shape: str) -> tuple[str, ...]:
    """Give the words of an enumeration of SageMaker's."""
    found = model("sagemaker").shape_for(shape)
    assert isinstance(found, StringShape)
    return tuple(found.enum)


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_every_operation_exists(action: str) -> None:
    """Names of operations, by which calls are counted, priced and allowed, are AWS's."""
    service, _, operation = action.partition(":")
    assert operation in model(service).operation_names


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Request]]:
    """Record a first, a second, a named and a fallen-back sync, all kinds, lineage, and a queue."""
    patch = pytest.MonkeyPatch()
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            patch.setenv(name, value)
        put_jobs(account, *(f"job-{number}" for number in range(5)), tags={"team": "a"})
        metric = {"Name": "n" * 255, "Regex": "x"}
        odd = {"TrainingImage": "i", "TrainingInputMode": "File", "MetricDefinitions": [metric]}
        account.put_training_job(completed("odd", AlgorithmSpecification=odd))
        put_loss(account, "odd", metric="n" * 255)
        begin_ms = round(START.timestamp() * 1000)
        put_log(account, "job-2", [(begin_ms + n, f"loss={n}") for n in range(5)])
        account.faults.page_size("logs:GetLogEvents", 2)
        account.faults.page_size("sagemaker:Search", 2)
        account.faults.page_size("cloudwatch:GetMetricData", 3)
        uri = f"sqlite:///{tmp_path_factory.mktemp('recorded')}/mlflow.db"
        put_alarm("job-2")
        mlflow_smwatch.sync(
            tracking_uri=uri, tags=(("team", "a"),), name_contains="job", until="1h", alarms=True
        )
        account.faults.deny("sagemaker:Search")
        account.faults.page_size("sagemaker:ListTrainingJobs", 2)
        report = mlflow_smwatch.sync("odd", tracking_uri=uri)
        assert report.jobs["created"] == 1
        mlflow_smwatch.sync(tracking_uri=uri, name_contains="job", until="1h")
        account.faults.clear()
        mlflow_smwatch.sync("job-1", "nope", tracking_uri=uri)
        mirror_every_kind(account, uri)
        take_messages()
        read_objects(tmp_path_factory.mktemp("objects"))
        publish_one(uri)
        tell_one()
        yield list(account.requests)
    patch.undo()


def put_alarm(job: str) -> None:
    """Put an alarm on the metric of a training job, and let it go off."""
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="alarm",
        Namespace=str(TRAINING_JOB.namespace),
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": job}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="alarm", StateValue="ALARM", StateReason="loss is high")
    assert read_history(connect(None, None, 2), "alarm", 0)


def tell_one() -> None:
    """Send a message to a topic."""
    topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
    publish_message(connect(None, None, 2), topic, "an alarm", "loss is high")


def mirror_every_kind(account: EmulatedAccount, uri: str) -> None:
    """Put what is no training job, and mirror it: found, named, registered, without ``Search``."""
    package = put_every_kind(account)
    put_lineage(account)
    wanted: dict[str, Any] = {"tracking_uri": uri, "kinds": tuple(set(KINDS) - {"training-job"})}
    report = mlflow_smwatch.sync(**wanted, prices="aws")
    assert {run.kind for run in report.runs} == set(wanted["kinds"])
    assert report.failed == []
    names = [run.name for run in report.runs]
    assert mlflow_smwatch.sync(*names, package, register="model", **wanted).failed == []
    mlflow_smwatch.lineage("s3://data/in/", source="aws")
    account.faults.deny("sagemaker:Search")
    assert mlflow_smwatch.sync(*(run.arn for run in report.runs), **wanted).failed == []
    assert mlflow_smwatch.sync(**wanted).failed == []
    account.faults.clear()


def put_every_kind(account: EmulatedAccount) -> str:
    """Put one of each kind but training jobs; give the ARN of a model package."""
    begin_ms = round(START.timestamp() * 1000)
    life: dict[str, Any] = {"created_ms": begin_ms, "ended_ms": begin_ms + HOUR_MS}
    account.put_model(kinds.model("model", created_ms=begin_ms))
    config = kinds.endpoint_config("config", created_ms=begin_ms)
    config["ProductionVariants"].append({"VariantName": "Shared", "InstanceType": "ml.m5.large"})
    account.put_endpoint_config(config)
    account.put_pipeline(kinds.pipeline("pipe", created_ms=begin_ms))
    account.put_job("processing-job", kinds.processing_job("processing", **life))
    account.put_job("transform-job", kinds.transform_job("transform", **life))
    account.put_job("tuning-job", kinds.tuning_job("tuning", **life))
    account.put_job("automl-job", kinds.automl_job("automl", **life))
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=begin_ms))
    schedule = kinds.monitoring_schedule("watch", created_ms=begin_ms, endpoint="endpoint")
    account.put_job("monitoring-schedule", schedule)
    place = {"schedule": "watch", "said": "Completed: no violations", "output": "s3://data/seen"}
    account.put_job("processing-job", kinds.monitoring_execution("monitoring", **place, **life))
    inner = kinds.inference_component(
        "component", created_ms=begin_ms, variant="Shared", ModelName="model"
    )
    account.put_job("inference-component", inner)
    notebook = kinds.notebook_instance("notebook", created_ms=begin_ms)
    account.put_job("notebook-instance", notebook)
    account.put_job("pipeline-execution", kinds.pipeline_execution("abcdefghijkl", **life))
    account.experiments.put_experiment("study")
    account.experiments.put_trial("trial", "study", created=START)
    component = {
        "TrialComponentName": "component",
        "Status": {"PrimaryStatus": "Completed"},
        "CreationTime": START,
        "LastModifiedTime": START,
        "EndTime": START,
        "Metrics": [{"MetricName": "loss", "TimeStamp": START, "Count": 2, "Last": 0.5}],
    }
    account.experiments.put_trial_component(component, trials=("trial",))
    account.lineage.put_metric_series("component", "loss", [(0, begin_ms, 1.0), (1, begin_ms, 0.5)])
    account.lineage.put_model_package_group("group")
    container = {"Image": kinds.IMAGE, "ModelDataUrl": "s3://models/out/model.tar.gz"}
    return account.lineage.put_model_package(
        {
            "ModelPackageGroupName": "group",
            "InferenceSpecification": {"Containers": [container]},
            "CreationTime": START,
        }
    )


def put_lineage(account: EmulatedAccount) -> None:
    """Put what SageMaker itself records: data that a component read, and what came of it."""
    lineage = account.lineage
    component = kind_arn("experiment-trial-component/component")
    data = lineage.put_artifact("s3://data/in/", kind="DataSet", created=START)
    served = lineage.put_context("live", kind_arn("endpoint/endpoint"), created=START)
    lineage.associate(data, component, "ContributedTo", START)
    lineage.associate(component, served, "AssociatedWith", START)


def take_messages() -> None:
    """Do all that can be done with messages: receive, keep, give back, delete."""
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="jobs")["QueueUrl"]
    for body in ("one", "two"):
        client.send_message(QueueUrl=url, MessageBody=body)
    queue = JobQueue(connect(None, None, 2), url)
    messages = queue.receive(0)
    with queue.held(messages):
        queue.keep(messages)
    queue.release(messages[:1])
    queue.delete(messages)


def publish_one(uri: str) -> None:
    """Publish a run of a user's, and make a dashboard of a job, twice."""
    client = MlflowClient(tracking_uri=uri)
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "loss", 0.5)
    place = SyncOptions(tracking_uri=uri)
    assert publish((run_id,), PublishOptions(), place).points == 1
    for _ in range(2):
        put(draw("job-1", place))


def read_objects(folder: Path) -> None:
    """Do all that can be done with objects: list, look at, fetch."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="objects")
    for key in ("a/b", "a/c"):
        client.put_object(Bucket="objects", Key=key, Body=b"content")
    objects = ObjectReader(connect(None, None, 2))
    assert [each.name for each in objects.entries(S3Place(bucket="objects", key="a/"))] == [
        "b",
        "c",
    ]
    assert objects.size(S3Place(bucket="objects", key="a/b")) == len(b"content")
    objects.download(S3Place(bucket="objects", key="a/b"), folder / "b")


def test_every_request_is_valid(recorded: list[Request]) -> None:
    """Each request has the members, types and lengths that AWS's model asks for."""
    asked = {request.operation for request in recorded}
    assert asked >= set(OPERATIONS) - {"sts:GetCallerIdentity", "sts:AssumeRole"}
    for request in recorded:
        service, _, operation = request.operation.partition(":")
        if service == "s3":  # its requests are URLs, made by botocore of what it has validated
            continue
        shape = model(service).operation_model(operation).input_shape
        assert shape is not None
        asked_of = {key: each for key, each in request.parameters.items() if key not in PROTOCOL}
        parameters = with_moments(asked_of, shape)
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), (request, report.generate_report())


PROTOCOL = {"Action", "Version"}
"""What requests of the query protocol carry besides what was asked."""


def with_moments(value: Any, shape: Any) -> Any:
    """Turn what a request carries as text or seconds back into what the model names it."""
    if shape.type_name == "structure":
        return {
            key: with_moments(item, shape.members[key]) if key in shape.members else item
            for key, item in value.items()
        }
    if shape.type_name == "list":
        return [with_moments(item, shape.member) for item in value]
    if shape.type_name in {"integer", "long"}:
        return int(value)
    if shape.type_name == "boolean" and isinstance(value, str):
        return value == "true"
    return value


@pytest.mark.parametrize("status", sorted({*words("TrainingJobStatus")} - {"Deleting"}))
def test_every_status_has_a_run_status(status: str) -> None:
    """No status that AWS names is unknown here."""
    answer = completed(
        "job", TrainingJobStatus=status, SecondaryStatus="Training", TrainingJobArn=ARN
    )
    record = run_record(training_job(answer))
    assert record.warnings == ()
    assert record.status == dict(TRAINING_JOB.run_status)[status]
    assert (record.end_ms is not None) == (status in {"Completed", "Failed", "Stopped"})


def test_a_job_that_is_being_deleted() -> None:
    """The one status that says nothing about the run is shown as RUNNING, with a warning."""
    answer = completed("job", TrainingJobStatus="Deleting", TrainingJobArn=ARN)
    record = run_record(training_job(answer))
    assert record.status == "RUNNING"
    assert record.warnings == ("unknown status 'Deleting' of the job, shown as RUNNING",)


@pytest.mark.parametrize("secondary", words("SecondaryStatus"))
def test_every_secondary_status_has_a_run_status(secondary: str) -> None:
    """A job in progress is scheduled until it computes, and running from then on."""
    answer = completed(
        "job", TrainingJobStatus="InProgress", SecondaryStatus=secondary, TrainingJobArn=ARN
    )
    record = run_record(training_job(answer))
    assert record.status == ("SCHEDULED" if secondary in WAITING else "RUNNING")
    assert record.warnings == ()


def test_waiting_phases_are_aws_words() -> None:
    """Every phase in which a job only waits is one that AWS names."""
    assert set(words("SecondaryStatus")) >= WAITING
    assert TRAINING_JOB.waiting_phases == WAITING

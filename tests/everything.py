"""One of each thing that a mirror asks AWS about, put into an emulated account."""

from __future__ import annotations

import json
from typing import Any

import boto3

from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.jobs import (
    HOUR_MS,
    arn,
    job_answer,
    moment,
    now_ms,
    put_host,
    put_log,
    put_loss,
    whole,
)

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
LIFE: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
BUCKET, REPORTS = "models", "reports"
EXECUTION = kinds.execution_arn("abcdefghijkl")
TRIALS = ("trial", "later-trial")
ARNS = {
    "training-job": arn("training"),
    "processing-job": kinds.kind_arn("processing-job/processing"),
    "transform-job": kinds.kind_arn("transform-job/transform"),
    "tuning-job": kinds.kind_arn("hyper-parameter-tuning-job/tuning"),
    "automl-job": kinds.kind_arn("automl-job/automl"),
    "trial": kinds.kind_arn("experiment-trial/trial"),
    "trial-component": kinds.kind_arn("experiment-trial-component/component"),
    "endpoint": kinds.kind_arn("endpoint/endpoint"),
    "pipeline-execution": EXECUTION,
    "notebook-instance": kinds.kind_arn("notebook-instance/notebook"),
}
"""Kind → what stands for one of it."""

QUEUE = "smwatch"
MANY = 12
"""More entities of lineage than are described one by one."""


def put_everything(account: EmulatedAccount) -> str:
    """Fill the account; give the ARN of a model package that is in it."""
    account.makes_components = True
    account.experiments.put_experiment("study")
    for number, name in enumerate(TRIALS):
        account.experiments.put_trial(name, "study", created=moment(CREATED_MS + number))
    _put_training_jobs(account)
    account.put_job("processing-job", kinds.processing_job("processing", **LIFE))
    notebook = kinds.notebook_instance("notebook", created_ms=CREATED_MS)
    account.put_job("notebook-instance", notebook)
    _put_monitoring(account)
    package = _put_models(account)
    _put_groups(account)
    _put_component(account)
    _put_lineage(account)
    return package


def _put_monitoring(account: EmulatedAccount) -> None:
    """Put an execution of a monitoring schedule, with what it found."""
    schedule = kinds.monitoring_schedule("watch", created_ms=CREATED_MS, endpoint="endpoint")
    account.put_job("monitoring-schedule", schedule)
    said = "CompletedWithViolations: Job completed successfully with 1 violations."
    place = {"schedule": "watch", "said": said, "output": f"s3://{REPORTS}/watch/"}
    execution = kinds.monitoring_execution("monitoring", **place, **LIFE)
    account.put_job("processing-job", execution)
    client = boto3.client("s3")
    client.create_bucket(Bucket=REPORTS)
    found = {"violations": [{"constraint_check_type": "data_type_check"}]}
    key = "watch/constraint_violations.json"
    client.put_object(Bucket=REPORTS, Key=key, Body=json.dumps(found).encode())


def put_queue() -> str:
    """Make a queue with a message in it; give its URL."""
    client = boto3.client("sqs")
    url = str(client.create_queue(QueueName=QUEUE)["QueueUrl"])
    client.send_message(QueueUrl=url, MessageBody="no event")
    return url


def put_model_object() -> str:
    """Store a model where a training job has left it; give its S3 URI."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="out/training/output/model.tar.gz", Body=b"model")
    return f"s3://{BUCKET}/out/training/output/model.tar.gz"


def _put_training_jobs(account: EmulatedAccount) -> None:
    """One with all sorts of metrics, one of a tuning job's, one of an AutoML job's."""
    model = {"S3ModelArtifacts": f"s3://{BUCKET}/out/training/output/model.tar.gz"}
    output = {"S3OutputPath": f"s3://{BUCKET}/out/"}
    answer = job_answer("training", **LIFE, ModelArtifacts=model, OutputDataConfig=output)
    account.put_training_job(
        {**answer, "ExperimentConfig": {"ExperimentName": "study", "TrialName": "trial"}}
    )
    put_loss(account, "training", [(CREATED_MS, 1.0)])
    put_host(account, "training", [(CREATED_MS, 50.0)])
    put_log(account, "training", [(CREATED_MS + 60_000, "value=0.5")])
    tuning = kinds.kind_arn("hyper-parameter-tuning-job/tuning")
    tuned = {"_tuning_objective_metric": "loss"}
    child = job_answer("tuned", **LIFE, TuningJobArn=tuning, HyperParameters=tuned)
    account.put_training_job({**child, "FinalMetricDataList": []})
    automl = kinds.kind_arn("automl-job/automl")
    account.put_training_job(job_answer("candidate", **LIFE, AutoMLJobArn=automl))


def _put_models(account: EmulatedAccount) -> str:
    """Put models, of which one is a package's, and what uses them."""
    container = {"Image": kinds.IMAGE, "ModelDataUrl": f"s3://{BUCKET}/package/model.tar.gz"}
    package = account.lineage.put_model_package(
        {
            "ModelPackageName": "package",
            "InferenceSpecification": {
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "CreationTime": moment(CREATED_MS),
        }
    )
    packaged = {"ModelPackageName": package}
    model = kinds.model("model", created_ms=CREATED_MS, PrimaryContainer=packaged)
    account.put_model(model)
    account.put_job("transform-job", kinds.transform_job("transform", **LIFE))
    stream, group = "transform/i-0a1b2c3d-1700000000", "/aws/sagemaker/TransformJobs"
    account.put_log_events(group, stream, [(CREATED_MS, "begun")], publish=False)
    _put_endpoint(account)
    return package


def _put_endpoint(account: EmulatedAccount) -> None:
    """Put an endpoint with a model, and with a variant whose model is a component's."""
    config = kinds.endpoint_config("config", created_ms=CREATED_MS)
    shared = {"VariantName": "Shared", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    account.put_endpoint_config(
        {**config, "ProductionVariants": [*config["ProductionVariants"], shared]}
    )
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=CREATED_MS))
    inner = kinds.inference_component(
        "component", created_ms=CREATED_MS, variant="Shared", ModelName="model"
    )
    account.put_job("inference-component", inner)


def _put_groups(account: EmulatedAccount) -> None:
    account.put_job("tuning-job", kinds.tuning_job("tuning", **LIFE))
    candidate = kinds.candidate(
        "best", **LIFE, value=0.5, steps={arn("candidate"): "AWS::SageMaker::TrainingJob"}
    )
    account.put_job("automl-job", kinds.automl_job("automl", **LIFE), candidates=[candidate])
    account.put_job("pipeline-execution", kinds.pipeline_execution("abcdefghijkl", **LIFE))


def _put_component(account: EmulatedAccount) -> None:
    """Put a component that is no job's, with a series, in both trials."""
    component = {
        "TrialComponentName": "component",
        "Status": {"PrimaryStatus": "Completed"},
        "CreationTime": moment(CREATED_MS),
        "LastModifiedTime": moment(ENDED_MS),
        "EndTime": moment(ENDED_MS),
    }
    account.experiments.put_trial_component(component, trials=TRIALS)
    points = [(step, CREATED_MS + 60_000 * step, 1.0 / (step + 1)) for step in range(3)]
    account.lineage.put_metric_series("component", "loss", points)


def _put_lineage(account: EmulatedAccount) -> None:
    """Associate the training job with an artifact and a context."""
    found = account.experiments.component_for(arn("training"))
    assert found is not None
    made = moment(CREATED_MS)
    data = account.lineage.put_artifact("s3://data/train/", created=made)
    context = account.lineage.put_context("context", "arn:of:something", created=made)
    account.lineage.associate(data, found.arn, "ContributedTo", made)
    account.lineage.associate(context, found.arn, "AssociatedWith", made)


def put_more_lineage(account: EmulatedAccount) -> None:
    """Associate so much that it is listed instead of described."""
    found = account.experiments.component_for(arn("training"))
    assert found is not None
    made = moment(ENDED_MS)
    for number in range(MANY):
        data = account.lineage.put_artifact(f"s3://data/{number}/", created=made)
        context = account.lineage.put_context(f"c-{number}", f"arn:of:{number}", created=made)
        account.lineage.associate(data, found.arn, "ContributedTo", made)
        account.lineage.associate(context, found.arn, "AssociatedWith", made)

"""What a user of the SageMaker Python SDK 3 does; prints what was mirrored, one JSON document."""

from __future__ import annotations

import json
import sys

import boto3
from mlflow import MlflowClient

import mlflow_smwatch as smwatch

smwatch.autolog(interval_s=0.5, settle_s=1)

from sagemaker.core.helper.session_helper import Session  # noqa: E402 - wrapped when imported
from sagemaker.core.processing import Processor  # noqa: E402
from sagemaker.core.resources import TrainingJob  # noqa: E402
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig  # noqa: E402
from sagemaker.core.transformer import Transformer  # noqa: E402
from sagemaker.train import ModelTrainer  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/r"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/trainer:1"
MACHINE = {"instance_count": 1, "instance_type": "ml.m5.large"}

boto3.client("s3").create_bucket(Bucket="data")
boto3.client("sagemaker").create_model(
    ModelName="model", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE
)
session = Session(default_bucket="data")


def trainer(name: str) -> ModelTrainer:
    """Make a trainer."""
    return ModelTrainer(
        training_image=IMAGE,
        role=ROLE,
        base_job_name=name,
        compute=Compute(**MACHINE),
        hyperparameters={"lr": 0.1},
        output_data_config=OutputDataConfig(s3_output_path="s3://data/out"),
        sagemaker_session=session,
    ).with_metric_definitions([{"name": "loss", "regex": "loss=(.*?);"}])


def after(*names: str) -> dict[str, str]:
    """Return the status of jobs in MLflow, by the beginning of their names."""
    ids = [each.experiment_id for each in MlflowClient().search_experiments()]
    runs = MlflowClient().search_runs(ids)
    return {
        name: run.info.status
        for name in names
        for run in runs
        if str(run.info.run_name).startswith(name)
    }


told: dict[str, object] = {}
live, later = trainer("waited"), trainer("later")
data = [InputData(channel_name="train", data_source="s3://data/train")]
told["returned"] = [
    live.train(data, logs=False),
    later.train(data, wait=False, logs=False),
]
try:
    trainer("fails").train(data, logs=False)
except Exception as error:  # noqa: BLE001 - whatever the SDK says
    told["raised"] = type(error).__name__
told["after"] = after("waited", "fails")
processor = Processor(image_uri=IMAGE, role=ROLE, sagemaker_session=session, **MACHINE)
processor.run(job_name="prepared", wait=False, logs=False)
transformer = Transformer(
    model_name="model", output_path="s3://data/scores", sagemaker_session=session, **MACHINE
)
transformer.transform("s3://data/rows", job_name="scored", wait=False, logs=False)

wrapped = ModelTrainer.train
smwatch.autolog(disable=True)
told["restored"] = ModelTrainer.train is wrapped.__wrapped__

resource = TrainingJob.get(live._latest_training_job.training_job_name)
runs = [
    smwatch.mirror(thing, wait=True, interval_s=0.5, settle_s=1)
    for thing in (live, later, processor, transformer, resource)
]
told["runs"] = [
    [run.info.run_name, run.info.status, run.data.tags["sagemaker.kind"]] for run in runs
]
told["loss"] = runs[0].data.metrics["loss"]
sys.stdout.write(json.dumps(told))

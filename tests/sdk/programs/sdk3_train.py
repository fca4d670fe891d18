"""What a user of sagemaker-train does most; prints what was mirrored, one JSON document."""

from __future__ import annotations

import json
import sys

from mlflow import MlflowClient
from mlflow.entities import Run

import mlflow_smwatch as smwatch

smwatch.autolog(interval_s=0.5, settle_s=0)

from sagemaker.core.helper.session_helper import Session  # noqa: E402 - wrapped when imported
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig  # noqa: E402
from sagemaker.train import ModelTrainer  # noqa: E402

trainer = ModelTrainer(
    training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/trainer:1",
    role="arn:aws:iam::123456789012:role/r",
    base_job_name="trained",
    compute=Compute(instance_count=1, instance_type="ml.m5.large"),
    hyperparameters={"lr": 0.1},
    output_data_config=OutputDataConfig(s3_output_path="s3://data/out"),
    sagemaker_session=Session(default_bucket="data"),
).with_metric_definitions([{"name": "loss", "regex": "loss=(.*?);"}])
data = InputData(channel_name="train", data_source="s3://data/train")
told: dict[str, object] = {"returned": trainer.train([data], logs=False)}


def shown(run: Run) -> list[object]:
    """Tell what the mirror has made of the job."""
    return [run.info.run_id, run.info.status, run.data.params["lr"], run.data.metrics["loss"]]


client = MlflowClient()
told["runs"] = [
    shown(run)
    for run in client.search_runs([each.experiment_id for each in client.search_experiments()])
]
told["mirrored"] = shown(smwatch.mirror(trainer))
sys.stdout.write(json.dumps(told))

"""What a user of the SageMaker Python SDK 2 does; prints what was mirrored, one JSON document."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import boto3
from mlflow import MlflowClient

import mlflow_smwatch as smwatch

warnings.simplefilter("ignore")
smwatch.autolog(interval_s=0.5, settle_s=1)

import sagemaker  # noqa: E402 - after autolog(): its classes are wrapped when it is imported
from sagemaker.estimator import Estimator, EstimatorBase  # noqa: E402
from sagemaker.processing import Processor  # noqa: E402
from sagemaker.transformer import Transformer  # noqa: E402
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/r"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/trainer:1"
MACHINE = {"instance_count": 1, "instance_type": "ml.m5.large"}
METRICS = [{"Name": "loss", "Regex": "loss=(.*?);"}]

boto3.client("s3").create_bucket(Bucket="data")
boto3.client("sagemaker").create_model(
    ModelName="model", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE
)
session = sagemaker.Session(default_bucket="data")
USUAL = {"role": ROLE, "sagemaker_session": session, **MACHINE}


class OwnEstimator(Estimator):  # type: ignore[misc]
    """A subclass of a user's, which calls the method above it."""

    def fit(self, *args: Any, **kwargs: Any) -> str:
        """Do as above."""
        super().fit(*args, **kwargs)
        return "own"


def estimator(kind: Any = Estimator) -> Any:
    """Make an estimator."""
    return kind(
        image_uri=IMAGE,
        output_path="s3://data/out",
        metric_definitions=METRICS,
        hyperparameters={"lr": 0.1},
        **USUAL,
    )


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
live = estimator()
own = estimator(OwnEstimator)
told["returned"] = [
    live.fit("s3://data/train", job_name="waited", logs=False),
    own.fit("s3://data/train", job_name="own-class", wait=False),
]
try:
    estimator().fit("s3://data/train", job_name="fails", logs="None")
except Exception as error:  # noqa: BLE001 - whatever the SDK says
    told["raised"] = type(error).__name__
told["after"] = after("waited", "fails")
processor = Processor(image_uri=IMAGE, **USUAL)
processor.run(job_name="prepared", wait=False, logs=False)
transformer = Transformer(
    model_name="model", output_path="s3://data/scores", sagemaker_session=session, **MACHINE
)
transformer.transform("s3://data/rows", job_name="scored", wait=False, logs=False)
tuner = HyperparameterTuner(
    estimator(), "loss", {"lr": ContinuousParameter(0.1, 1)}, METRICS, objective_type="Minimize"
)
tuner.fit("s3://data/train", job_name="tuned", wait=False)

wrapped = EstimatorBase.fit
smwatch.autolog(disable=True)
told["restored"] = EstimatorBase.fit is wrapped.__wrapped__

runs = [
    smwatch.mirror(thing, wait=True, interval_s=0.5, settle_s=1)
    for thing in (live, own, processor, transformer, tuner, processor.latest_job)
]
told["runs"] = [
    [run.info.run_name, run.info.status, run.data.tags["sagemaker.kind"]] for run in runs
]
told["loss"] = runs[0].data.metrics["loss"]
sys.stdout.write(json.dumps(told))

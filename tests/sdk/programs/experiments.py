"""What a user of sagemaker-experiments does; prints what was mirrored, one JSON document."""

from __future__ import annotations

import json
import sys

import boto3
from mlflow.entities import Run
from smexperiments.experiment import Experiment
from smexperiments.trial import Trial
from smexperiments.trial_component import TrialComponent

import mlflow_smwatch as smwatch

client = boto3.client("sagemaker", region_name="us-east-1")
experiment = Experiment.create("study", sagemaker_boto_client=client)
trials = [Trial.create("study", name, sagemaker_boto_client=client) for name in ("one", "two")]
component = TrialComponent.create("measured", sagemaker_boto_client=client)
trials[0].add_trial_component(component)
client.create_training_job(
    TrainingJobName="job",
    RoleArn="arn:aws:iam::123456789012:role/r",
    AlgorithmSpecification={
        "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/trainer:1",
        "TrainingInputMode": "File",
    },
    OutputDataConfig={"S3OutputPath": "s3://data/out"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    StoppingCondition={"MaxRuntimeInSeconds": 60},
    ExperimentConfig={"ExperimentName": "study", "TrialName": "two"},
)
of_job = TrialComponent.load("job-aws-training-job", sagemaker_boto_client=client)


def shown(run: Run) -> list[str]:
    """Tell a run by the name and kind of what it mirrors."""
    return [run.data.tags["sagemaker.name"], run.data.tags["sagemaker.kind"]]


told = {
    "trial": shown(smwatch.mirror(trials[0], region="us-east-1")),
    "component": shown(smwatch.mirror(component, region="us-east-1")),
    "component of a job": shown(smwatch.mirror(of_job)),
    "experiment": [shown(run) for run in smwatch.mirror(Experiment.load("study", client))],
}
try:
    from sagemaker.core.resources import Experiment as Resource
except ImportError:
    told["resource"] = told["experiment"]
else:
    told["resource"] = [shown(run) for run in smwatch.mirror(Resource.get("study"))]
sys.stdout.write(json.dumps(told))

"""Events of training jobs, as SageMaker sends them to EventBridge.

Source: "Events that Amazon SageMaker AI sends to Amazon EventBridge", "SageMaker Training Job State
Change".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.demo.clock import to_milliseconds
from mlflow_smwatch.demo.job_store import TrainingJob
from mlflow_smwatch.demo.validation import Answer, Json

DETAIL = (
    "TrainingJobName",
    "TrainingJobArn",
    "TrainingJobStatus",
    "SecondaryStatus",
    "FailureReason",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "SecondaryStatusTransitions",
)


def state_change(job: TrainingJob, now: datetime) -> Answer:
    """Make the event of a job that has just been created or moved.

    Parameters
    ----------
    job
        As it is now.
    now
        When the event is sent.

    Returns
    -------
    dict
        The whole envelope. Times in its detail are milliseconds since the epoch; its own is in
        seconds.
    """
    arn = Arn.parse(job.arn)
    detail = {field: job.answer[field] for field in DETAIL if field in job.answer}
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": TRAINING_JOB.event_type,
        "source": "aws.sagemaker",
        "account": arn.account,
        "time": now.timestamp(),
        "region": arn.region,
        "resources": [job.arn],
        "detail": {**_in_milliseconds(detail), "Tags": dict(job.tags)},
    }


def _in_milliseconds(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _in_milliseconds(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_milliseconds(item) for item in value]
    return to_milliseconds(value) if isinstance(value, datetime) else value

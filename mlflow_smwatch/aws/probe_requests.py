"""What is asked to learn whether it may be asked: one request for each operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

from botocore import xform_name

from mlflow_smwatch.aws import operations as op
from mlflow_smwatch.aws.kinds import CALLS
from mlflow_smwatch.aws.session import Aws, aws_errors
from mlflow_smwatch.core.errors import SmwatchError
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    KINDS,
    PIPELINE_EXECUTION,
    TRAINING_JOB,
    TRIAL,
    TRIAL_COMPONENT,
    TUNING_JOB,
    JobKind,
)
from mlflow_smwatch.core.policy import Place

NOTHING = "smwatch-doctor-asks-for-nothing"
"""The name of what is asked for; tuning jobs have 32 characters at most."""

_ALARMS = ("MetricAlarm", "CompositeAlarm")
_NO_EXECUTION = f"{NOTHING}/execution/nonexistence"
_SEARCHED = {
    TRAINING_JOB: ("TrainingJob", "TrainingJob"),
    TRIAL: ("ExperimentTrial", "Trial"),
    TRIAL_COMPONENT: ("ExperimentTrialComponent", "TrialComponent"),
    PIPELINE_EXECUTION: ("PipelineExecution", "PipelineExecution"),
}
"""Kind → what ``Search`` calls it, and its records."""

Request: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What requests name: things that nobody has.

    Attributes
    ----------
    place
        Partition, Region and account of the caller.
    """

    place: Place

    def arn(self, kind: JobKind) -> str:
        """Name the ARN of something of a kind."""
        name = _NO_EXECUTION if kind is PIPELINE_EXECUTION else NOTHING
        return self.place.arn(f"sagemaker:{kind.resource_type}/{name}")

    def key(self, kind: JobKind) -> str:
        """Name something of a kind as its ``Describe`` operation takes it."""
        return self.arn(kind) if kind is PIPELINE_EXECUTION else NOTHING


@dataclass(frozen=True, slots=True)
class RealNames(Names):
    """What requests name: things of the caller's own account.

    Raises ``LookupError`` where there is none of a kind, or none can be had.
    """

    aws: Aws
    search: bool
    _known: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def arn(self, kind: JobKind) -> str:
        """Name the ARN of something of a kind."""
        return str(self._record(kind)[CALLS[kind.word].arn])

    def key(self, kind: JobKind) -> str:
        """Name something of a kind as its ``Describe`` operation takes it."""
        calls = CALLS[kind.word]
        return str(self._record(kind)[calls.arn if kind is PIPELINE_EXECUTION else calls.name])

    def _record(self, kind: JobKind) -> Mapping[str, Any]:
        if kind.word not in self._known:
            try:
                self._known[kind.word] = self._found(kind)
            except SmwatchError as error:
                raise LookupError(kind.word) from error
        return self._known[kind.word]

    def _found(self, kind: JobKind) -> Mapping[str, Any]:
        calls = CALLS[kind.word]
        if self.search and kind in _SEARCHED:
            resource, member = _SEARCHED[kind]
            answer = call(self.aws, op.SEARCH, {"Resource": resource, "MaxResults": 1})
            found: Mapping[str, Any] = answer["Results"][0][member]
            return found
        if calls.listing is None:
            raise LookupError(kind.word)
        answer = call(self.aws, calls.listing, {"MaxResults": 1})
        listed: Mapping[str, Any] = answer[calls.summaries][0]
        return listed


def call(aws: Aws, operation: str, request: Request) -> Any:
    """Call an operation by the name that it has in the table of operations.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    service, _, name = operation.partition(":")
    with aws_errors(operation):
        return getattr(aws.client(service), xform_name(name))(**request)


def _describe(kind: JobKind) -> Callable[[Names], Request]:
    return lambda names: {CALLS[kind.word].parameter: names.key(kind)}


def _few(**more: str) -> Callable[[Names], Request]:
    return lambda _: {**more, "MaxResults": 1}


def _few_of(parameter: str, kind: JobKind) -> Callable[[Names], Request]:
    return lambda names: {parameter: names.key(kind), "MaxResults": 1}


def _named(parameter: str) -> Callable[[Names], Request]:
    return lambda _: {parameter: NOTHING}


def _metric_data(_: Names) -> Request:
    """Ask for one series of ten minutes; it is charged as one metric."""
    end = datetime.now(tz=timezone.utc)
    metric = {"Namespace": "/aws/sagemaker/TrainingJobs", "MetricName": NOTHING}
    stat = {"Metric": metric, "Period": 60, "Stat": "Average"}
    return {
        "MetricDataQueries": [{"Id": "nothing", "MetricStat": stat}],
        "StartTime": end - timedelta(minutes=10),
        "EndTime": end,
    }


def _component_metrics(names: Names) -> Request:
    query = {
        "MetricName": NOTHING,
        "ResourceArn": names.arn(TRIAL_COMPONENT),
        "MetricStat": "Last",
        "Period": "IterationNumber",
        "XAxisType": "IterationNumber",
    }
    return {"MetricQueries": [query]}


REQUESTS: Mapping[str, Callable[[Names], Request]] = {
    op.SEARCH: _few(Resource="TrainingJob"),
    **{row.listing: _few() for row in CALLS.values() if row.listing},
    **{row.describe: _describe(KINDS[word]) for word, row in CALLS.items()},
    op.LIST_TRIALS: _few(),
    op.LIST_TRIAL_COMPONENTS: _few(),
    op.LIST_PIPELINES: _few(),
    op.LIST_PIPELINE_EXECUTIONS: _few(PipelineName=NOTHING),
    op.LIST_PIPELINE_STEPS: _few_of("PipelineExecutionArn", PIPELINE_EXECUTION),
    op.LIST_PIPELINE_PARAMETERS: _few_of("PipelineExecutionArn", PIPELINE_EXECUTION),
    op.LIST_TUNING_CHILDREN: _few_of("HyperParameterTuningJobName", TUNING_JOB),
    op.LIST_CANDIDATES: _few_of("AutoMLJobName", AUTOML_JOB),
    op.DESCRIBE_ENDPOINT_CONFIG: _named("EndpointConfigName"),
    op.LIST_INFERENCE_COMPONENTS: _few(),
    op.DESCRIBE_INFERENCE_COMPONENT: _named("InferenceComponentName"),
    op.DESCRIBE_MODEL: _named("ModelName"),
    op.DESCRIBE_MODEL_PACKAGE: _named("ModelPackageName"),
    op.DESCRIBE_MONITORING_SCHEDULE: _named("MonitoringScheduleName"),
    op.DESCRIBE_EXPERIMENT: _named("ExperimentName"),
    op.GET_METRIC_DATA: _metric_data,
    op.DESCRIBE_ALARMS: lambda _: {"AlarmTypes": list(_ALARMS), "MaxRecords": 1},
    op.DESCRIBE_ALARM_HISTORY: lambda _: {
        "AlarmName": NOTHING,
        "AlarmTypes": list(_ALARMS),
        "MaxRecords": 1,
    },
    op.LIST_METRICS: lambda _: {"Namespace": "AWS/SageMaker", "MetricName": NOTHING},
    op.BATCH_GET_METRICS: _component_metrics,
    op.LIST_ASSOCIATIONS: _few(),
    op.LIST_ARTIFACTS: _few(),
    op.LIST_CONTEXTS: _few(),
    op.DESCRIBE_ARTIFACT: lambda names: {
        "ArtifactArn": names.place.arn(f"sagemaker:artifact/{NOTHING}")
    },
    op.DESCRIBE_CONTEXT: _named("ContextName"),
}
"""Operation → what is asked of it; those of logs, objects, queues and tags are not here."""

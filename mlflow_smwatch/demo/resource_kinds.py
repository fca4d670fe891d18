"""The kinds of resources that the account describes and lists alike, as one table.

Names of operations and fields follow from one word of AWS's, such as ``ProcessingJob``; fields of
answers, summaries and records are read from botocore's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from botocore.model import Shape

from mlflow_smwatch.demo.validation import Answer, Json, service_model

NOT_FOUND = "ResourceNotFound"
INVALID = "ValidationException"
IN_USE = "ResourceInUse"
EXECUTION = "/execution/"
JOB_EXISTS = (
    "Job name must be unique within an AWS account and region, and a job with this name already "
    "exists ({arn})"
)


@dataclass(frozen=True, kw_only=True)
class ResourceKind:
    """One kind of resource.

    Attributes
    ----------
    word
        Its name in the account's ``put_job``.
    noun
        Its name in AWS's operations and fields.
    resource_type
        First word of its ARN's resource.
    missing, missing_message
        Code and text of the error for one that does not exist; ``{name}`` and ``{arn}`` are
        replaced.
    exists, exists_message
        The same for one that cannot be created twice.
    sort_by, sort_order
        Defaults of its List operation. That of pipelines and their executions is not documented.
    summary_paths
        Fields of the summary that Describe gives elsewhere, or under another name.
    first_status
        The status it is created with; None for what has none.
    first_fields
        What else Describe gives from the beginning.
    is_created
        Whether the account has its Create operation.
    is_searched
        Whether Search has it as a Resource.
    described
        Describe operations whose answer is stored; the one of the same noun if empty.
    parts
        Structure of what a List operation of its own gives of it.
    """

    word: str
    noun: str
    resource_type: str
    missing: str = INVALID
    missing_message: str = "Requested resource not found."
    exists: str = IN_USE
    exists_message: str = JOB_EXISTS
    sort_by: str = "CreationTime"
    sort_order: str = "Ascending"
    summary_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_status: str | None = "InProgress"
    first_fields: Mapping[str, Json] = field(default_factory=dict)
    is_created: bool = True
    is_searched: bool = False
    described: tuple[str, ...] = ()
    parts: str | None = None

    @property
    def name_field(self) -> str:
        """Field by which Describe asks for it."""
        return f"{self.noun}{'Arn' if self.is_execution else 'Name'}"

    @property
    def arn_field(self) -> str:
        """Field of its ARN."""
        return f"{self.noun}Arn"

    @property
    def status_field(self) -> str:
        """Field of its status, if it has one."""
        return f"{self.noun}Status"

    @property
    def is_execution(self) -> bool:
        """Tell whether it is known by its ARN alone, which goes on behind a pipeline's."""
        return self.noun == "PipelineExecution"

    @cached_property
    def describe_shapes(self) -> tuple[Json, ...]:
        """Shapes of the answers that may be stored."""
        model = service_model("sagemaker")
        operations = self.described or (f"Describe{self.noun}",)
        return tuple(model.operation_model(name).output_shape for name in operations)

    @cached_property
    def summary_members(self) -> Mapping[str, Shape]:
        """Fields of a summary."""
        return list_members(f"List{self.noun}s")

    @cached_property
    def record_members(self) -> Mapping[str, Shape]:
        """Fields of Search's record, tags excepted; none for what cannot be searched for."""
        if not self.is_searched:
            return {}
        record = service_model("sagemaker").shape_for("SearchRecord").members[self.noun]
        return {name: shape for name, shape in record.members.items() if name != "Tags"}

    @cached_property
    def members_beside(self) -> Mapping[str, Shape]:
        """Fields that summary or record have and Describe has not, such as LastModifiedTime."""
        known = {name for shape in self.describe_shapes for name in shape.members}
        beside = {**self.record_members, **self.summary_members}
        return {k: v for k, v in beside.items() if k not in known and k not in self.summary_paths}

    def has(self, name: str) -> bool:
        """Tell whether a stored answer may have a field."""
        return name in self.members_beside or any(name in s.members for s in self.describe_shapes)

    def summary(self, answer: Answer) -> Answer:
        """Make the summary of a stored answer: the fields of the summary that it has."""
        values = {
            name: value_at(answer, self.summary_paths.get(name, (name,)))
            for name in self.summary_members
        }
        return {name: value for name, value in values.items() if value is not None}


def list_field(operation: str) -> str:
    """Name the field of a List operation's answer that is the list."""
    shape: Json = service_model("sagemaker").operation_model(operation).output_shape
    names: list[str] = [k for k, member in shape.members.items() if member.type_name == "list"]
    return names[0]


def list_members(operation: str) -> Mapping[str, Shape]:
    """Give the fields of what a List operation lists."""
    shape: Json = service_model("sagemaker").operation_model(operation).output_shape
    members: Mapping[str, Shape] = shape.members[list_field(operation)].member.members
    return members


def value_at(answer: Answer, path: tuple[str, ...]) -> Json:
    """Give the value at the end of a path of keys; None where there is none."""
    value: Json = answer
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


PROCESSING_JOB = ResourceKind(
    word="processing-job", noun="ProcessingJob", resource_type="processing-job"
)
TRANSFORM_JOB = ResourceKind(
    word="transform-job",
    noun="TransformJob",
    resource_type="transform-job",
    sort_order="Descending",
)
TUNING_JOB = ResourceKind(
    word="tuning-job",
    noun="HyperParameterTuningJob",
    resource_type="hyper-parameter-tuning-job",
    missing=NOT_FOUND,
    missing_message="Amazon SageMaker can't find a tuning job with the name {name}.",
    sort_by="Name",
    summary_paths={
        "Strategy": ("HyperParameterTuningJobConfig", "Strategy"),
        "ResourceLimits": ("HyperParameterTuningJobConfig", "ResourceLimits"),
    },
    first_fields={
        "TrainingJobStatusCounters": {
            "Completed": 0,
            "InProgress": 0,
            "RetryableError": 0,
            "NonRetryableError": 0,
            "Stopped": 0,
        },
        "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
    },
    is_searched=True,
)
AUTOML_JOB = ResourceKind(
    word="automl-job",
    noun="AutoMLJob",
    resource_type="automl-job",
    missing=NOT_FOUND,
    missing_message="AutoML job {name} does not exist.",
    sort_by="Name",
    sort_order="Descending",
    first_fields={"AutoMLJobSecondaryStatus": "Starting"},
    described=("DescribeAutoMLJobV2", "DescribeAutoMLJob"),
    parts="AutoMLCandidate",
)
MODEL = ResourceKind(
    word="model",
    noun="Model",
    resource_type="model",
    missing_message='Could not find model "{arn}".',
    exists=INVALID,
    exists_message='Cannot create already existing model "{arn}".',
    sort_order="Descending",
    first_status=None,
    first_fields={"EnableNetworkIsolation": False},
)
ENDPOINT_CONFIG = ResourceKind(
    word="endpoint-config",
    noun="EndpointConfig",
    resource_type="endpoint-config",
    missing_message='Could not find endpoint configuration "{arn}".',
    exists=INVALID,
    exists_message='Cannot create already existing endpoint configuration "{arn}".',
    sort_order="Descending",
    first_status=None,
)
ENDPOINT = ResourceKind(
    word="endpoint",
    noun="Endpoint",
    resource_type="endpoint",
    missing_message='Could not find endpoint "{arn}".',
    exists=INVALID,
    exists_message='Cannot create already existing endpoint "{arn}".',
    sort_order="Descending",
    first_status="Creating",
    is_searched=True,
)
INFERENCE_COMPONENT = ResourceKind(
    word="inference-component",
    noun="InferenceComponent",
    resource_type="inference-component",
    missing_message='Could not find inference component "{arn}".',
    exists=INVALID,
    exists_message='Cannot create already existing inference component "{arn}".',
    sort_order="Descending",
    first_status="Creating",
)
NOTEBOOK_INSTANCE = ResourceKind(
    word="notebook-instance",
    noun="NotebookInstance",
    resource_type="notebook-instance",
    missing_message="RecordNotFound",
    exists=INVALID,
    exists_message="Cannot create a duplicate Notebook Instance ({arn}).",
    sort_by="Name",
    first_status="Pending",
)
MONITORING_SCHEDULE = ResourceKind(
    word="monitoring-schedule",
    noun="MonitoringSchedule",
    resource_type="monitoring-schedule",
    missing=NOT_FOUND,
    missing_message="Monitoring Schedule {name} does not exist.",
    exists_message="Monitoring schedule {arn} already exists.",
    sort_order="Descending",
    first_status="Scheduled",
)
PIPELINE = ResourceKind(
    word="pipeline",
    noun="Pipeline",
    resource_type="pipeline",
    missing=NOT_FOUND,
    missing_message="Pipeline '{arn}' does not exist.",
    exists=INVALID,
    exists_message="A pipeline with the name {name} already exists.",
    sort_order="Descending",
    summary_paths={"LastExecutionTime": ("LastRunTime",)},
    first_status="Active",
    is_searched=True,
)
PIPELINE_EXECUTION = ResourceKind(
    word="pipeline-execution",
    noun="PipelineExecution",
    resource_type="pipeline",
    missing=NOT_FOUND,
    missing_message="Pipeline execution {name} does not exist.",
    sort_order="Descending",
    summary_paths={
        "StartTime": ("CreationTime",),
        "PipelineExecutionFailureReason": ("FailureReason",),
    },
    is_created=False,
    is_searched=True,
    parts="PipelineExecutionStep",
)

RESOURCE_KINDS = (
    PROCESSING_JOB,
    TRANSFORM_JOB,
    TUNING_JOB,
    AUTOML_JOB,
    MODEL,
    ENDPOINT_CONFIG,
    ENDPOINT,
    INFERENCE_COMPONENT,
    NOTEBOOK_INSTANCE,
    MONITORING_SCHEDULE,
    PIPELINE,
    PIPELINE_EXECUTION,
)

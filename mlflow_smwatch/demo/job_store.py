"""Training jobs as the account holds them: DescribeTrainingJob's answer, and the tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from mlflow_smwatch.demo.clock import whole_milliseconds
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.validation import Answer, Json, service_model

TERMINAL = {"Completed", "Failed", "Stopped"}


def describe_members() -> frozenset[str]:
    """Name the fields of a DescribeTrainingJob answer, from botocore's model."""
    shape = service_model("sagemaker").shape_for("DescribeTrainingJobResponse")
    return frozenset(shape.members)


def search_members() -> frozenset[str]:
    """Name the fields of Search's TrainingJob record, from botocore's model."""
    return frozenset(service_model("sagemaker").shape_for("TrainingJob").members)


@dataclass(slots=True)
class TrainingJob:
    """One job; its two wire forms are made when first asked for.

    Attributes
    ----------
    answer
        DescribeTrainingJob's answer, dates as aware datetimes. Change it only through
        :meth:`update`.
    tags
        Resource tags.
    stops_at
        When a stop that was asked for is done.
    reads_logs
        Whether FinalMetricDataList is the account's own doing.
    """

    answer: Answer
    tags: dict[str, str] = field(default_factory=dict)
    stops_at: datetime | None = None
    reads_logs: bool = False
    _described: Answer | None = None
    _found: Answer | None = None

    @property
    def name(self) -> str:
        """Name of the job."""
        name: str = self.answer["TrainingJobName"]
        return name

    @property
    def arn(self) -> str:
        """ARN of the job."""
        arn: str = self.answer["TrainingJobArn"]
        return arn

    @property
    def status(self) -> str:
        """TrainingJobStatus."""
        status: str = self.answer["TrainingJobStatus"]
        return status

    @property
    def is_over(self) -> bool:
        """Tell whether the job has reached an end state."""
        return self.status in TERMINAL

    def update(self, **changes: Json) -> None:
        """Set fields of the answer."""
        self.answer.update(changes)
        self._described = self._found = None

    def set_tags(self, tags: Mapping[str, str], *, removed: tuple[str, ...] = ()) -> None:
        """Add and remove tags."""
        self.tags = {k: v for k, v in {**self.tags, **tags}.items() if k not in removed}
        self._found = None

    def tag_list(self) -> list[dict[str, str]]:
        """Give the tags as AWS lists them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def described(self) -> Answer:
        """Give DescribeTrainingJob's answer with times as seconds; not to be changed."""
        if self._described is None:
            self._described = to_wire(self.answer)
        return self._described

    def found(self) -> Answer:
        """Give Search's record with times as seconds; not to be changed."""
        if self._found is None:
            members = search_members()
            record = {k: v for k, v in self.described().items() if k in members}
            self._found = {**record, "Tags": self.tag_list()}
        return self._found


class JobStore:
    """The training jobs of one account and Region, in order of creation.

    Parameters
    ----------
    account_id, region
        For the ARNs.
    partition
        Such as ``aws`` or ``aws-cn``.
    """

    def __init__(self, account_id: str, region: str, partition: str) -> None:
        self._prefix = f"arn:{partition}:sagemaker:{region}:{account_id}:training-job/"
        self._jobs: dict[str, TrainingJob] = {}

    def __iter__(self) -> Iterator[TrainingJob]:
        """Iterate over the jobs, as they were first put."""
        return iter(tuple(self._jobs.values()))

    def get(self, name: str) -> TrainingJob | None:
        """Find a job by name."""
        return self._jobs.get(name)

    def existing(self, name: str) -> TrainingJob:
        """Find a job that must exist.

        Raises
        ------
        AwsError
            It does not: a ``ValidationException``, as SageMaker answers for jobs.
        """
        job = self._jobs.get(name)
        if job is None:
            refuse("ValidationException", "Requested resource not found.")
        return job

    def by_arn(self, arn: str) -> TrainingJob | None:
        """Find a job by ARN."""
        if not arn.startswith(self._prefix):
            return None
        return self._jobs.get(arn.removeprefix(self._prefix))

    def arn(self, name: str) -> str:
        """Give the ARN for a name."""
        return self._prefix + name

    def is_training_job(self, arn: str) -> bool:
        """Tell whether an ARN is one of a training job of this account."""
        return arn.startswith(self._prefix)

    def put(self, answer: Answer, tags: Mapping[str, str], *, reads_logs: bool) -> TrainingJob:
        """Store a job; one of the same name is replaced.

        Parameters
        ----------
        answer
            DescribeTrainingJob's answer; the ARN is added if missing.
        tags
            Resource tags.
        reads_logs
            Whether the account computes FinalMetricDataList.

        Raises
        ------
        ValueError
            The answer has a field that DescribeTrainingJob does not have, or lacks one that it
            always has.
        """
        name = answer.get("TrainingJobName", "")
        whole = {"TrainingJobArn": self.arn(name), **cut_times(answer)}
        _check_fields(whole)
        job = TrainingJob(answer=whole, tags=dict(tags), reads_logs=reads_logs)
        self._jobs[name] = job
        return job

    def remove(self, name: str) -> None:
        """Forget a job."""
        del self._jobs[name]


def _check_fields(answer: Answer) -> None:
    unknown = set(answer) - describe_members()
    needed = {"TrainingJobName", "TrainingJobStatus", "SecondaryStatus", "CreationTime"}
    missing = needed - set(answer)
    if unknown or missing:
        message = (
            f"not a DescribeTrainingJob answer: unknown {sorted(unknown)}, "
            f"missing {sorted(missing)}"
        )
        raise ValueError(message)


def cut_times(value: Json) -> Json:
    """Copy a value, its times cut to milliseconds."""
    if isinstance(value, Mapping):
        return {key: cut_times(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cut_times(item) for item in value]
    return whole_milliseconds(value) if isinstance(value, datetime) else deepcopy(value)


def to_wire(value: Json) -> Json:
    """Copy a value, its times turned into the seconds that the JSON protocol carries."""
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return round(value.timestamp(), 3) if isinstance(value, datetime) else value

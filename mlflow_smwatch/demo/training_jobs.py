"""SageMaker's operations on training jobs, Search excepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NoReturn

from mlflow_smwatch.demo import job_life
from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import AwsError, refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_store import JobStore, TrainingJob
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

DEFAULT_PAGE = 10
STOP_TAKES = timedelta(seconds=1)
SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
    "WarmPoolStatus",
)
SORT_FIELDS = {
    "Name": "TrainingJobName",
    "CreationTime": "CreationTime",
    "Status": "TrainingJobStatus",
}


class TrainingJobs:
    """The operations of one account and Region.

    Parameters
    ----------
    store
        Where the jobs are.
    clock
        Gives the times of what happens.
    faults
        May shorten pages.
    changed
        Called with each job that has just been created or moved.
    ended
        Called before that with each job that has just ended.
    """

    def __init__(
        self,
        store: JobStore,
        clock: Clock,
        faults: Faults,
        *,
        changed: Callable[[TrainingJob], None],
        ended: Callable[[TrainingJob], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._ended = ended
        self._list_pager = Pager(faults, "sagemaker:ListTrainingJobs", bad_token)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateTrainingJob": self.create_training_job,
            "DescribeTrainingJob": self.describe_training_job,
            "ListTrainingJobs": self.list_training_jobs,
            "StopTrainingJob": self.stop_training_job,
            "DeleteTrainingJob": self.delete_training_job,
        }

    def create_training_job(self, parameters: Parameters) -> Answer:
        """Answer ``CreateTrainingJob``: the job is InProgress, Starting, until it is moved on."""
        name = parameters["TrainingJobName"]
        arn = self._store.arn(name)
        if self._store.get(name) is not None:
            message = (
                "Training job names must be unique within an AWS account and region, and a "
                f"training job with this name already exists ({arn})"
            )
            refuse("ResourceInUse", message)
        _check_request(parameters)
        tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
        answer = job_life.new_answer(parameters, arn, self._clock.now())
        self._changed(self._store.put(answer, tags, reads_logs=True))
        return {"TrainingJobArn": arn}

    def describe_training_job(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeTrainingJob``; tags are not in it."""
        return self._current(self._store.existing(parameters["TrainingJobName"])).described()

    def list_training_jobs(self, parameters: Parameters) -> Answer:
        """Answer ``ListTrainingJobs``.

        With StatusEquals and MaxResults together the page is cut first and filtered after, as
        the operation's documentation says.
        """
        status, size = parameters.get("StatusEquals"), parameters.get("MaxResults")
        is_filtered_late = status is not None and size is not None
        jobs = [self._current(job).described() for job in self._store]
        chosen = [job for job in jobs if _is_listed(job, parameters)]
        if status is not None and not is_filtered_late:
            chosen = [job for job in chosen if job["TrainingJobStatus"] == status]
        field = SORT_FIELDS[parameters.get("SortBy", "CreationTime")]
        default_order = "Descending" if is_filtered_late else "Ascending"
        order = parameters.get("SortOrder", default_order)
        chosen.sort(key=lambda job: job[field], reverse=order == "Descending")
        page, token = self._list_pager.cut(
            chosen, parameters, size=size or DEFAULT_PAGE, token=parameters.get("NextToken")
        )
        if is_filtered_late:
            page = [job for job in page if job["TrainingJobStatus"] == status]
        answer: Answer = {"TrainingJobSummaries": [_summary(job) for job in page]}
        if token:
            answer["NextToken"] = token
        return answer

    def stop_training_job(self, parameters: Parameters) -> Answer:
        """Answer ``StopTrainingJob``: Stopping now, Stopped a second later."""
        job = self._current(self._store.existing(parameters["TrainingJobName"]))
        if job.is_over:
            message = (
                f"The request was rejected because the training job is in status {job.status}."
            )
            refuse("ValidationException", message)
        if job.stops_at is None:
            now = self._clock.now()
            job_life.move(job, status="Stopping", secondary_status="Stopping", at=now)
            job.stops_at = now + STOP_TAKES
            self._changed(job)
        return {}

    def delete_training_job(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteTrainingJob``: only for ended jobs; the name is free again."""
        job = self._current(self._store.existing(parameters["TrainingJobName"]))
        if not job.is_over:
            message = f"The training job is in status {job.status} and cannot be deleted."
            refuse("ResourceInUse", message)
        self._store.remove(job.name)
        return {}

    def settle_all(self) -> Iterable[TrainingJob]:
        """Give all jobs as they are by the account's clock."""
        return [self._current(job) for job in self._store]

    def tagged(self, arn: str) -> TrainingJob | None:
        """Find the job of an ARN; None for an ARN of something else.

        Raises
        ------
        AwsError
            There is no such job.
        """
        if not self._store.is_training_job(arn):
            return None
        job = self._store.by_arn(arn)
        if job is None:
            refuse("ValidationException", "Requested resource not found.")
        return job

    def _current(self, job: TrainingJob) -> TrainingJob:
        """Carry out a stop whose time has come."""
        if job.stops_at is not None and self._clock.now() >= job.stops_at:
            at, job.stops_at = job.stops_at, None
            if not job.is_over:
                job_life.move(job, status="Stopped", secondary_status="Stopped", at=at)
                self._ended(job)
                self._changed(job)
        return job


def bad_token() -> AwsError:
    """Make SageMaker's error for a token that is none."""
    return AwsError("ValidationException", "Invalid pagination token.")


def _refuse(message: str) -> NoReturn:
    refuse("ValidationException", message)


def _summary(job: Answer) -> Answer:
    return {field: job[field] for field in SUMMARY if field in job}


def _is_listed(job: Answer, parameters: Parameters) -> bool:
    if parameters.get("NameContains", "") not in job["TrainingJobName"]:
        return False
    warm_pool = parameters.get("WarmPoolStatusEquals")
    if warm_pool and job.get("WarmPoolStatus", {}).get("Status") != warm_pool:
        return False
    plan = parameters.get("TrainingPlanArnEquals")
    if plan and job.get("ResourceConfig", {}).get("TrainingPlanArn") != plan:
        return False
    return all(
        _is_in_time(job, field, parameters) for field in ("CreationTime", "LastModifiedTime")
    )


def _is_in_time(job: Answer, field: str, parameters: Parameters) -> bool:
    after, before = parameters.get(f"{field}After"), parameters.get(f"{field}Before")
    if after is None and before is None:
        return True
    time: Json = job.get(field)
    if time is None:
        return False
    return (after is None or time > after.timestamp()) and (
        before is None or time < before.timestamp()
    )


def _check_request(parameters: Parameters) -> None:
    """Check what botocore's model does not state but SageMaker refuses."""
    if "ServerlessJobConfig" not in parameters:
        for field in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
            if field not in parameters:
                _refuse(f"{field} is required unless ServerlessJobConfig is given.")
        _check_algorithm(parameters["AlgorithmSpecification"])
        _check_resources(parameters["ResourceConfig"])
        _check_spot(parameters)
    tag_keys: Sequence[str] = [tag["Key"] for tag in parameters.get("Tags", ())]
    if len(tag_keys) != len(set(tag_keys)):
        _refuse("Tag keys must be unique.")
    channels = [channel["ChannelName"] for channel in parameters.get("InputDataConfig", ())]
    if len(channels) != len(set(channels)):
        _refuse("Channel names must be unique.")


def _check_algorithm(algorithm: Parameters) -> None:
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        _refuse("Provide either TrainingImage or AlgorithmName, not both.")


def _check_resources(resources: Parameters) -> None:
    has_flat = "InstanceType" in resources or "InstanceCount" in resources
    if has_flat and resources.get("InstanceGroups"):
        _refuse("InstanceGroups cannot be used with InstanceType or InstanceCount.")
    replaced = resources.get("InstanceGroups") or resources.get("InstancePreferences")
    if not replaced and not ("InstanceType" in resources and "InstanceCount" in resources):
        _refuse("InstanceType and InstanceCount are required without InstanceGroups.")


def _check_spot(parameters: Parameters) -> None:
    condition = parameters["StoppingCondition"]
    longest = condition.get("MaxWaitTimeInSeconds")
    if not parameters.get("EnableManagedSpotTraining", False):
        if longest is not None:
            _refuse("MaxWaitTimeInSeconds needs EnableManagedSpotTraining.")
        return
    if longest is None or longest < condition.get("MaxRuntimeInSeconds", 0):
        _refuse(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds"
        )

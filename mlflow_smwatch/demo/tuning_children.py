"""ListTrainingJobsForHyperParameterTuningJob: the training jobs that a tuning job started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.list_operation import ListOperation
from mlflow_smwatch.demo.resource_kinds import list_members
from mlflow_smwatch.demo.resource_store import Resource, ResourceStore
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

OPERATION = "ListTrainingJobsForHyperParameterTuningJob"
OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"
BY_OBJECTIVE = "FinalObjectiveMetricValue"
WAITING = {"InProgress", "Stopping"}


class TuningChildren:
    """The operation for one account and Region.

    Parameters
    ----------
    store
        Where the tuning jobs are.
    training_jobs
        Gives DescribeTrainingJob's answers of all training jobs, times as seconds.
    faults
        May shorten pages.
    """

    def __init__(
        self,
        store: ResourceStore,
        training_jobs: Callable[[], Iterable[Answer]],
        faults: Faults,
    ) -> None:
        self._store = store
        self._training_jobs = training_jobs
        self._listing = ListOperation(
            OPERATION,
            faults,
            fields={
                "Name": ("TrainingJobName",),
                "Status": ("TrainingJobStatus",),
                BY_OBJECTIVE: (OBJECTIVE, "Value"),
            },
            sort_by="Name",
            of=frozenset({"HyperParameterTuningJobName"}),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {OPERATION: self.list_children}

    def list_children(self, parameters: Parameters) -> Answer:
        """Answer the operation; sorted by objective, jobs without one are left out."""
        tuning_job = self._store.existing(parameters["HyperParameterTuningJobName"])
        summaries = [
            child_summary(tuning_job, job)
            for job in self._training_jobs()
            if job.get("TuningJobArn") == tuning_job.arn
        ]
        if parameters.get("SortBy") == BY_OBJECTIVE:
            summaries = [summary for summary in summaries if OBJECTIVE in summary]
        return self._listing.answer(summaries, parameters)


def child_summary(tuning_job: Resource, job: Answer) -> Answer:
    """Make the summary of one training job.

    Parameters
    ----------
    tuning_job
        The job that started it; names the objective and the hyperparameters that it tunes.
    job
        DescribeTrainingJob's answer; the objective is the value of FinalMetricDataList.
    """
    tuning = tuning_job.whole()
    definitions = list(_definitions(tuning))
    objective = _objective(tuning, definitions, job)
    kept = {name: job[name] for name in list_members(OPERATION) if name in job}
    named = {one["DefinitionName"] for one in definitions if "DefinitionName" in one}
    return {
        **kept,
        **({"TrainingJobDefinitionName": named.pop()} if len(named) == 1 else {}),
        "TuningJobName": tuning_job.name,
        "TunedHyperParameters": _tuned(tuning, definitions, job.get("HyperParameters", {})),
        "ObjectiveStatus": _objective_status(job, has_objective=bool(objective)),
        **({OBJECTIVE: objective} if objective else {}),
    }


def _definitions(tuning: Answer) -> Iterator[Answer]:
    if "TrainingJobDefinition" in tuning:
        yield tuning["TrainingJobDefinition"]
    yield from tuning.get("TrainingJobDefinitions", ())


def _objective(tuning: Answer, definitions: Iterable[Answer], job: Answer) -> Answer | None:
    """Give the objective and its value, if the job has a final value of it."""
    final = {one["MetricName"]: one["Value"] for one in job.get("FinalMetricDataList", ())}
    config = tuning["HyperParameterTuningJobConfig"]
    candidates: list[Json] = [
        config.get("HyperParameterTuningJobObjective"),
        *(one.get("TuningObjective") for one in definitions),
    ]
    for objective in candidates:
        if objective and objective["MetricName"] in final:
            return {**objective, "Value": final[objective["MetricName"]]}
    return None


def _objective_status(job: Answer, *, has_objective: bool) -> str:
    if job["TrainingJobStatus"] in WAITING:
        return "Pending"
    return "Succeeded" if has_objective else "Failed"


def _tuned(tuning: Answer, definitions: Iterable[Answer], given: Answer) -> Answer:
    """Pick the hyperparameters that have a range; without any range, all."""
    ranges = [
        tuning["HyperParameterTuningJobConfig"].get("ParameterRanges", {}),
        *(one.get("HyperParameterRanges", {}) for one in definitions),
    ]
    names = {one["Name"] for each in ranges for kind in each.values() for one in kind}
    return {name: value for name, value in given.items() if not names or name in names}

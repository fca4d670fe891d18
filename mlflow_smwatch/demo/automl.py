"""AutoML jobs of both versions, and their candidates."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_store import to_wire
from mlflow_smwatch.demo.list_operation import ListOperation
from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters

CHANNEL = ("ChannelType", "ContentType", "CompressionType", "DataSource")
ONLY_V1 = (
    "InputDataConfig",
    "ProblemType",
    "AutoMLJobConfig",
    "GenerateCandidateDefinitionsOnly",
    "ResolvedAttributes",
)


class AutoML:
    """The operations of one account and Region that differ from those of other kinds.

    Parameters
    ----------
    store
        Where the jobs are, as the Describe operation of their version answers.
    jobs
        The operations that are like those of other kinds.
    faults
        May shorten pages.
    """

    def __init__(self, store: ResourceStore, jobs: ResourceOperations, faults: Faults) -> None:
        self._store = store
        self._listing = ListOperation(
            "ListCandidatesForAutoMLJob",
            faults,
            fields={
                "Name": ("CandidateName",),
                "Status": ("CandidateStatus",),
                "FinalObjectiveMetricValue": ("FinalAutoMLJobObjectiveMetric", "Value"),
            },
            of=frozenset({"AutoMLJobName"}),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateAutoMLJobV2": jobs.create,
            "DescribeAutoMLJob": self.describe,
            "DescribeAutoMLJobV2": self.describe_v2,
            "ListCandidatesForAutoMLJob": self.list_candidates,
        }

    def describe(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeAutoMLJob``, which does not know jobs of version 2."""
        answer = self._store.existing(parameters["AutoMLJobName"]).described()
        if not is_v1(answer):
            message = "The job was created by CreateAutoMLJobV2: use DescribeAutoMLJobV2."
            refuse("ValidationException", message)
        return answer

    def describe_v2(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeAutoMLJobV2``, which knows jobs of both versions."""
        answer = self._store.existing(parameters["AutoMLJobName"]).described()
        return to_v2(answer) if is_v1(answer) else answer

    def list_candidates(self, parameters: Parameters) -> Answer:
        """Answer ``ListCandidatesForAutoMLJob``."""
        parts = self._store.existing(parameters["AutoMLJobName"]).parts
        return self._listing.answer(to_wire(parts), parameters)


def is_v1(answer: Answer) -> bool:
    """Tell whether an answer is DescribeAutoMLJob's."""
    return "InputDataConfig" in answer


def to_v2(answer: Answer) -> Answer:
    """Turn DescribeAutoMLJob's answer into DescribeAutoMLJobV2's of the same job.

    All jobs of version 1 are tabular: target, problem type and configuration go to
    TabularJobConfig ("Migrate a CreateAutoMLJob to CreateAutoMLJobV2").
    """
    config = answer.get("AutoMLJobConfig", {})
    channels = answer["InputDataConfig"]
    moved = {
        "AutoMLJobInputDataConfig": [_picked(channel, *CHANNEL) for channel in channels],
        "AutoMLProblemTypeConfig": {"TabularJobConfig": _tabular(answer, config, channels[0])},
        "AutoMLProblemTypeConfigName": "Tabular",
        **_picked(config, "SecurityConfig", "DataSplitConfig"),
    }
    if "ResolvedAttributes" in answer:
        moved["ResolvedAttributes"] = _resolved(answer["ResolvedAttributes"])
    return {key: value for key, value in answer.items() if key not in ONLY_V1} | moved


def _tabular(answer: Answer, config: Answer, channel: Answer) -> Answer:
    generation = config.get("CandidateGenerationConfig", {})
    algorithms = _picked(generation, "AlgorithmsConfig")
    return {
        **_picked(channel, "TargetAttributeName", "SampleWeightAttributeName"),
        **_picked(answer, "ProblemType", "GenerateCandidateDefinitionsOnly"),
        **_picked(config, "CompletionCriteria", "Mode"),
        **_picked(generation, "FeatureSpecificationS3Uri"),
        **({"CandidateGenerationConfig": algorithms} if algorithms else {}),
    }


def _resolved(attributes: Answer) -> Answer:
    problem = _picked(attributes, "ProblemType")
    tabular = {"TabularResolvedAttributes": problem}
    return {
        **_picked(attributes, "AutoMLJobObjective", "CompletionCriteria"),
        **({"AutoMLProblemTypeResolvedAttributes": tabular} if problem else {}),
    }


def _picked(answer: Answer, *names: str) -> Answer:
    return {name: answer[name] for name in names if name in answer}

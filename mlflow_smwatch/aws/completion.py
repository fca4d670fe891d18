"""What a job's own description does not tell: its model, and the objective of its group.

Listings give tuning children and AutoML steps without the value of the group's objective, and
transform jobs without their model. Each group, model and model package is asked for once a pass.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from mlflow_smwatch.aws.discovery import Answer, Described
from mlflow_smwatch.aws.listing import describe, list_all
from mlflow_smwatch.aws.model_packages import describe_model_package
from mlflow_smwatch.aws.operations import DESCRIBE_MODEL, LIST_CANDIDATES, LIST_TUNING_CHILDREN
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    JobError,
    RetriableError,
    UnknownJobError,
)
from mlflow_smwatch.core.job import FinalMetric, Job
from mlflow_smwatch.core.job_kinds import TRAINING_JOB, TRANSFORM_JOB
from mlflow_smwatch.core.mappers.materials import packages_named

_Value = TypeVar("_Value")
_OBJECTIVE = "_tuning_objective_metric"
"""Hyperparameter in which SageMaker tells a tuning job's children the objective's name."""

_MOST_RENEWALS = 2
_TIMES = ("CreationTime", "LastModifiedTime", "TransformStartTime", "TransformEndTime")


@dataclass
class Once(Generic[_Value]):
    """Reads each thing once, also where several threads ask for it; a failure is kept as well."""

    _known: dict[str, _Value | AccessDeniedError | JobError] = field(default_factory=dict)
    _locks: dict[str, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _renewals: Counter[str] = field(default_factory=Counter)

    def get(
        self,
        name: str,
        read: Callable[[], _Value],
        outdated: Callable[[_Value], bool] = lambda _: False,
    ) -> _Value:
        """Give what is known; read it where nothing is, or what is known is outdated.

        What stays outdated is read again twice: a job may belong to none of its group's candidates.
        """
        with self._lock:
            lock = self._locks.setdefault(name, Lock())
        with lock:
            known = self._known.get(name)
            if known is None or (
                not isinstance(known, Exception) and self._renews(name, known, outdated)
            ):
                known = self._known[name] = self._attempt(read)
        if isinstance(known, Exception):
            raise known
        return known

    def _renews(self, name: str, known: _Value, outdated: Callable[[_Value], bool]) -> bool:
        if self._renewals[name] == _MOST_RENEWALS or not outdated(known):
            return False
        self._renewals[name] += 1
        return True

    @staticmethod
    def _attempt(read: Callable[[], _Value]) -> _Value | AccessDeniedError | JobError:
        try:
            return read()
        except (AccessDeniedError, JobError) as error:
            return error


class Completion:
    """Completes jobs of one account and Region; may be used by several threads.

    Parameters
    ----------
    aws
        The clients.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._models: Once[dict[str, Any]] = Once()
        self._packages: Once[dict[str, Any]] = Once()
        self._children: Once[dict[str, dict[str, Any]]] = Once()
        self._candidates: Once[list[dict[str, Any]]] = Once()

    def complete(self, job: Job) -> Described:
        """Add what a job's own description does not tell.

        A transform job gets its model, and what of its lineage follows from it. A training job
        that has ended gets the final value of its tuning or AutoML job's objective where
        SageMaker did not see that metric in its log, and the name of its candidate.

        Returns
        -------
        Described
            With what was denied of that, in words.

        Raises
        ------
        RetriableError
            When AWS goes on failing.
        """
        denied: list[str] = []
        for what, applies, add in (
            ("model", _lacks_model, partial(self._with_model, denied=denied)),
            ("tuning objective", _lacks_objective, self._with_objective),
            ("candidate", _lacks_candidate, self._with_candidate),
        ):
            if not applies(job):
                continue
            try:
                job = add(job)
            except AccessDeniedError as error:
                denied.append(f"no {what}: {error}")
            except JobError:  # the group, or the model, is gone
                continue
        return Described(job=job, denied=tuple(denied))

    def model(self, name: str, denied: list[str]) -> dict[str, Any]:
        """Describe a model, redacted (``DescribeModel``).

        Parameters
        ----------
        name
            Of the model.
        denied
            Is given what was denied of its model packages, in words.

        Returns
        -------
        dict
            The answer; with ``ModelPackages``, the answers of ``DescribeModelPackage``, where
            containers name such.

        Raises
        ------
        UnknownJobError
            When it is gone.
        AccessDeniedError, RetriableError
            When the operation is denied or keeps failing.
        """

        def read() -> dict[str, Any]:
            request = {"ModelName": name}
            answer = describe(self._aws, DESCRIBE_MODEL, request, "ModelArn")
            return self._aws.redaction.answer(answer)

        model = self._models.get(name, read)
        packages = [self._package(each, denied) for each in packages_named(model)]
        found = [package for package in packages if package]
        return {**model, "ModelPackages": found} if found else model

    def children(
        self, tuning_job: str, child: str | None = None, *, anew: bool = False
    ) -> dict[str, dict[str, Any]]:
        """List the training jobs of a tuning job, redacted, by name.

        Parameters
        ----------
        tuning_job
            Its name.
        child
            A training job that has ended: the list is read again unless it knows that.
        anew
            Whether to read it again in any case.

        Raises
        ------
        AccessDeniedError, RetriableError, JobError
            When ``ListTrainingJobsForHyperParameterTuningJob`` is denied or fails.
        """

        def read() -> dict[str, dict[str, Any]]:
            request = {"HyperParameterTuningJobName": tuning_job}
            found = list_all(self._aws, LIST_TUNING_CHILDREN, request, "TrainingJobSummaries")
            return {each["TrainingJobName"]: self._aws.redaction.answer(each) for each in found}

        def outdated(known: Mapping[str, Mapping[str, Any]]) -> bool:
            return anew or (child is not None and not _is_over(known.get(child)))

        return self._children.get(tuning_job, read, outdated)

    def candidates(
        self, automl_job: str, step: str | None = None, *, anew: bool = False
    ) -> list[dict[str, Any]]:
        """List the candidates of an AutoML job, redacted.

        Parameters
        ----------
        automl_job
            Its name.
        step
            ARN of a job that is a step of a candidate: the list is read again unless it knows it.
        anew
            Whether to read it again in any case.

        Raises
        ------
        AccessDeniedError, RetriableError, JobError
            When ``ListCandidatesForAutoMLJob`` is denied or fails.
        """

        def read() -> list[dict[str, Any]]:
            request = {"AutoMLJobName": automl_job}
            found = list_all(self._aws, LIST_CANDIDATES, request, "Candidates")
            return [self._aws.redaction.answer(each) for each in found]

        def outdated(known: list[dict[str, Any]]) -> bool:
            return anew or (step is not None and _candidate_of(step, known) is None)

        return self._candidates.get(automl_job, read, outdated)

    def _package(self, name: str, denied: list[str]) -> dict[str, Any] | None:
        """Describe a model package; None where it is gone, or denied."""
        try:
            return self._packages.get(name, lambda: describe_model_package(self._aws, name))
        except UnknownJobError:
            return None
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            denied.append(f"no model package: {error}")
            return None

    def _with_model(self, job: Job, denied: list[str]) -> Job:
        answer = json.loads(job.document)
        times = {key: _moment(answer[key]) for key in _TIMES if answer.get(key)}
        content = {**answer, **times, "Model": self.model(answer["ModelName"], denied)}
        whole = Answer(word=job.kind.word, content=content).described().job
        return replace(job, image=whole.image, lineage=whole.lineage, document=whole.document)

    def _with_objective(self, job: Job) -> Job:
        children = self.children(str(job.kinship.tuning_job), job.name)
        summary = children.get(job.name) or {}
        return _with_final(job, summary.get("FinalHyperParameterTuningJobObjectiveMetric"))

    def _with_candidate(self, job: Job) -> Job:
        arn = str(job.arn)
        candidate = _candidate_of(arn, self.candidates(str(job.kinship.automl_job), arn))
        if candidate is None:
            return job
        kinship = replace(job.kinship, candidate=str(candidate["CandidateName"]))
        known = replace(job, kinship=kinship)
        return _with_final(known, candidate.get("FinalAutoMLJobObjectiveMetric"))


def _lacks_model(job: Job) -> bool:
    if job.kind is not TRANSFORM_JOB:
        return False
    answer = json.loads(job.document)
    return bool(answer.get("ModelName")) and "Model" not in answer


def _lacks_objective(job: Job) -> bool:
    if job.kind is not TRAINING_JOB or not (job.kinship.tuning_job and job.ended):
        return False
    objective = dict(job.hyperparameters).get(_OBJECTIVE, "").strip('"')
    return objective not in {each.name for each in job.final_metrics}


def _lacks_candidate(job: Job) -> bool:
    return job.kind is TRAINING_JOB and bool(job.kinship.automl_job) and job.ended


def _with_final(job: Job, metric: Mapping[str, Any] | None) -> Job:
    """Add a final value, unless SageMaker saw that metric itself."""
    known = {each.name for each in job.final_metrics}
    name, value = (metric or {}).get("MetricName"), (metric or {}).get("Value")
    if not name or value is None or name in known or job.ended_ms is None:
        return job
    final = FinalMetric(name=str(name), value=float(value), timestamp_ms=job.ended_ms, logged=False)
    return replace(job, final_metrics=(*job.final_metrics, final))


def _is_over(summary: Mapping[str, Any] | None) -> bool:
    return bool(summary) and (summary or {}).get("TrainingJobStatus") in TRAINING_JOB.end_states


def _candidate_of(arn: str, candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    for candidate in candidates:
        steps = candidate.get("CandidateSteps") or ()
        if any(str(step.get("CandidateStepArn")).lower() == arn.lower() for step in steps):
            return candidate
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))

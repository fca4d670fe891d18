"""Describes single jobs of every kind, with all that further operations tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from mlflow_smwatch.aws.completion import Completion
from mlflow_smwatch.aws.components import Components, job_arn, stands_alone
from mlflow_smwatch.aws.discovery import Answer, Described, no_tags
from mlflow_smwatch.aws.kinds import CALLS
from mlflow_smwatch.aws.listing import describe, list_all, list_tags
from mlflow_smwatch.aws.operations import (
    DESCRIBE_ENDPOINT_CONFIG,
    DESCRIBE_INFERENCE_COMPONENT,
    LIST_INFERENCE_COMPONENTS,
)
from mlflow_smwatch.aws.pipelines import Executions
from mlflow_smwatch.aws.report_facts import ReportFacts
from mlflow_smwatch.aws.search import Record, Searcher
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.aws.trials import Trials
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    RetriableError,
    UnknownJobError,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    PIPELINE_EXECUTION,
    TRANSFORM_JOB,
    TRIAL_COMPONENT,
    TUNING_JOB,
    kind_of,
    name_in,
)
from mlflow_smwatch.core.mappers.variants import specification

_Read = TypeVar("_Read")
_VARIANTS = ("ProductionVariants", "ShadowProductionVariants")


class JobDescriber:
    """Describes jobs of one account and Region; made for one pass, used by several threads.

    Parameters
    ----------
    aws
        The clients.
    components, executions
        What the finder of the same pass met already; nothing if None.
    """

    def __init__(
        self,
        aws: Aws,
        components: Components | None = None,
        executions: Executions | None = None,
    ) -> None:
        searcher = Searcher(aws)
        self._aws = aws
        self._components = components or Components(searcher, Trials(searcher))
        self._executions = executions or Executions(searcher)
        self._completion = Completion(aws)
        self._reports = ReportFacts(aws)
        self._gone: set[str] = set()
        self._extras: dict[str, Callable[[dict[str, Any], list[str]], None]] = {
            TRANSFORM_JOB.word: self._add_model,
            TUNING_JOB.word: self._add_children,
            AUTOML_JOB.word: self._add_candidates,
            ENDPOINT.word: self._add_configuration,
            TRIAL_COMPONENT.word: self._add_parents,
        }

    def describe(self, word: str, asked: str) -> Described:
        """Describe one job.

        Parameters
        ----------
        word
            Its kind. A trial component that belongs to a job gives that job, if AWS knows it here.
        asked
            Its name or ARN; the ARN for a pipeline's execution.

        Raises
        ------
        UnknownJobError
            When AWS has no such job.
        AccessDeniedError, RetriableError, InvalidRequestError
            When the kind's ``Describe`` operation is denied, keeps failing or does not take it.
        JobError
            When what AWS says of it is not understood.
        """
        return self._components.join(self.answer(word, asked)).described()

    def complete(self, job: Job) -> Described:
        """Add to a job what only its group, or its model, tells; see :class:`.Completion`.

        Raises
        ------
        RetriableError
            When AWS goes on failing.
        """
        return self._completion.complete(job)

    def tell(self, job: Job) -> Described:
        """Add to a job what is told of its rules, or its schedule; see :class:`.ReportFacts`."""
        return self._reports.complete(job)

    def answer(self, word: str, asked: str) -> Answer:
        """Describe one job, as :meth:`describe` does, without an attempt to understand it."""
        if word == PIPELINE_EXECUTION.word:
            return self._executions.describe(asked)
        calls = CALLS[word]
        raw = describe(
            self._aws, calls.describe, {calls.parameter: self._name(word, asked)}, calls.arn
        )
        job = self.job_of(self._aws.redaction.answer(raw)) if word == TRIAL_COMPONENT.word else None
        if job:
            return job
        denied: list[str] = []
        if word in self._extras:
            self._extras[word](raw, denied)
        try:
            raw["Tags"] = list_tags(self._aws, raw[calls.arn])
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            denied.append(no_tags(error))
        content = self._aws.redaction.answer(raw)
        return Answer(word=word, content=content, denied=tuple(denied))

    def job_of(self, component: Record) -> Answer | None:
        """Describe the job of a trial component, with it; a job that is gone is asked for once.

        Parameters
        ----------
        component
            A description, a record of ``Search`` or an entry of ``ListTrialComponents``, redacted.

        Returns
        -------
        Answer or None
            None for one that no job stands for; where it names one, there is a warning.

        Raises
        ------
        AccessDeniedError, RetriableError, JobError
            When the job cannot be described for another reason than that it is gone.
        """
        arn = job_arn(component)
        if arn is None or stands_alone(component):
            self._components.tell(component)
            return None
        answer = None if arn in self._gone else self._known(Arn.parse(arn))
        if answer is None:
            self._gone.add(arn)
            self._components.tell(component, gone=True)
            return None
        self._components.remember((component,))
        return self._components.join(answer)

    def _known(self, arn: Arn) -> Answer | None:
        """Describe a job; None where AWS does not know it."""
        kind = kind_of(arn)
        try:
            return self.answer(kind.word, name_in(arn)) if kind else None
        except UnknownJobError:
            return None

    @staticmethod
    def _name(word: str, asked: str) -> str:
        """Say what the ``Describe`` operation of a kind takes for a name or ARN."""
        if not is_arn(asked) or word == TRIAL_COMPONENT.word:
            return asked
        return name_in(Arn.parse(asked))

    def _add_model(self, raw: dict[str, Any], denied: list[str]) -> None:
        name = raw.get("ModelName")
        model = (
            _part(lambda: self._completion.model(str(name), denied), "model", denied)
            if name
            else None
        )
        if model:
            raw["Model"] = model

    def _add_children(self, raw: dict[str, Any], denied: list[str]) -> None:
        name = raw["HyperParameterTuningJobName"]
        children = _part(
            lambda: self._completion.children(name, anew=True), "training jobs", denied
        )
        if children is not None:
            raw["TrainingJobSummaries"] = list(children.values())

    def _add_candidates(self, raw: dict[str, Any], denied: list[str]) -> None:
        name = raw["AutoMLJobName"]
        candidates = _part(
            lambda: self._completion.candidates(name, anew=True), "candidates", denied
        )
        if candidates is not None:
            raw["Candidates"] = candidates

    def _add_configuration(self, raw: dict[str, Any], denied: list[str]) -> None:
        name = raw.get("EndpointConfigName")
        if not name:
            return
        request = {"EndpointConfigName": str(name)}
        found = _part(
            lambda: describe(self._aws, DESCRIBE_ENDPOINT_CONFIG, request, "EndpointConfigArn"),
            "endpoint configuration",
            denied,
        )
        if not found:
            return
        raw["EndpointConfig"] = found
        variants = [each for key in _VARIANTS for each in found.get(key) or ()]
        named = [each.get("ModelName") for each in variants]
        if not all(named):
            components = list(self._inference_components(raw["EndpointName"], denied))
            raw["InferenceComponents"] = components
            named += [specification(each).get("ModelName") for each in components]
        models = [
            _part(partial(self._completion.model, each, denied), "model", denied)
            for each in dict.fromkeys(str(name) for name in named if name)
        ]
        raw["Models"] = [model for model in models if model]

    def _inference_components(self, endpoint: str, denied: list[str]) -> Iterator[dict[str, Any]]:
        """Describe the components of an endpoint of which a variant names no model."""
        request = {"EndpointNameEquals": endpoint, "SortBy": "Name", "SortOrder": "Ascending"}
        what, member = "inference components", "InferenceComponents"
        listed = _part(
            lambda: list_all(self._aws, LIST_INFERENCE_COMPONENTS, request, member), what, denied
        )
        for summary in listed or ():
            named = {"InferenceComponentName": summary["InferenceComponentName"]}
            found = _part(partial(self._component, named), what, denied)
            if found:
                yield found

    def _component(self, named: dict[str, str]) -> dict[str, Any]:
        return describe(self._aws, DESCRIBE_INFERENCE_COMPONENT, named, "InferenceComponentArn")

    def _add_parents(self, raw: dict[str, Any], denied: list[str]) -> None:
        parents = self._components.parents(raw["TrialComponentName"])
        if parents is None:
            denied.extend(self._components.no_parents())
        else:
            raw["Parents"] = parents


def _part(read: Callable[[], _Read], what: str, denied: list[str]) -> _Read | None:
    """Read what belongs to a job's description; None where it is gone, or denied."""
    try:
        return read()
    except UnknownJobError:
        return None
    except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
        denied.append(f"no {what}: {error}")
        return None

"""Trial components: which job they belong to, and which trials they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from mlflow_smwatch.aws.discovery import Answer, JobFilter
from mlflow_smwatch.aws.kinds import CALLS, WITH_COMPONENT
from mlflow_smwatch.aws.listing import list_pages
from mlflow_smwatch.aws.operations import LIST_TRIAL_COMPONENTS
from mlflow_smwatch.aws.search import Record, Searcher, SearchPage, equals
from mlflow_smwatch.aws.trials import Trials
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    JobError,
    RetriableError,
    SmwatchError,
    UsageError,
)
from mlflow_smwatch.core.job_kinds import (
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL_COMPONENT,
    kind_of,
)

COMPONENTS = "ExperimentTrialComponent"
"""What ``Search`` calls trial components."""

_DETAILS = {
    "TrainingJob": TRAINING_JOB.word,
    "ProcessingJob": PROCESSING_JOB.word,
    "TransformJob": TRANSFORM_JOB.word,
}
_NOT_OFFERED = {"UnknownOperationException", "UnknownOperation", "InvalidAction"}


def job_arn(component: Mapping[str, Any]) -> str | None:
    """Tell the ARN of the job whose component this is; None for one that is no job's.

    Parameters
    ----------
    component
        A description, a record of ``Search`` or an entry of ``ListTrialComponents``.
    """
    source = component.get("Source") or component.get("TrialComponentSource") or {}
    try:
        kind = kind_of(Arn.parse(source.get("SourceArn") or ""))
    except UsageError:
        return None
    return str(source["SourceArn"]) if kind and kind.word in WITH_COMPONENT else None


def is_elsewhere(component: Mapping[str, Any]) -> bool:
    """Whether a component's job is of another account or Region than the component itself."""
    source = job_arn(component)
    if source is None:
        return False
    job, own = Arn.parse(source), Arn.parse(component["TrialComponentArn"])
    return (job.account, job.region) != (own.account, own.region)


def stands_alone(component: Mapping[str, Any]) -> bool:
    """Whether a component has no job in its account and Region."""
    return job_arn(component) is None or is_elsewhere(component)


def job_details(record: Mapping[str, Any]) -> tuple[str, Record] | None:
    """Give the kind and the description of the job that a component's record of ``Search`` has."""
    details = record.get("SourceDetail") or {}
    told = ((word, details.get(member)) for member, word in _DETAILS.items())
    return next(((word, job) for word, job in told if job), None)


def answer_of(record: Record) -> Answer | None:
    """Take a component's record of ``Search`` for what it stands for: its job, or itself.

    Returns
    -------
    Answer or None
        None for the component of a job of this account and Region of which the record has no
        details.
    """
    known = job_details(record)
    if known is None:
        return itself(record) if stands_alone(record) else None
    word, job = known
    # a transform job's record has no LastModifiedTime; its component follows it closely
    modified = {"LastModifiedTime": record.get("LastModifiedTime")}
    return with_component(Answer(word=word, content={**modified, **job}), record)


def itself(record: Record) -> Answer:
    """Take a component's record of ``Search`` for a component that no job stands for."""
    return Answer(word=TRIAL_COMPONENT.word, content=record)


def with_component(answer: Answer, component: Mapping[str, Any]) -> Answer:
    """Put a job's trial component beside its description."""
    known = {key: value for key, value in component.items() if key != "SourceDetail"}
    return Answer(
        word=answer.word,
        content={**answer.content, "TrialComponent": known},
        denied=answer.denied,
    )


@dataclass
class Components:
    """The trial components of one account and Region, as far as they were asked for.

    May be used by several threads.
    """

    searcher: Searcher
    trials: Trials
    _of_jobs: dict[str, Record] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _search_by_job: bool = True
    _unlisted: SmwatchError | None = None
    _without_trials: SmwatchError | None = None

    def modified(self, wanted: JobFilter) -> Iterator[SearchPage]:
        """Search for components by their window; their trials are in no order.

        Raises
        ------
        AccessDeniedError, RetriableError, InvalidRequestError
            When ``Search`` is denied or keeps failing.
        """
        return self.searcher.pages(COMPONENTS, wanted.search_filters())

    def listed(self, wanted: JobFilter) -> Iterator[list[Record]]:
        """List components instead, without their trials (``ListTrialComponents``)."""
        request: dict[str, Any] = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
        if wanted.created_after:
            request["CreatedAfter"] = wanted.created_after
        if wanted.created_before:
            request["CreatedBefore"] = wanted.created_before
        for records in self._pages(request):
            self.remember(records)
            yield records

    def with_order(self, records: list[Record]) -> list[Record]:
        """Put the trials of each component in the order of their creation."""
        several = {
            each["TrialComponentName"]: each["Parents"]
            for each in records
            if len(each.get("Parents") or ()) > 1
        }
        self.trials.look_up(
            str(parent.get("TrialName")) for parents in several.values() for parent in parents
        )
        return [
            {**each, "Parents": self.trials.ordered(each["Parents"])}
            if each["TrialComponentName"] in several
            else each
            for each in records
        ]

    def search(self, asked: Iterable[str]) -> list[Record]:
        """Find components by their name or ARN, 20 a call."""
        filters = [
            equals(f"TrialComponent{'Arn' if is_arn(each) else 'Name'}", each) for each in asked
        ]
        found = self.searcher.matching(COMPONENTS, filters, "DescribeTrialComponent")
        return self.with_order(found or [])

    def in_trials(self, trials: Iterable[str]) -> Iterator[tuple[str, Record | None]]:
        """Find the components in trials, each once.

        Parameters
        ----------
        trials
            Their names.

        Yields
        ------
        tuple
            A component's ARN, and its record of ``Search``; None where it has to be described.
        """
        names = list(dict.fromkeys(trials))
        filters = [equals("Parents.TrialName", name) for name in names]
        instead = "ListTrialComponents and DescribeTrialComponent"
        found = self.searcher.matching(COMPONENTS, filters, instead)
        if found is None:
            yield from dict.fromkeys((arn, None) for arn in self._listed_in(names))
            return
        yield from {each["TrialComponentArn"]: each for each in self.with_order(found)}.items()

    def _listed_in(self, trials: Iterable[str]) -> Iterator[str]:
        for name in trials:
            try:
                for page in self._pages({"TrialName": name}):
                    yield from (str(each["TrialComponentArn"]) for each in page)
            except (AccessDeniedError, RetriableError, JobError) as error:
                self.searcher.warn(f"{error}; what is in the trial {name} is left out")

    def _pages(self, request: Mapping[str, Any]) -> Iterator[list[Record]]:
        aws, member = self.searcher.aws, "TrialComponentSummaries"
        for page in list_pages(aws, LIST_TRIAL_COMPONENTS, request, member):
            yield [aws.redaction.answer(each) for each in page]

    def tell(self, component: Mapping[str, Any], *, gone: bool = False) -> None:
        """Warn that a component's job is elsewhere or, if ``gone``, not known to AWS."""
        job = job_arn(component)
        if job is None:
            return
        why = "is not known to AWS" if gone else "is of another account or Region"
        where = component["TrialComponentArn"]
        self.searcher.warn(f"{where}: its job {job} {why}: mirrored as a trial component")

    def remember(self, records: Iterable[Record]) -> None:
        """Keep components of jobs whose description comes from elsewhere."""
        with self._lock:
            for record in records:
                if arn := job_arn(record):
                    known = {key: each for key, each in record.items() if key != "SourceDetail"}
                    self._of_jobs.setdefault(arn.lower(), known)

    def remember_searched(self, records: Iterable[Record]) -> None:
        """Keep the same as ``Search`` gives them: those without ``Parents`` are in no trial."""
        self.remember({"Parents": [], **each} for each in records)

    def forget(self, arn: str) -> None:
        """Let the component of a job go that needs no description of its own."""
        with self._lock:
            self._of_jobs.pop(arn.lower(), None)

    def find(self, arns: Iterable[str]) -> None:
        """Find the components of jobs, 20 a call, for :meth:`join`."""
        asked = list(dict.fromkeys(arns))
        if self.searcher.works and self._search_by_job:
            self._search_jobs(asked)
        if not (self.searcher.works and self._search_by_job):
            for arn in asked:
                self._list_job(arn)

    def join(self, answer: Answer) -> Answer:
        """Put a job's component beside its description, or say why it could not be read."""
        if answer.word not in WITH_COMPONENT or "TrialComponent" in answer.content:
            return answer
        component = self.of_job(answer.arn)
        if component:
            return with_component(answer, component)
        error = self._unlisted
        with self._lock:
            if answer.arn.lower() in self._of_jobs:
                error = self._without_trials
        if error is None:
            return answer
        unread = f"its trial component could not be read: {error}"
        return replace(answer, denied=tuple(dict.fromkeys((*answer.denied, unread))))

    def of_job(self, arn: str) -> Record | None:
        """Give a job's component as far as it was met; only its trials are asked for.

        None as well where nobody may list them.
        """
        with self._lock:
            record = self._of_jobs.get(arn.lower())
        if record is None or "Parents" in record:
            return record
        parents = self.parents(record["TrialComponentName"])
        if parents is None:
            return None
        whole = {**record, "Parents": parents}
        with self._lock:
            self._of_jobs[arn.lower()] = whole
        return whole

    def parents(self, name: str) -> list[dict[str, str]] | None:
        """List the trials that a component is in; None, and a warning, where that is denied."""
        if self._without_trials:
            return None
        try:
            return self.trials.parents_of(name)
        except (AccessDeniedError, RetriableError, JobError) as error:
            self._warn(error)
            self._without_trials = _lasting(error)
            return None

    def no_parents(self) -> tuple[str, ...]:
        """Say why the trials of a component that was asked for could not be listed, if denied."""
        error = self._without_trials
        return (f"its trials could not be read: {error}",) if error else ()

    def not_listed(self, error: SmwatchError) -> None:
        """Note that components can be had in no way."""
        self._unlisted = _lasting(error)

    def _search_jobs(self, arns: list[str]) -> None:
        filters = [equals("Source.SourceArn", arn) for arn in arns]
        found = self.searcher.matching(COMPONENTS, filters, "ListTrialComponents and ListTrials")
        if found is None:
            self._search_by_job = False
            return
        self.remember_searched(self.with_order(found))

    def _list_job(self, arn: str) -> None:
        if self._unlisted or self.of_job(arn):
            return
        try:
            for page in self._pages({"SourceArn": arn}):
                self.remember(page)
        except (AccessDeniedError, RetriableError, JobError) as error:
            self._warn(error)
            self.not_listed(error)

    def _warn(self, error: SmwatchError) -> None:
        self.searcher.warn(f"{error}; jobs are mirrored without their trials")


def asked_of(record: Record) -> tuple[str, str]:
    """Give the name and the ARN by which a component may have been asked for."""
    calls = CALLS[TRIAL_COMPONENT.word]
    return str(record[calls.name]), str(record[calls.arn]).lower()


def _lasting(error: SmwatchError) -> SmwatchError | None:
    """Keep a denial or a failure, which may end; not that AWS has no such operation or item."""
    answered = error.__cause__
    code = answered.response["Error"].get("Code") if isinstance(answered, ClientError) else None
    return None if isinstance(error, JobError) or code in _NOT_OFFERED else error

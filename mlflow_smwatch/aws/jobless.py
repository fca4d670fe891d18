"""Trial components that name a job which ``Search`` does not tell: it lags, or it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlflow_smwatch.aws.components import job_arn
from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound
from mlflow_smwatch.aws.search import Record
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import AccessDeniedError, JobError, RetriableError
from mlflow_smwatch.core.job_kinds import TRIAL_COMPONENT, kind_of, name_in


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jobless:
    """A component, the kind of its job, and what is found where AWS does not know that job."""

    component: Record
    job_kind: str
    alone: Found | NotFound


@dataclass
class Jobless:
    """The components of one pass whose jobs were not met yet.

    Attributes
    ----------
    kinds
        Words of the kinds to find.
    describer
        Is asked for the jobs that no listing names.
    """

    kinds: frozenset[str]
    describer: JobDescriber
    _waiting: dict[str, _Jobless] = field(default_factory=dict)

    def put(
        self, component: Record, alone: Found | NotFound, wanted: JobFilter, *, whole: bool
    ) -> None:
        """Keep a component of the window until a listing names its job.

        Parameters
        ----------
        component
            A record of ``Search``, or an entry of ``ListTrialComponents``.
        alone
            What is found where AWS does not know the job.
        wanted
            The window.
        whole
            Whether ``Search`` gave it; otherwise nothing tells of a job whose kind is not listed.
        """
        job = Arn.parse(str(job_arn(component)))
        kind = kind_of(job)
        if kind is None or not self.kinds & {kind.word, *({TRIAL_COMPONENT.word} if whole else ())}:
            return
        modified = component.get("LastModifiedTime")
        in_time = modified is None or wanted.in_time(to_ms(modified))
        names = (component.get("TrialComponentName"), component.get("DisplayName"))
        if in_time and wanted.accepts_name(name_in(job), *names):
            waiting = _Jobless(component=component, job_kind=kind.word, alone=alone)
            self._waiting[str(job).lower()] = waiting

    def met(self, found: Iterable[Found | NotFound]) -> None:
        """Let the components of jobs go that a listing named."""
        for each in found:
            if isinstance(each, Found):
                self._waiting.pop(each.arn.lower(), None)

    def found(self, wanted: JobFilter, unlisted: Iterable[str]) -> Iterator[Found | NotFound]:
        """Describe the jobs that are left; a component whose job is gone stands for itself.

        Parameters
        ----------
        wanted
            The window.
        unlisted
            Words of the kinds whose listing failed: nothing is known of them.
        """
        left = set(unlisted)
        for each in self._waiting.values():
            if each.job_kind in left:
                continue
            one = self._one(each)
            if isinstance(one, NotFound) or (one.kind in self.kinds and _accepted(one, wanted)):
                yield one

    def _one(self, each: _Jobless) -> Found | NotFound:
        try:
            job = self.describer.job_of(each.component)
        except (AccessDeniedError, RetriableError, JobError) as error:
            return NotFound(str(job_arn(each.component)), error)
        return job.found() if job else each.alone


def _accepted(found: Found, wanted: JobFilter) -> bool:
    return wanted.accepts(found.job) if found.job else wanted.accepts_name(found.name)

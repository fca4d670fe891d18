"""Finds jobs by the cheapest way that is open: ``Search`` first, then ``List`` and ``Describe``.

``Search`` is eventually consistent, so what just changed is asked of ``Describe`` first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType

from mlflow_smwatch.aws.discovery import (
    NAMES_PER_SEARCH,
    Found,
    JobFilter,
    NotFound,
    describe_job,
    found_job,
    list_jobs,
    search_arn,
    search_jobs,
    search_names,
)
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    JobError,
    RetriableError,
    SmwatchError,
    StopError,
    UnknownJobError,
    UsageError,
)
from mlflow_smwatch.core.job_kinds import KINDS, TRAINING_JOB

_NONE_KNOWN: Mapping[str, str] = MappingProxyType({})
_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@dataclass
class JobFinder:
    """Finds the training jobs of one account and Region.

    Attributes
    ----------
    warnings
        Why a dearer way was taken, in words; each once.
    """

    aws: Aws
    warnings: list[str] = field(default_factory=list)
    _search_works: bool = True

    def modified(self, wanted: JobFilter) -> Iterator[tuple[Found | NotFound, ...]]:
        """Find the jobs that pass a filter, page by page; a page may come twice.

        Raises
        ------
        StopError
            When neither ``Search`` nor ``ListTrainingJobs`` is allowed.
        """
        try:
            yield from search_jobs(self.aws, wanted)
        except (AccessDeniedError, RetriableError, JobError) as error:
            self._give_up_search(error, "ListTrainingJobs and DescribeTrainingJob")
            try:
                for page in list_jobs(self.aws, wanted):
                    yield self._tagged(page, wanted) if wanted.tags else page
            except (AccessDeniedError, RetriableError, JobError) as second:
                message = f"the jobs cannot be listed: {error}; {second}"
                raise StopError(message) from second

    def _tagged(
        self, page: tuple[Found | NotFound, ...], wanted: JobFilter
    ) -> tuple[Found | NotFound, ...]:
        """Describe listed jobs, whose tags the listing lacks, and keep those that pass."""
        described = [
            self._described(each.arn, each.name) if isinstance(each, Found) else each
            for each in page
        ]
        return tuple(
            with_tags(each)
            for each in described
            if isinstance(each, NotFound)
            or each.denied
            or (each.job is not None and wanted.accepts(each.job))
        )

    def named(
        self, asked: Sequence[str], known_names: Mapping[str, str] = _NONE_KNOWN
    ) -> Iterator[Found | NotFound]:
        """Find jobs by name or ARN, in any order; each asked text has an answer of its own.

        Parameters
        ----------
        asked
            Names and ARNs.
        known_names
            ARN → name of the job: SageMaker may write a name in small letters into its ARN
            (boto/boto3 issue 4606), so that the name cannot be told from the ARN alone.
        """
        names: dict[str, list[str]] = {}
        for text in dict.fromkeys(asked):
            try:
                name = self._name_of(text)
                known = known_names.get(text, name)
                spelled = known if known.lower() == name.lower() else name
                names.setdefault(spelled, []).append(text)
            except (UsageError, JobError) as error:
                yield NotFound(text, error)
        remaining = iter(names)
        while chunk := tuple(islice(remaining, NAMES_PER_SEARCH)):
            found = self._searched(chunk)
            for name in chunk:
                one = found.get(name) or self._by_arn(names[name][0]) or self._described(name, name)
                yield from (self._checked(text, one) for text in names[name])

    def changed(self, names: Mapping[str, str]) -> Iterator[Found | NotFound]:
        """Find jobs as they are at this moment, one call for each and one for its tags.

        Where ``DescribeTrainingJob`` is denied, or knows no such name, jobs are found as
        :meth:`named` does.

        Parameters
        ----------
        names
            ARN → name of the job.
        """
        for arn, name in names.items():
            try:
                self._name_of(arn)
            except (UsageError, JobError) as error:
                yield NotFound(arn, error)
                continue
            found = self._described(arn, name)
            if isinstance(found, Found):
                yield self._checked(arn, self._with_searched_tags(found))
            elif isinstance(found.error, AccessDeniedError | UnknownJobError):
                yield from self.named((arn,), {arn: name})
            else:
                yield found

    def _with_searched_tags(self, found: Found) -> Found:
        """Take the tags of a job from ``Search`` where they may not be listed."""
        if not found.denied or found.job is None:
            return found
        searched = self._searched((found.name,)).get(found.name)
        if not isinstance(searched, Found) or searched.job is None:
            return found
        return replace(found, job=replace(found.job, tags=searched.job.tags), denied=())

    def _searched(self, names: tuple[str, ...]) -> dict[str, Found | NotFound]:
        if not self._search_works:
            return {}
        try:
            return search_names(self.aws, names)
        except (AccessDeniedError, RetriableError, JobError) as error:
            self._give_up_search(error, "DescribeTrainingJob")
            return {}

    def _by_arn(self, asked: str) -> Found | NotFound | None:
        """Find a job by its ARN, where its name is not the one in the ARN."""
        if not (is_arn(asked) and self._search_works):
            return None
        try:
            return search_arn(self.aws, asked)
        except (AccessDeniedError, RetriableError, JobError):
            return None

    def _give_up_search(self, error: SmwatchError, instead: str) -> None:
        """Go without ``Search``: for good, or for what it does not take for this one request."""
        if not isinstance(error, InvalidRequestError):
            self._search_works = False
        warning = f"{error}; using {instead} instead, which takes more calls"
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _described(self, asked: str, name: str) -> Found | NotFound:
        try:
            described = describe_job(self.aws, name)
        except UnknownJobError:
            message = (
                f"AWS has no training job {name!r} in {self.aws.region}:"
                " check the name, --region and --profile"
            )
            return NotFound(asked, UnknownJobError(message))
        except (AccessDeniedError, RetriableError, JobError) as error:
            return NotFound(asked, error)
        return found_job(described.job, described.denied)

    @staticmethod
    def _checked(asked: str, found: Found | NotFound) -> Found | NotFound:
        if isinstance(found, NotFound):
            return replace(found, asked=asked)
        if is_arn(asked) and found.arn.lower() != asked.lower():
            message = f"{asked} belongs to another account or partition: give --profile"
            return NotFound(asked, JobError(message))
        return found

    def _name_of(self, text: str) -> str:
        if text.startswith("arn:"):
            return _job_name(self._name_of_arn(text))
        return _job_name(text)

    def _name_of_arn(self, text: str) -> str:
        arn = Arn.parse(text)
        if arn.service != "sagemaker" or arn.resource_type not in KINDS:
            message = f"{text} is not the ARN of a {TRAINING_JOB.word}, which is what is mirrored"
            raise JobError(message)
        if arn.region != self.aws.region:
            message = (
                f"{text} lies in {arn.region}, not in {self.aws.region}: --region {arn.region}"
            )
            raise JobError(message)
        return arn.resource_name


def _job_name(text: str) -> str:
    if not _JOB_NAME.fullmatch(text):
        message = f"{text!r} is no job name: letters, digits and hyphens, 63 at most"
        raise UsageError(message)
    return text


def with_tags(found: Found | NotFound) -> Found | NotFound:
    """Refuse a job of which nobody can say whether it has the tags that are wanted.

    Parameters
    ----------
    found
        A job.

    Returns
    -------
    Found or NotFound
        The job itself, if its tags are known.
    """
    if isinstance(found, Found) and found.denied:
        message = f"--tag cannot be applied: {'; '.join(found.denied)}"
        return NotFound(found.arn, JobError(message))
    return found

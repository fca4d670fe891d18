"""The ways in which a pass comes to its jobs."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing
from datetime import datetime, timezone
from typing import Any, Protocol

from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound, Page
from mlflow_smwatch.aws.finder import with_tags
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.decay import created_spans
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import (
    CredentialsError,
    LimitReachedError,
    SmwatchError,
    UnknownJobError,
    UsageError,
)
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION, TRIAL, kind_of
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.moments import moment, to_ms
from mlflow_smwatch.engine.ahead import made_ahead
from mlflow_smwatch.engine.asked import AskedJobs, is_named_so
from mlflow_smwatch.engine.associations import AssociationMirror
from mlflow_smwatch.engine.batches import open_in_turns
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.gone import is_young

logger = logging.getLogger(__name__)

_PAGES_AHEAD = 2


class TakesJobs(Protocol):
    """A pass that takes jobs."""

    @property
    def books(self) -> Books:
        """Where it is entered what becomes of each job."""

    def take(self, found: Iterable[Found | NotFound]) -> None:
        """Start the work on jobs, a page at a time, however many come."""

    def wait_for(self, awaited: Future[Any]) -> None:
        """Go on with what was taken until something else is done."""

    def close_missing(self, run: KnownRun, missing: NotFound) -> None:
        """End the run of a job that AWS has deleted; report one that cannot be asked for."""


class Scope:
    """Finds jobs for a pass, as far as the options do not leave them out.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    job_pass
        Takes the jobs.
    associations
        Copies the lineage that SageMaker recorded; None leaves it out.

    Attributes
    ----------
    gone
        ARNs of the runs whose jobs AWS no longer has.
    left_alone
        Why runs were left alone that were to be taken, in words; None where none were.
    """

    def __init__(
        self,
        context: PassContext,
        job_pass: TakesJobs,
        associations: AssociationMirror | None = None,
    ) -> None:
        self._associations = associations
        self._asked = AskedJobs(
            context, job_pass.books, is_here=self._is_here, account=self._account
        )
        self._aws = context.aws
        self._options = context.options
        self._now_ms = context.now_ms
        self._index = context.index
        self._trials = context.trials
        self._job_pass = job_pass
        self._finder = context.finder
        self._families = context.families
        self.gone: set[str] = set()
        self.left_alone: str | None = None

    @property
    def warnings(self) -> list[str]:
        """Why a dearer way was taken, and which groups cannot be had, in words."""
        return [*self._finder.warnings, *self._families.warnings]

    def take_modified(self, since: datetime) -> None:
        """Take the jobs that were modified since a moment, and what is new of associations.

        They are found in a thread of their own, some pages ahead; in a window that reaches far
        back, what fades first is found first.
        """
        wanted, books = self.wanted(since), self._job_pass.books
        until_ms = to_ms(wanted.until) if wanted.until else None
        spans = created_spans(self._now_ms, to_ms(since), until_ms)
        copied = False
        found = self._finder.modified(wanted, spans)
        with self._ahead(found) as pages:
            for page in pages:
                if not page:
                    continue
                if not copied:
                    self.take_associations(_account_of(page))
                    copied = True
                count = len(books.seen) + len(page)
                books.expect(count, self._finder.expected(count))
                self._job_pass.take(page)
        books.expect(len(books.seen), len(books.seen))
        if not copied:
            self.take_associations()

    def _ahead(self, pages: Generator[Page]) -> AbstractContextManager[Iterator[Page]]:
        """Have pages found ahead; under a limit, when their turn comes: jobs in hand go before."""
        if self._aws.ledger.budget.is_limited:
            return closing(pages)
        return made_ahead(pages, _PAGES_AHEAD, self._job_pass.wait_for)

    def take_named(self, asked: Sequence[str], *, keep_gone: bool = False) -> None:
        """Take jobs by name or ARN, whatever else the options say, with their associations.

        Of trials, all jobs and trial components are taken too.

        Parameters
        ----------
        asked
            Names and ARNs.
        keep_gone
            Whether a job that AWS has deleted and that has its run is none that failed: its run is
            tagged. Runs that the user deleted are brought back then too, where that is wanted.
        """
        found = list(self._finder.named(asked))
        if keep_gone:
            found = self._without_gone(found)
        jobs = [each for each in found if isinstance(each, Found)]
        kinships = [each.job.kinship for each in jobs if each.job]
        components = [each.component_arn for each in kinships if each.component_arn]
        if self._associations is not None:
            copied = self._associations.mirror_around(components)
            self._job_pass.books.report.warn(None, copied.warnings)
        self._job_pass.take(found)
        trials = [each.name for each in jobs if each.kind == TRIAL.word]
        if trials:
            self._job_pass.take(self._finder.members(trials))

    def _without_gone(self, found: Iterable[Found | NotFound]) -> list[Found | NotFound]:
        """Tag the runs of jobs that are gone, bring back those that are wanted; give the others.

        What was asked for may be in MLflow alone, such as the id of a run: its job is asked for
        again, by its ARN.
        """
        left: list[Found | NotFound] = []
        for each in found:
            if isinstance(each, Found):
                left += [each] if self._asked.bring_back(each) else []
            elif (runs := self._asked.runs_of_gone(each)) is None:
                left.append(each)
            else:
                gone = [run for run in runs if is_named_so(run, each.asked)]
                self._close_gone(gone, each)
                self.take_runs(run for run in runs if run not in gone)
        return left

    def take_associations(self, account: str | None = None) -> None:
        """Copy what is new of associations; before jobs are written, whose pages show them.

        Parameters
        ----------
        account
            Whose they are, where that is known.
        """
        if self._associations is not None:
            self._job_pass.books.report.warn(None, self._associations.mirror_new(account).warnings)

    def take_children(self) -> None:
        """Take the jobs that changed groups name, unless the pass has taken them.

        A job's own description tells its tuning or AutoML job, so these find theirs when they
        change; only a pipeline's execution tells which jobs are its steps'.
        """
        seen, named = self._job_pass.books.seen, bool(self._options.names)
        children = [
            arn
            for arn, kind in self._families.children.items()
            if arn not in seen
            and self._is_chosen(Arn.parse(arn))
            and (named or (kind is PIPELINE_EXECUTION and not self._index.in_execution(arn)))
        ]
        if children:
            self._job_pass.take(self._wanted_of(self._finder.named(children)))

    def take_again(self, arns: Sequence[str]) -> None:
        """Take jobs that failed before, unless they are gone or the options leave them out."""
        self._job_pass.take(
            found
            for found in self._wanted_of(self._finder.named(arns))
            if isinstance(found, Found) or not isinstance(found.error, UnknownJobError)
        )

    def take_changed(self, jobs: Mapping[str, str]) -> None:
        """Take jobs that changed just now (ARN → name), unless the options leave them out."""
        self._job_pass.take(self._wanted_of(self._finder.changed(jobs)))

    def _wanted_of(self, found: Iterable[Found | NotFound]) -> Iterator[Found | NotFound]:
        wanted = self.wanted()
        for each in found:
            told = with_tags(each) if wanted.tags else each
            if isinstance(told, NotFound) or told.job is None or wanted.accepts(told.job):
                yield told

    def take_known(self, jobs: Mapping[str, Found]) -> None:
        """Take jobs as they were described before, except those that the pass has taken."""
        seen = self._job_pass.books.seen
        self._job_pass.take([found for arn, found in jobs.items() if arn not in seen])

    def take_open_runs(self) -> None:
        """Take the jobs whose runs are not final, whatever the window says."""
        runs = open_in_turns(self._index.open_runs(), self._aws.ledger.budget, self._now_ms)
        trials = [run for run in runs if run.tags.get(names.KIND) == TRIAL.word]
        self._trials.enter_open(run for run in trials if self._is_here(run))
        self.take_runs(run for run in runs if run not in trials)

    def take_runs(self, runs: Iterable[KnownRun]) -> None:
        """Take the jobs of runs that were mirrored from here, unless the pass has taken them.

        The run of a job that AWS no longer has is given to the pass as gone; so is one whose job
        has given its name to another.
        """
        here: dict[str, list[KnownRun]] = {}
        for run in runs:
            if not self._is_taken(run) and self._is_here(run):
                here.setdefault(run.tags[names.ARN], []).append(run)
        account = self._account() if here else None
        own = {arn: each for arn, each in here.items() if Arn.parse(arn).account == account}
        listed = self._finder.endless or {}
        there = {
            arn: listed[arn]
            for arn, each in own.items()
            if arn in listed and all(_is_of(run, listed[arn]) for run in each)
        }
        self._job_pass.take(there.values())
        self._job_pass.take(self._still_there({a: own[a] for a in own if a not in there}))

    def wanted(self, since: datetime | None = None) -> JobFilter:
        """Return what the options say of jobs, apart from kinds."""
        options, until = self._options, self._options.until
        return JobFilter(
            since=since,
            until=moment(until, datetime.now(tz=timezone.utc), "--until") if until else None,
            name_contains=options.name_contains,
            tags=options.tags,
        )

    def _still_there(self, runs: Mapping[str, Sequence[KnownRun]]) -> Iterator[Found]:
        wanted = self.wanted()
        known = {
            arn: run.tags[names.NAME] for arn, (run, *_) in runs.items() if names.NAME in run.tags
        }
        same = {arn.lower(): each for arn, each in runs.items()}
        for found in self._finder.named(tuple(runs), known):
            if isinstance(found, NotFound):
                gone = isinstance(found.error, UnknownJobError)
                asked = runs[found.asked]
                young = [run for run in asked if gone and is_young(run, self._now_ms)]
                self._close_gone((run for run in asked if run not in young), found)
                continue
            mirrored = same[found.arn.lower()]
            replaced = [run for run in mirrored if not _is_of(run, found)]
            another = UnknownJobError(f"the name of {found.arn} is another job's by now")
            for run in replaced:
                later = (each.start_ms for each in mirrored if each.start_ms > run.start_ms)
                successor_ms = min(later, default=found.created_ms)
                self._close_gone((run,), NotFound(found.arn, another, successor_ms))
            if len(replaced) < len(mirrored) and (not found.job or wanted.accepts(found.job)):
                yield found

    def _close_gone(self, runs: Iterable[KnownRun], missing: NotFound) -> None:
        for run in runs:
            if isinstance(missing.error, UnknownJobError):
                self.gone.add(run.tags[names.ARN])
            self._job_pass.close_missing(run, missing)

    def _is_here(self, run: KnownRun) -> bool:
        try:
            arn = Arn.parse(run.tags.get(names.ARN, ""))
        except UsageError:
            logger.warning("run %s has lost its tag %s: it is left alone", run.run_id, names.ARN)
            return False
        return self._is_chosen(arn) and arn.region == self._aws.region

    def _is_chosen(self, arn: Arn) -> bool:
        """Whether what an ARN names is of a kind that is mirrored."""
        kind = kind_of(arn)
        return kind is not None and kind.word in self._options.kinds

    def _is_taken(self, run: KnownRun) -> bool:
        """Whether the pass has taken the job of a run, and not another of the same name."""
        arn = run.tags.get(names.ARN, "")
        created_ms = self._job_pass.books.created.get(arn)
        is_another = created_ms is not None and run.tags.get(names.CREATED) != iso_utc(created_ms)
        return arn in self._job_pass.books.seen and not is_another

    def _account(self) -> str | None:
        """Tell whose jobs these are: MLflow may hold the runs of several accounts."""
        account = _account_in(self._job_pass.books.seen)
        if account is not None:
            return account
        try:
            return self._aws.account
        except (CredentialsError, LimitReachedError):
            raise
        except SmwatchError as error:
            self.left_alone = (
                "runs of jobs that were not listed are left alone, since nobody tells whether they"
                f" are this account's: {error}; let sts:GetCallerIdentity be allowed and in reach"
            )
            self._job_pass.books.report.warn(None, [self.left_alone])
            return None


def _account_of(page: Iterable[Found | NotFound]) -> str | None:
    """Return whose jobs these are."""
    return _account_in(each.arn for each in page if isinstance(each, Found))


def _account_in(arns: Iterable[str]) -> str | None:
    """Return the account of ARNs; a pipeline may be AWS's own."""
    accounts = (Arn.parse(arn).account for arn in arns)
    return next((each for each in accounts if each.isdigit()), None)


def _is_of(run: KnownRun, found: Found) -> bool:
    """Whether a run stands for this job, and not for an earlier one of the same name."""
    return run.tags.get(names.CREATED) == iso_utc(found.created_ms)

"""Finds the jobs of a time window, kind by kind, groups before what belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from mlflow_smwatch.aws.component_pages import ComponentPage, ComponentPages
from mlflow_smwatch.aws.components import Components, answer_of, itself, job_arn, stands_alone
from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import (
    Answer,
    Found,
    JobFilter,
    NotFound,
    Page,
    listed,
    passing,
    with_tags,
)
from mlflow_smwatch.aws.expected import Expected
from mlflow_smwatch.aws.jobless import Jobless
from mlflow_smwatch.aws.kinds import CALLS, WITH_COMPONENT
from mlflow_smwatch.aws.listing import list_pages
from mlflow_smwatch.aws.pipelines import Executions
from mlflow_smwatch.aws.search import Record, Searcher
from mlflow_smwatch.aws.trials import TRIALS, Trials, list_trials, trials_exist
from mlflow_smwatch.core.decay import WHOLE, CreatedSpan
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    JobError,
    RetriableError,
    SmwatchError,
    StopError,
)
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    KINDS,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL,
    TRIAL_COMPONENT,
    TUNING_JOB,
)

_ENDLESS = tuple(word for word, kind in KINDS.items() if kind.endless)
_FAILURES = (AccessDeniedError, RetriableError, JobError)
_ABOUT_COMPONENTS = WITH_COMPONENT | {TRIAL.word, TRIAL_COMPONENT.word}
_Pages = Iterator[Iterable[Found | NotFound]]


@dataclass
class WindowFinder:
    """Finds what was modified in a time window; made for one pass.

    One thread takes the pages. What it shares with the other finders of a pass, and with those who
    describe, may be used by several threads; the rest is its own, but for ``endless``, which is
    complete once all pages were taken, and ``expected``, which only counts.

    Attributes
    ----------
    kinds
        Words of the kinds to find.
    endless
        ARN → what the listing told, of every endpoint (notebook instance) there is; None until
        they were listed.
    """

    kinds: frozenset[str]
    searcher: Searcher
    trials: Trials
    components: Components
    executions: Executions
    describer: JobDescriber
    endless: dict[str, Found] | None = None
    expected: Expected = field(init=False)
    _through: dict[str, int] = field(default_factory=dict)
    _known_training: int = 0
    _failures: dict[str, SmwatchError] = field(default_factory=dict)
    _listed: set[str] = field(default_factory=set)
    _component_pages: ComponentPages = field(init=False)
    _jobless: Jobless = field(init=False)

    def __post_init__(self) -> None:
        """Begin without components whose job is not known."""
        self._jobless = Jobless(self.kinds, self.describer)
        self.expected = Expected(self.kinds)
        self._component_pages = ComponentPages(self.components, self.expected)

    @property
    def is_whole(self) -> bool:
        """Whether no listing failed that may work the next time; one that is denied will not."""
        return all(isinstance(each, AccessDeniedError) for each in self._failures.values())

    def pages(self, wanted: JobFilter, spans: Sequence[CreatedSpan] = (WHOLE,)) -> Generator[Page]:
        """Find the jobs that pass a filter, page by page.

        Parameters
        ----------
        wanted
            The filter.
        spans
            Of CreationTime, all times in all, in the order in which they are gone through.
            Pipelines' executions and trials are found before, endpoints after all of them.

        Raises
        ------
        StopError
            When no kind could be listed.
        """
        if len(spans) > 1:
            self.expected.count(self.searcher, wanted)
        yield from self._kind(PIPELINE_EXECUTION.word, wanted)
        for span in spans:
            yield from self._created_in(replace(wanted, created=span))
        for word in _ENDLESS:
            yield from self._kind(word, wanted)
        for each in self._jobless.found(wanted, self._failures):
            yield self._tagged((each,), wanted)
        if self._failures and not self._listed:
            errors = (*filter(None, (self.searcher.error,)), *self._failures.values())
            why = "; ".join(dict.fromkeys(str(each) for each in errors))
            message = f"the jobs cannot be listed: {why}"
            raise StopError(message)
        for word, error in self._failures.items():
            self.searcher.warn(f"{error}; {KINDS[word].noun}s are left out")
        self.expected.end()

    def _created_in(self, wanted: JobFilter) -> Iterator[Page]:
        """Find what was created in one span."""
        self._through.clear()
        self._known_training = 0
        for word in (AUTOML_JOB.word, TUNING_JOB.word):
            yield from self._kind(word, wanted)
        yield from self._experiments(wanted)
        for word in (TRAINING_JOB.word, PROCESSING_JOB.word, TRANSFORM_JOB.word):
            yield from self._kind(word, wanted)

    def _kind(self, word: str, wanted: JobFilter) -> Iterator[Page]:
        if word not in self.kinds or word in self._failures:
            return
        reads: dict[str, Callable[[JobFilter], _Pages]] = {
            PIPELINE_EXECUTION.word: self._executions,
            TRAINING_JOB.word: self._training_jobs,
        }
        listing = self._list_endless if KINDS[word].endless else self._list
        pages = reads[word](wanted) if word in reads else listing(word, wanted)
        if word == PIPELINE_EXECUTION.word:  # they are chosen by a name that the page lacks
            wanted = replace(wanted, name_contains=None)
        yield from self._guarded(word, pages, wanted)

    def _guarded(self, word: str, pages: _Pages, wanted: JobFilter) -> Iterator[Page]:
        """Give the pages of one kind; its failure is no other kind's."""
        try:
            for page in pages:
                self._jobless.met(page)
                yield self._tagged(passing(page, wanted), wanted)
        except _FAILURES as error:
            self._failures[word] = error
        else:
            self._listed.add(word)

    def _tagged(self, page: Page, wanted: JobFilter) -> Page:
        """Describe listed jobs, whose tags the listing lacks, and keep those that pass."""
        if not wanted.tags:
            return page
        return tuple(
            each
            for each in (with_tags(self._described(found)) for found in page)
            if isinstance(each, NotFound) or (each.job is not None and wanted.accepts(each.job))
        )

    def _described(self, found: Found | NotFound) -> Found | NotFound:
        if isinstance(found, NotFound) or found.job:
            return found
        named = found.arn if found.kind == PIPELINE_EXECUTION.word else found.name
        try:
            answer = self.describer.answer(found.kind, named)
        except _FAILURES as error:
            return NotFound(found.arn, error)
        return self.components.join(answer).found()

    def _experiments(self, wanted: JobFilter) -> Iterator[Page]:
        """Find trials, then what their components stand for.

        The first page of components is looked at first: where it names a trial, there are some.
        """
        if not self.kinds & _ABOUT_COMPONENTS:
            return
        pages = self._component_pages.of(wanted)
        first = next(pages, ComponentPage())
        if TRIAL.word in self.kinds - self._listed - self._failures.keys():
            in_trials = any(record.get("Parents") for record in first.records)
            everywhen = replace(wanted, created=WHOLE)
            trials = self._trials(everywhen, known=in_trials)
            yield from self._guarded(TRIAL.word, trials, everywhen)
        for page in chain((first,), pages):
            told = self._listed_components(page.summaries, wanted)
            yield self._tagged(told or self._of_components(page.records, wanted), wanted)
        self._note_components()

    def _note_components(self) -> None:
        error = self._component_pages.error
        if error is None:
            self._listed |= {TRIAL_COMPONENT.word} & self.kinds
        elif TRIAL_COMPONENT.word in self.kinds:
            self._failures[TRIAL_COMPONENT.word] = error
        else:
            self.searcher.warn(f"{error}; jobs are mirrored without their trials")

    def _listed_components(self, summaries: list[Record], wanted: JobFilter) -> Page:
        alone: list[Found | NotFound] = []
        for each in summaries:
            found = listed(TRIAL_COMPONENT.word, each)
            if stands_alone(each):
                alone += [found] if TRIAL_COMPONENT.word in self.kinds else []
            elif str(job_arn(each)).lower() not in self._through:
                self._jobless.put(each, found, wanted, whole=False)
        return passing(alone, wanted)

    def _of_components(self, records: list[Record], wanted: JobFilter) -> Page:
        found: list[Found | NotFound] = []
        for record in self.components.with_order(records):
            answer = answer_of(record)
            if answer is None:
                self.components.remember_searched((record,))
                self._jobless.put(record, itself(record).found(), wanted, whole=True)
            elif answer.word in self.kinds:
                if answer.word == TRANSFORM_JOB.word:  # its time may lag behind what was listed
                    self.components.remember_searched((record,))
                one = answer.found()
                if isinstance(one, NotFound) or self._take(one, record, wanted):
                    found.append(one)
                    if answer.word == TRIAL_COMPONENT.word:
                        self.components.tell(record)
        return tuple(found)

    def _take(self, found: Found, component: Record, wanted: JobFilter) -> bool:
        """Note a job that came with its component; tell whether it is wanted.

        A component may be modified without its job: put into a further trial, say.
        """
        key = found.arn.lower()
        accepted = found.job is not None and wanted.accepts(found.job)
        if found.kind == TRAINING_JOB.word and key not in self._through:
            here = wanted.created.holds(found.created_ms)
            self._known_training += accepted and here and wanted.in_search_time(found.modified_ms)
        if found.kind != TRIAL_COMPONENT.word:
            self._through[key] = found.modified_ms
        modified = component.get("LastModifiedTime")
        in_time = wanted.in_time(found.modified_ms) or (
            modified is not None and wanted.in_time(to_ms(modified))
        )
        return accepted and in_time

    def _is_new(self, found: Found | NotFound) -> bool:
        """Whether a job did not come with its component, or was modified since."""
        if isinstance(found, NotFound):
            return True
        known_ms = self._through.get(found.arn.lower())
        return known_ms is None or known_ms < found.modified_ms

    def _trials(self, wanted: JobFilter, *, known: bool) -> _Pages:
        """Find trials; where none is known of, a small call tells whether there are any."""
        if self.searcher.works:
            if not known and not _may_have(lambda: trials_exist(self.searcher.aws)):
                return
            try:
                for page in self.searcher.pages(TRIALS, wanted.search_filters("TrialName")):
                    self.trials.remember(page.records)
                    yield [Answer(word=TRIAL.word, content=each).found() for each in page.records]
            except _FAILURES as error:
                self.searcher.give_up(error, "ListTrials and DescribeTrial")
            else:
                return
        request = {"CreatedAfter": wanted.created_after} if wanted.created_after else {}
        for summaries in list_trials(self.searcher, request):
            yield [listed(TRIAL.word, each) for each in summaries]

    def _training_jobs(self, wanted: JobFilter) -> _Pages:
        if self.searcher.works:
            try:
                yield from self._searched_training_jobs(wanted)
            except _FAILURES as error:
                self.searcher.give_up(error, "ListTrainingJobs and DescribeTrainingJob")
            else:
                return
        yield from self._list(TRAINING_JOB.word, wanted)

    def _searched_training_jobs(self, wanted: JobFilter) -> _Pages:
        """Search for training jobs until all are known that came without their component."""
        filters = wanted.search_filters("TrainingJobName")
        others = 0
        for number, page in enumerate(self.searcher.pages("TrainingJob", filters)):
            answers = (Answer(word=TRAINING_JOB.word, content=each) for each in page.records)
            found = [self.components.join(each).found() for each in answers]
            new = [each for each in found if self._is_new(each)]
            yield new
            is_all = page.is_exact and page.hits == self._known_training
            if number == 0 and is_all and not new:
                return
            others += len(new)
            self.expected.to_come = max(0, page.hits - self._known_training - others)

    def _list(self, word: str, wanted: JobFilter) -> _Pages:
        calls = CALLS[word]
        if calls.listing is None:
            return
        request = wanted.list_request(calls)
        for page in list_pages(self.searcher.aws, calls.listing, request, calls.summaries):
            new = []
            for each in (listed(word, one) for one in page):
                if self._is_new(each):
                    new.append(each)
                elif isinstance(each, Found):
                    self.components.forget(each.arn)
            yield new

    def _list_endless(self, word: str, wanted: JobFilter) -> _Pages:
        """List every one of a kind: one that is not there any more was deleted."""
        known: dict[str, Found] = {}
        for page in self._list(word, wanted):
            known.update((each.arn, each) for each in page if isinstance(each, Found))
            yield page
        self.endless = {**(self.endless or {}), **known}

    def _executions(self, wanted: JobFilter) -> _Pages:
        if self.searcher.works:
            if not _may_have(self.executions.exist):
                return
            try:
                yield from self.executions.modified(wanted)
            except _FAILURES as error:
                instead = "ListPipelineExecutions and DescribePipelineExecution"
                self.searcher.give_up(error, instead)
            else:
                return
        yield from self.executions.listed(wanted)


def _may_have(exist: Callable[[], bool]) -> bool:
    """Ask whether there is anything to search for; where that is not told, there may be."""
    try:
        return exist()
    except _FAILURES:
        return True

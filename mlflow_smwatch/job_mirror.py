"""What is done with a page of jobs and with one job: match it, make its run, write what was read.

Everything here is called by :mod:`mlflow_smwatch.engine`, partly from worker threads; a job is in
one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from mlflow_smwatch.aws.discovery import Found, describe_job, found_job
from mlflow_smwatch.aws.packing import Query
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import iso_utc, to_ms
from mlflow_smwatch.core.errors import JobError, SmwatchError, StopError, reason
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.matching import JobIdentity, KnownRun, Match, match
from mlflow_smwatch.core.progress import NONE, Measured, Progress, progress
from mlflow_smwatch.core.record import RunRecord, run_record
from mlflow_smwatch.core.series import Point, algorithm_series, instance_series
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.core.windows import Life, Reading, plan_reading
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import RunLine, Word
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import run_url, ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.writer import RunUpdate, RunWriter

_NOTHING_TO_READ = Reading(windows=(), complete=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job.

    Attributes
    ----------
    arn
        The job, or what was typed for it.
    word
        ``created``, ``updated``, ``unchanged`` or ``failed``.
    line
        Its run; None for a failed job.
    error
        Why it failed.
    warnings
        What was left out of it.
    """

    arn: str
    word: Word
    line: RunLine | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Task:
    """A job that has something to read or to write.

    Attributes
    ----------
    run
        Its run, None before it is made.
    watermark
        What is written so far.
    reading
        What to read of it.
    made
        Whether this pass made the run.
    waiting
        Number of queries that are not answered yet.
    series
        Original key → points read so far.
    undescribed
        What of its description could not be read, in words.
    denied
        Which metrics could not be read, in words.
    error
        Why the job cannot be finished in this pass.
    """

    job: Job
    record: RunRecord
    run: KnownRun | None
    watermark: Watermark
    reading: Reading
    undescribed: tuple[str, ...] = ()
    made: bool = False
    waiting: int = 0
    series: dict[str, list[Point]] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)
    error: SmwatchError | None = None

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return self.record.arn

    def queries(self) -> Iterator[Query]:
        """Give what is to be asked of CloudWatch, window by window."""
        series = (*algorithm_series(self.job), *instance_series(self.job))
        for window in self.reading.windows:
            for each in series:
                yield Query(self.arn, each, window)


class JobMirror:
    """Matches jobs with runs and writes them.

    Parameters
    ----------
    aws
        The AWS edge.
    tracking
        The MLflow edge.
    options
        What the user wants.
    now
        The present, fixed for the pass.
    """

    def __init__(self, aws: Aws, tracking: Tracking, options: SyncOptions, now: datetime) -> None:
        self._aws = aws
        self._options = options
        self._now_ms = to_ms(now)
        self._experiments = Experiments(tracking)
        self._writer = RunWriter(tracking)
        self._address = ui_address(tracking.uri, options.ui_url)
        self.index = RunIndex(tracking, self._experiments)

    def admit(self, page: Sequence[Found], pool: Executor) -> list[Task | Outcome]:
        """Match a page of jobs with their runs, and make the runs that are missing.

        Returns
        -------
        list of Task or Outcome
            A task for each job that needs work, an outcome for each other one.
        """
        runs = self.index.find([self._identity(found) for found in page])
        admitted = list(pool.map(lambda found: self._admit(found, runs), page))
        if self._options.dry_run:
            return admitted
        admitted = list(pool.map(self._with_run, admitted))
        return self._without_doubles(admitted)

    def write(self, task: Task) -> Outcome:
        """Write what was read of a job; a job without news is not written at all."""
        try:
            return self._write_seen(task)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return self._failed(task, error)

    def _write_seen(self, task: Task) -> Outcome:
        """Write a job; where another mirror may be at the same run, look at it again before."""
        if task.error:
            raise task.error
        if not task.made and task.watermark.fingerprint is None and self._look_again(task):
            return self._without_news(task)
        try:
            return self._write(task)
        except JobError:
            before = (task.run, task.watermark)
            if self._look_again(task):
                return self._without_news(task)
            if (task.run, task.watermark) == before:
                raise
            return self._write(task)

    def _look_again(self, task: Task) -> bool:
        """Take the run as it is now; tell whether nothing is left to be written."""
        run = self.index.reread(task.run) if task.run else None
        if run is None or not run.active:
            identity = self._identity(found_job(task.job))
            run = match(identity, self.index.find([identity]).get(task.arn, ())).run
        if run is None or not run.active:
            message = "the run was deleted while it was written"
            raise JobError(message)
        task.run = run
        task.watermark = run.watermark or task.watermark
        read = self._is_read(task.watermark)
        return read and task.watermark.fingerprint == task.record.fingerprint

    def _without_news(self, task: Task) -> Outcome:
        line = self._line(task.record, task.run, 0, "unchanged")
        warnings = (*task.record.warnings, *task.undescribed, *task.denied)
        return Outcome(task.arn, "unchanged", line, warnings=warnings)

    def forecast(self, task: Task) -> Outcome:
        """Say what :meth:`write` would do at most, for a dry run."""
        points = sum(query.window.periods for query in task.queries())
        word: Word = "updated" if task.run else "created"
        return Outcome(task.arn, word, self._line(task.record, task.run, points, word))

    def close_gone(self, run: KnownRun) -> Outcome:
        """Finish the run of a job that AWS has deleted."""
        watermark = run.watermark or Watermark(made_ms=self._now_ms)
        warning = "AWS no longer knows this job: what was not read before is lost"
        after = replace(watermark, final=True)
        self._writer.write_points(run, (), self._notes(after, [warning]))
        line = self._known_line(run, run.tags[names.ARN], run.tags.get(names.NAME, ""), "updated")
        return Outcome(run.tags[names.ARN], "updated", line, warnings=(warning,))

    def _identity(self, found: Found, own_run_id: str | None = None) -> JobIdentity:
        arn = Arn.parse(found.arn)
        ended_ms = found.job.ended_ms if found.job else None
        return JobIdentity(
            arn=found.arn,
            name=found.name,
            kind=arn.resource_type,
            region=arn.region,
            created_ms=found.created_ms,
            life_end_ms=ended_ms or self._now_ms,
            own_run_id=own_run_id or (found.job.own_run_id if found.job else None),
        )

    def _admit(self, found: Found, runs: dict[str, tuple[KnownRun, ...]]) -> Task | Outcome:
        try:
            return self._decide(found, runs.get(found.arn, ()))
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(found.arn, "failed", error=reason(error))

    def _decide(self, found: Found, candidates: tuple[KnownRun, ...]) -> Task | Outcome:
        matched = self._match(found, candidates)
        run = matched.run
        watermark = run.watermark if run else None
        if run and not run.active:
            self._experiments.require_active(run.experiment_id)
        if run and (not run.active or (watermark and self._settled(found, watermark))):
            return Outcome(found.arn, "unchanged", self._known_line(run, found.arn, found.name))
        job, denied = self._described(found, watermark)
        return Task(
            job=job,
            record=run_record(job, self._options.experiment),
            run=run,
            watermark=watermark or Watermark(made_ms=self._now_ms, adopted=matched.adopted),
            reading=self._plan(job, watermark),
            undescribed=denied,
        )

    def _match(self, found: Found, candidates: tuple[KnownRun, ...]) -> Match:
        matched = match(self._identity(found), candidates)
        if matched.run is None and any(not each.mirrored for each in candidates):
            own_run_id = describe_job(self._aws, found.name).job.own_run_id
            matched = match(self._identity(found, own_run_id), candidates)
        if matched.run and not self._options.dry_run:
            for duplicate in matched.duplicates:
                self.index.remove_duplicate(duplicate, matched.run)
        return matched

    def _settled(self, found: Found, watermark: Watermark) -> bool:
        if not self._is_read(watermark) or watermark.modified_ms != found.modified_ms:
            return False
        if found.job is None:
            return True
        return run_record(found.job, self._options.experiment).fingerprint == watermark.fingerprint

    def _is_read(self, watermark: Watermark) -> bool:
        """Whether a job is final; metrics that an earlier pass was to leave out are read later."""
        wanted = self._options.metrics != "off"
        return watermark.final and not (wanted and watermark.source is None)

    def _described(self, found: Found, watermark: Watermark | None) -> tuple[Job, tuple[str, ...]]:
        """Take the job as it was found; ask for it where the listing lacks it or lags behind."""
        behind = watermark is not None and found.modified_ms < (watermark.modified_ms or 0)
        if found.job and not behind:
            return found.job, found.denied
        described = describe_job(self._aws, found.name)
        return described.job, described.denied

    def _plan(self, job: Job, watermark: Watermark | None) -> Reading:
        life = Life(
            created_ms=job.created_ms,
            ended_ms=job.ended_ms if job.ended else None,
            read_to_ms=watermark.read_to_ms if watermark else None,
        )
        reading = plan_reading(life, self._now_ms, self._options.settle_s * 1000)
        if self._options.metrics == "off":
            return replace(reading, windows=())
        if watermark and self._is_read(watermark) and watermark.modified_ms == job.modified_ms:
            return _NOTHING_TO_READ
        return reading

    def _with_run(self, admitted: Task | Outcome) -> Task | Outcome:
        if isinstance(admitted, Outcome) or admitted.run is not None:
            return admitted
        try:
            admitted.run = self.index.create(admitted.record, admitted.watermark)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(admitted.arn, "failed", error=reason(error))
        admitted.made = True
        return admitted

    def _without_doubles(self, admitted: list[Task | Outcome]) -> list[Task | Outcome]:
        """Look for runs that another mirror made for the same jobs at the same time."""
        made = [each for each in admitted if isinstance(each, Task) and each.made]
        identities = [
            replace(self._identity(found_job(task.job)), life_end_ms=task.job.created_ms)
            for task in made
        ]
        runs = self.index.find(identities) if made else {}
        for task, identity in zip(made, identities, strict=True):
            matched = match(identity, runs.get(task.arn, ()))
            if matched.run and matched.duplicates:
                for duplicate in matched.duplicates:
                    self.index.remove_duplicate(duplicate, matched.run)
                task.run, task.made = matched.run, False
                task.watermark = matched.run.watermark or task.watermark
        return admitted

    def _write(self, task: Task) -> Outcome:
        run = task.run
        if run is None:
            message = f"no run was made for {task.arn}"
            raise JobError(message)
        found = self._progress(task, run)
        described = task.record.fingerprint != task.watermark.fingerprint
        warnings = [*task.record.warnings, *task.undescribed, *task.denied]
        after, before = found.watermark, task.watermark
        news = (after.final, after.source) != (before.final, before.source)
        changed = described or found.points or news
        if not changed and self._warning(warnings) == run.tags.get(names.WARNING):
            line = self._line(task.record, run, 0, "unchanged")
            return Outcome(task.arn, "unchanged", line, warnings=tuple(warnings))
        update = RunUpdate(
            run=run,
            record=task.record,
            document=self._options.artifacts == "link",
            status=run.mirrored or found.watermark.final,
            interrupted=not task.made,
        )
        if described or found.watermark.final:
            warnings += self._writer.write_record(update)
        after = replace(after, fingerprint=task.record.fingerprint)
        if not run.mirrored and after.given_keys != task.watermark.given_keys:
            self._writer.write_tags(run, to_tags(task.watermark.claiming(after)))
        self._writer.write_points(
            run, found.points, self._notes(after, warnings), update.params, update.facts
        )
        word: Word = "created" if task.made else "updated"
        line = self._line(task.record, run, len(found.points), word)
        return Outcome(task.arn, word, line, warnings=tuple(warnings))

    def _progress(self, task: Task, run: KnownRun) -> Progress:
        measured = Measured(
            series=task.series,
            reading=task.reading,
            denied=tuple(task.denied),
            described=not task.undescribed,
            metrics=self._options.metrics != "off",
        )
        return progress(
            task.job,
            task.watermark,
            measured,
            logged_keys=frozenset() if run.mirrored else run.metric_keys,
            written_ms=lambda key: self.index.timestamps(run.run_id, key),
            give_up_denied=self._options.give_up_denied,
        )

    def _notes(self, watermark: Watermark, warnings: Sequence[str]) -> dict[str, str]:
        notes = {**to_tags(watermark), names.SYNCED_AT: iso_utc(self._now_ms)}
        if watermark.final:
            notes[names.FINAL] = "true"
        if watermark.source or watermark.final:
            notes[names.METRIC_SOURCE] = watermark.source or NONE
        warning = self._warning(warnings)
        if warning:
            notes[names.WARNING] = warning
        return notes

    @staticmethod
    def _warning(warnings: Iterable[str]) -> str | None:
        return legal_value("; ".join(warnings), TAG_VALUE_LIMIT) or None

    def _failed(self, task: Task, error: Exception) -> Outcome:
        """Name the reason on the run too, as far as MLflow takes it."""
        text = reason(error)
        with suppress(JobError):
            if task.run is not None:
                self._writer.write_warning(task.run, legal_value(text, TAG_VALUE_LIMIT))
        return Outcome(task.arn, "failed", error=text)

    def _line(self, record: RunRecord, run: KnownRun | None, points: int, word: Word) -> RunLine:
        experiment_id = run.experiment_id if run else self._experiments.find(record.experiment)
        name = self._experiments.name_of(run.experiment_id) if run else None
        return RunLine(
            arn=record.arn,
            kind=record.kind,
            name=record.name,
            run_id=run.run_id if run else None,
            experiment_id=experiment_id,
            experiment=name or record.experiment,
            status=record.status,
            points=points,
            url=run_url(self._address, run.experiment_id, run.run_id) if run else None,
            word=word,
        )

    def _known_line(self, run: KnownRun, arn: str, name: str, word: Word = "unchanged") -> RunLine:
        return RunLine(
            arn=arn,
            kind=run.tags.get(names.KIND, Arn.parse(arn).resource_type),
            name=name,
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            experiment=self._experiments.name_of(run.experiment_id),
            status=run.status,
            points=0,
            url=run_url(self._address, run.experiment_id, run.run_id),
            word=word,
        )

"""What was read of one job → what is to be written of its run, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from mlflow_smwatch.aws.discovery import found_job
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.advice import warnings as advice_on
from mlflow_smwatch.core.describe import iso_utc, with_log_streams
from mlflow_smwatch.core.errors import JobError, reason
from mlflow_smwatch.core.further_logs import FurtherReading, definitions_of
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.kinship import noted
from mlflow_smwatch.core.log_streams import full_names, listed
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import COST, MetricPoint
from mlflow_smwatch.core.prices import Cost
from mlflow_smwatch.core.progress import CLOUDWATCH, NONE, Progress, progress
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.news import has_moved_far, has_other_alarms, is_renewed, state
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition
from mlflow_smwatch.engine.run_states import is_back
from mlflow_smwatch.engine.task import LogReading, Task
from mlflow_smwatch.report import Word
from mlflow_smwatch.tracking.run_update import RunUpdate
from mlflow_smwatch.tracking.units import Unit
from mlflow_smwatch.tracking.writer import DOCUMENT, LINEAGE_PAGE

_EXPIRED = (
    "a part of its logs is gone: its metrics are those of CloudWatch, one-minute averages;"
    " --metrics logs takes what is left of the logs instead, for a job whose source is not chosen"
)
_IDENTITY = (names.ARN, names.CREATED, names.KIND, names.NAME, names.REGION)


class JobRecorder:
    """Tells what is new of a job and puts it into a unit of work; called from several threads.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context
        self._recognition = Recognition(context)

    def put(self, task: Task, unit: Unit) -> Outcome:
        """Put what is new of a job into a unit of work; of a job without news, nothing.

        Where another mirror may be at the same run, it is looked at before.

        Raises
        ------
        JobError, TrackingError
            When MLflow refuses, or is gone.
        """
        if task.error:
            raise task.error
        if not task.made and task.watermark.fingerprint is None and self._look_again(task):
            return self._without_news(task)
        return self._put(task, unit)

    def put_again(
        self, task: Task, unit: Unit, before: tuple[KnownRun | None, Watermark]
    ) -> Outcome | None:
        """Put a job into a unit again after it was refused, next to its run as that is by now.

        Parameters
        ----------
        task, unit
            As of :meth:`put`.
        before
            Run and watermark at the first try.

        Returns
        -------
        Outcome or None
            None where nothing has changed that could help.
        """
        if self._look_again(task):
            return self._without_news(task)
        if (task.run, task.watermark) == before:
            return None
        return self._put(task, unit)

    def forecast(self, task: Task) -> Outcome:
        """Say what :meth:`put` would do at most, for a dry run."""
        points = sum(query.window.periods for query in task.steady_queries())
        if task.source(self._pass.options.metrics) == CLOUDWATCH:
            windows = task.reading.windows
            points += sum(query.window.periods for query in task.algorithm_queries(windows))
        word: Word = "updated" if task.run else "created"
        as_written = not (task.run and task.is_new_to(task.run))
        same = as_written and task.reading.complete == task.watermark.final
        if task.run and same and not points and self._is_sealed(task, task.run):
            word = "unchanged"
        self._cost(task)  # AWS is asked for prices as often as the pass will ask
        line = self._pass.line(task.record, task.run, points, word)
        return Outcome(task.arn, word, line, final=task.reading.complete)

    def write_gathered(self, task: Task) -> Sequence[MetricPoint]:
        """Write what is gathered of a job's logs, with the watermark that vouches for it.

        Returns
        -------
        sequence of MetricPoint
            The points.

        Raises
        ------
        JobError, TrackingError
            When MLflow refuses, or is gone.
        """
        recovering = task.recovering_from is not None
        if not task.made and task.watermark.fingerprint is None:
            overtaken = self._look_again(task) and recovering
            if overtaken:
                message = "another mirror writes the same run: the next pass goes on"
                raise JobError(message)
        run = self._run_of(task)
        points, after = task.gathered()
        self._claim(task, run, after)
        vouched = task.recovering_from or after
        self._pass.writer.write_points(run, points, self._notes(task.job.name, vouched, ()))
        task.move_on(after)
        task.logged += len(points)
        return points

    def _look_again(self, task: Task) -> bool:
        """Take the run as it is now; tell whether nothing is left to be written."""
        run = self._pass.index.reread(task.run) if task.run else None
        if run is None or not run.active:
            identity = self._pass.identity(found_job(task.job))
            run = self._recognition.choose(
                identity, self._pass.index.find([identity]).get(task.arn, ())
            ).run
        if run is None or not run.active:
            message = "the run was deleted while it was written"
            raise JobError(message)
        if task.run and run.run_id != task.run.run_id and task.watermark.begun:
            message = "another mirror has made the run that stays: it is filled by the next pass"
            raise JobError(message)
        if task.recovering_from and run.watermark != task.recovering_from:
            task.yield_to_other(run)
            return True
        task.run = run
        if not task.recovering_from:
            task.watermark = self._recognition.watermark_of(run) or task.watermark
        read = self._pass.is_read(task.watermark)
        return read and task.watermark.fingerprint == task.record.fingerprint

    def _without_news(self, task: Task) -> Outcome:
        line = self._pass.line(task.record, task.run, task.logged, "unchanged")
        warnings = tuple(self._left_out(task, task.watermark))
        return Outcome(task.arn, "unchanged", line, None, warnings, task.watermark.final)

    def _put(self, task: Task, unit: Unit) -> Outcome:
        run = self._run_of(task)
        cost = self._cost(task)
        found = self._progress(task, run, cost)
        described = task.is_new_to(run)
        renewed = described or is_back(run) or has_other_alarms(task, run)
        warnings = self._left_out(task, found.watermark)
        grown = found.watermark.streams.keys() != task.watermark.streams.keys()
        streams = _unlisted(task.job.name, found.watermark)
        due = described or bool(streams and grown)
        document = self._document(task, run, warnings, streams, due=due)
        after = replace(found.watermark, fingerprint=task.record.fingerprint, document=document)
        points = task.logged + len(found.points)
        news = points or renewed or is_renewed(task, run) or state(after) != state(task.watermark)
        news = news or not self._is_sealed(task, run) or task.reports.copied is not None
        news = news or has_moved_far(task.watermark, after)
        if not news and self._warning(warnings) == run.tags.get(names.WARNING):
            line = self._pass.line(task.record, run, 0, "unchanged")
            return Outcome(task.arn, "unchanged", line, None, tuple(warnings), after.final)
        trials = (*task.job.kinship.trials, *noted(run.tags).trials)  # also those that it has left
        self._pass.trials.open(trials, task.arn)
        emptied = names.FORGOTTEN in run.tags
        update = RunUpdate(
            run=replace(run, model_ids=frozenset()) if emptied else run,
            record=task.shown,
            status=(run.mirrored or after.final) and not task.job.kind.state_from_children,
            interrupted=not task.made,
            kept=(names.RESOURCE_TAG_PREFIX, names.SOURCE_PREFIX) if task.undescribed else (),
            further=() if task.alarms.tags is None else (names.ALARM_PREFIX,),
        )
        if renewed or after.final:
            warnings += unit.write_record(update)
        self._claim(task, run, after)
        notes = self._notes(task.job.name, after, warnings, task.streams)
        notes |= self._seal(task, run)
        if task.reports.copied is not None:
            notes[names.REPORTS] = str(task.reports.copied)
        if cost and any(point.original == COST for point in found.points):
            notes[names.COST_BASIS] = cost.basis
        word: Word = "created" if task.made else "updated"
        line = self._pass.line(task.record, run, points, word)
        facts = update.facts
        if emptied:
            facts.setdefault(names.NOTE, run.tags.get(names.NOTE, task.record.note))
        unit.write_points(run, found.points, notes, update.params, facts)
        task.news = found.points
        return Outcome(task.arn, word, line, None, tuple(warnings), after.final, trials)

    def _is_sealed(self, task: Task, run: KnownRun) -> bool:
        return not self._seal(task, run)

    def _seal(self, task: Task, run: KnownRun) -> dict[str, str]:
        """Give the tag that seals a run; none where it has its seal, or is to have none."""
        job = task.job
        if not self._recognition.may_seal(self._pass.identity(found_job(job)), run):
            return {}
        return self._pass.seals.notes(run, task.arn, job.created_ms, job.role_arn)

    def _run_of(self, task: Task) -> KnownRun:
        if task.run is None:
            message = f"no run was made for {task.arn}"
            raise JobError(message)
        return task.run

    def _left_out(self, task: Task, after: Watermark) -> list[str]:
        """Say what of a job could not be mirrored, or not as its user will want it."""
        logs = task.log_reading or LogReading()
        further = task.further_reading or FurtherReading()
        definitions = (*task.job.definitions, *definitions_of(task.job))
        advice = advice_on(definitions, after.findings)
        expired = [_EXPIRED] if logs.expired else []
        return [
            *task.record.warnings,
            *task.undescribed,
            *logs.denied,
            *expired,
            *task.denied,
            *further.denied,
            *further.remarks,
            *task.reports.denied,
            *task.reports.left_out,
            *filter(None, (task.alarms.left_out,)),
            *advice,
        ]

    def _claim(self, task: Task, run: KnownRun, after: Watermark) -> None:
        """Note on a run that its job logs itself whose it is, and which keys are the mirror's."""
        if run.mirrored:
            return
        record = dict(task.record.tags)
        identity = {key: record[key] for key in _IDENTITY if run.tags.get(key) != record[key]}
        if identity or after.given_keys != task.watermark.given_keys:
            before = task.recovering_from or task.watermark
            self._pass.writer.write_tags(run, {**identity, **to_tags(before.claiming(after))})

    def _document(
        self, task: Task, run: KnownRun, warnings: list[str], streams: Sequence[str], *, due: bool
    ) -> bool:
        """Store the describe answer where it is wanted and new; tell whether it is stored."""
        options = self._pass.options
        if not options.stores_document or (task.watermark.document and not due):
            return task.watermark.document
        text = task.record.document
        document = with_log_streams(text, streams) if streams else text
        page = self._page(task, run)
        texts = {DOCUMENT: document} | ({LINEAGE_PAGE: page} if page else {})
        refused = self._pass.writer.write_texts(run, texts)
        if refused:
            warnings.append(refused)
        return refused is None

    def _page(self, task: Task, run: KnownRun) -> str | None:
        """Draw the page of lineage, unless it is drawn when somebody looks, or nothing is known."""
        experiments, lineage = self._pass.experiments, self._pass.lineage
        shown = experiments.shows_job(run.experiment_id)
        if shown is None and run.tags.get(names.ARN) == task.arn:
            seal = self._seal(task, run)
            experiments.ask_server(
                run.experiment_id,
                run.run_id,
                task.job.kind.word,
                prepare=lambda: self._pass.writer.write_tags(run, seal),
            )
            shown = experiments.shows_job(run.experiment_id)
        if not shown:
            return lineage.page(task.job, run.run_id)
        lineage.enter(task.job, run.run_id)
        return None

    def _cost(self, task: Task) -> Cost | None:
        """Tell what an ended job came to, where its run may lack it and metrics are wanted."""
        due = task.reading.complete and COST not in task.watermark.measured
        wanted = self._pass.options.metrics != "off" and task.job.usage is not None
        return self._pass.costs.of(task.job) if due and wanted else None

    def _progress(self, task: Task, run: KnownRun, cost: Cost | None) -> Progress:
        return progress(
            task.job,
            task.watermark,
            task.measured(self._pass.options.metrics, cost.usd if cost else None),
            logged_keys=task.logged_keys,
            written=lambda key: self._pass.index.history(run.run_id, key),
            give_up_denied=self._pass.options.give_up_denied,
        )

    def _notes(
        self,
        name: str,
        watermark: Watermark,
        warnings: Sequence[str],
        streams: Sequence[str] = (),
    ) -> dict[str, str]:
        notes = {**to_tags(watermark), names.SYNCED_AT: iso_utc(self._pass.now_ms)}
        if watermark.final:
            notes[names.FINAL] = "true"
        if watermark.source or watermark.final:
            notes[names.METRIC_SOURCE] = watermark.source or NONE
        streams = full_names(name, watermark.streams) or streams
        if streams:
            notes[names.LOG_STREAMS] = listed(streams)
        warning = self._warning(warnings)
        if warning:
            notes[names.WARNING] = warning
        return notes

    def _warning(self, warnings: Iterable[str]) -> str | None:
        text = self._pass.aws.redaction.own("; ".join(warnings))
        return legal_value(text, TAG_VALUE_LIMIT) or None

    def failed(self, task: Task, error: Exception) -> Outcome:
        """Name the reason on the run too, as far as MLflow takes it."""
        text = reason(error)
        with suppress(JobError):
            if task.run is not None:
                self._pass.writer.write_warning(task.run, self._warning((text,)) or "")
        return Outcome(task.arn, "failed", error=text)


def _unlisted(job: str, watermark: Watermark) -> Sequence[str]:
    """Give the names of all log streams where a tag does not hold them; else none."""
    streams = full_names(job, watermark.streams)
    return () if json.loads(listed(streams)) == streams else streams

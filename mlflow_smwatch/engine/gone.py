"""Jobs that AWS has deleted: their runs stay, are tagged so, and end if they were going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import StopError, reason
from mlflow_smwatch.core.further_logs import FurtherReading
from mlflow_smwatch.core.job_kinds import kind_of
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.matching import KnownRun, is_note
from mlflow_smwatch.core.progress import NONE, Progress
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.endpoints import EndpointReader
from mlflow_smwatch.engine.further_reader import Commit
from mlflow_smwatch.engine.last_look import LastLook
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.task import ENDED, Task
from mlflow_smwatch.engine.telling import tell_gone
from mlflow_smwatch.report import RunLine, Word

_YOUNG_MS = 5 * 60_000
_CUT_OFF = "AWS no longer knows this job: nothing more is read"
_STAYS = "AWS no longer knows this job: its run stays as it is"


class GoneJobs:
    """Tags and closes the runs of jobs that AWS no longer knows.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    commit
        Writes what a task has gathered of its logs.
    """

    def __init__(self, context: PassContext, commit: Commit) -> None:
        self._pass = context
        self._endpoints = EndpointReader(context)
        self._last_look = LastLook(context, commit)

    def close(self, run: KnownRun, successor_ms: int | None = None) -> Outcome:
        """Tag the run of a job that AWS has deleted, and end it if it goes on.

        The outcome of a job that had not ended may never have been seen. A run that is final stays
        as it is but for the tag; one that is tagged is not written again.

        Parameters
        ----------
        run
            The run.
        successor_ms
            When another was made under the job's name; None where none was.
        """
        arn = run.tags[names.ARN]
        try:
            return self._put_away(run, arn) if is_note(run) else self._close(run, arn, successor_ms)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(arn, "failed", error=reason(error))

    def _put_away(self, note: KnownRun, arn: str) -> Outcome:
        """Leave a job alone that is forgotten: the note of that was to be deleted."""
        if not self._pass.options.dry_run:
            self._pass.index.delete_note(note)
        return Outcome(arn, "unchanged", self._pass.known_line(note), final=True)

    def _close(self, run: KnownRun, arn: str, successor_ms: int | None) -> Outcome:
        kind = kind_of(Arn.parse(arn))
        watermark = run.watermark or Watermark(made_ms=self._pass.now_ms)
        over = watermark.final or (kind is not None and kind.state_from_children)
        gone_ms = min(self._pass.now_ms, successor_ms or self._pass.now_ms)
        if kind and not over and self._endpoints.has_rest(kind, run):
            last = End.of_run(run) or End("FINISHED", gone_ms)
            ended_ms = min(last.at_ms, gone_ms)
            task = self._endpoints.left(
                kind, run, watermark, ended_ms=ended_ms, successor_ms=successor_ms
            )
            return self._look_and_close(run, task, last)
        told = over and names.GONE in run.tags
        endless = kind is not None and kind.endless
        warning = _STAYS if over else None if endless else _CUT_OFF
        end = End.of_run(run)
        if not over and end is None:
            cut_ms = watermark.modified_ms or run.start_ms
            end = End("FINISHED", gone_ms) if endless else End("KILLED", cut_ms)
        if not (told or self._pass.options.dry_run):
            self._tag(run, watermark, None if over else end, warning)
        line = self._line(run, "unchanged" if told else "updated", end)
        return Outcome(arn, line.word, line, None, (warning,) if warning else (), final=True)

    def _look_and_close(self, run: KnownRun, task: Task, end: End) -> Outcome:
        """End the run of what had metrics as long as it was there; read what came since.

        It is final, as that of a job, after a look that is later than its end by what points may
        take to come; its end is when it was found gone, or another took its name.
        """
        told = names.GONE in run.tags
        if self._pass.options.dry_run:
            self._last_look.forecast(task)
            line = self._line(run, "unchanged" if told else "updated", end)
            return Outcome(str(task.arn), line.word, line)
        found = self._last_look.read(task)
        warnings, alarms = _left_out(task), self._other_alarms(run, task)
        note = self._note(warnings)
        news = found.points or task.logged or found.watermark.final or alarms
        if told and not news and note == run.tags.get(names.WARNING):
            asked = (_STAYS,) if self._pass.options.names else ()
            line = self._line(run, "unchanged", end)
            return Outcome(task.arn, "unchanged", line, None, (*warnings, *asked), final=True)
        self._write(run, found, end, note, alarms)
        line = self._line(run, "updated", end)
        line = replace(line, points=task.logged + len(found.points))
        return Outcome(task.arn, "updated", line, None, warnings, final=True)

    def _write(
        self, run: KnownRun, found: Progress, end: End, note: str | None, alarms: dict[str, str]
    ) -> None:
        """Write what the last look found, and tell of it."""
        if run.status not in ENDED:
            self._pass.writer.end(run, end.status, end.at_ms)
        after, now = found.watermark, iso_utc(self._pass.now_ms)
        notes = {**to_tags(after), names.GONE: run.tags.get(names.GONE, now), names.SYNCED_AT: now}
        if after.final:
            notes |= {names.FINAL: "true", names.METRIC_SOURCE: after.source or NONE}
        if note is not None:
            notes[names.WARNING] = note
        self._pass.writer.write_points(run, found.points, notes, facts=alarms)
        tell_gone(
            self._pass,
            run,
            status=end.status,
            end_ms=end.at_ms,
            points=found.points,
            final=after.final,
        )

    def _tag(
        self, run: KnownRun, watermark: Watermark, end: End | None, warning: str | None
    ) -> None:
        """Tag a run as that of a job that is gone; one that is not final ends, and is told of."""
        now = iso_utc(self._pass.now_ms)
        gone = {names.GONE: now, names.SYNCED_AT: now}
        if end is None:
            self._pass.writer.write_tags(run, gone)
            return
        if run.status not in ENDED:
            self._pass.writer.end(run, end.status, end.at_ms)
        notes = {
            **to_tags(replace(watermark, final=True)),
            **gone,
            names.FINAL: "true",
            names.METRIC_SOURCE: watermark.source or NONE,
        }
        self._pass.writer.write_points(
            run, (), notes | ({names.WARNING: warning} if warning else {})
        )
        tell_gone(self._pass, run, status=end.status, end_ms=end.at_ms)

    def _line(self, run: KnownRun, word: Word, end: End | None) -> RunLine:
        """Report a run with the status that it has by now."""
        line = self._pass.known_line(run, word)
        return line if end is None else replace(line, status=end.status)

    def _note(self, warnings: Sequence[str]) -> str | None:
        text = self._pass.aws.redaction.own("; ".join(warnings))
        return legal_value(text, TAG_VALUE_LIMIT) or None

    def _other_alarms(self, run: KnownRun, task: Task) -> dict[str, str]:
        """Give what the run does not show yet of alarms."""
        shown = task.alarms.tags or {}
        return {key: text for key, text in shown.items() if run.tags.get(key) != text}


@dataclass(frozen=True, slots=True)
class End:
    """How a run has ended, or ends: MLflow's status, and when (ms)."""

    status: str
    at_ms: int

    @classmethod
    def of_run(cls, run: KnownRun) -> End | None:
        """Take it from a run; None for one that goes on."""
        ended = run.status in ENDED
        return cls(run.status, run.end_ms or run.start_ms) if ended else None


def _left_out(task: Task) -> tuple[str, ...]:
    """Say what of an endpoint could not be read, each once."""
    further = task.further_reading or FurtherReading()
    alarms = filter(None, (task.alarms.left_out,))
    return tuple(dict.fromkeys((*task.denied, *further.denied, *further.remarks, *alarms)))


def is_young(run: KnownRun, now_ms: int) -> bool:
    """Whether a job was made so lately that AWS may not tell of it yet.

    SageMaker's operations are eventually consistent: what one lists another may not find for a
    while. A run of five minutes is left to a later pass.

    Parameters
    ----------
    run
        Of the job; it starts when the job was made.
    now_ms
        When the pass began.
    """
    return run.start_ms > now_ms - _YOUNG_MS

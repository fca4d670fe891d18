"""Jobs that AWS has deleted: their runs stay, are tagged so, and end if they were going on."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import StopError, reason
from mlflow_smwatch.core.job_kinds import kind_of
from mlflow_smwatch.core.matching import KnownRun, is_note
from mlflow_smwatch.core.progress import NONE
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.endpoints import EndpointReader
from mlflow_smwatch.engine.last_look import LastLook
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.task import ENDED

_YOUNG_MS = 5 * 60_000
_CUT_OFF = "AWS no longer knows this job: nothing more is read"
_STAYS = "AWS no longer knows this job: its run stays as it is"


class GoneJobs:
    """Tags and closes the runs of jobs that AWS no longer knows.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context
        self._endpoints = EndpointReader(context)
        self._last_look = LastLook(context)

    def close(self, run: KnownRun) -> Outcome:
        """Tag the run of a job that AWS has deleted, and end it if it goes on.

        The outcome of a job that had not ended may never have been seen. A run that is final stays
        as it is but for the tag; one that is tagged is not written again.
        """
        arn = run.tags[names.ARN]
        try:
            return self._put_away(run, arn) if is_note(run) else self._close(run, arn)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(arn, "failed", error=reason(error))

    def _put_away(self, note: KnownRun, arn: str) -> Outcome:
        """Leave a job alone that is forgotten: the note of that was to be deleted."""
        if not self._pass.options.dry_run:
            self._pass.index.delete_note(note)
        return Outcome(arn, "unchanged", self._pass.known_line(note), final=True)

    def _close(self, run: KnownRun, arn: str) -> Outcome:
        kind = kind_of(Arn.parse(arn))
        watermark = run.watermark or Watermark(made_ms=self._pass.now_ms)
        over = watermark.final or (kind is not None and kind.state_from_children)
        if kind and not over and self._endpoints.reads(kind):
            return self._look_and_close(run, watermark)
        told = over and names.GONE in run.tags
        line = self._pass.known_line(run, "unchanged" if told else "updated")
        endless = kind is not None and kind.endless
        warning = _STAYS if over else None if endless else _CUT_OFF
        if not (told or self._pass.options.dry_run):
            now = iso_utc(self._pass.now_ms)
            gone = {names.GONE: now, names.SYNCED_AT: now}
            if over:
                self._pass.writer.write_tags(run, gone)
            else:
                self._end(run, watermark, gone, warning)
        return Outcome(arn, line.word, line, None, (warning,) if warning else (), final=True)

    def _look_and_close(self, run: KnownRun, watermark: Watermark) -> Outcome:
        """End the run of what had metrics as long as it was there; read what came since.

        It is final, as that of a job, after a look that is later than its end by what points may
        take to come; its end is when it was found gone.
        """
        dry_run, told = self._pass.options.dry_run, names.GONE in run.tags
        ended_ms = run.end_ms if run.status in ENDED and run.end_ms else self._pass.now_ms
        task = self._endpoints.left(run, watermark, ended_ms)
        if dry_run:
            self._last_look.forecast(task)
            line = self._pass.known_line(run, "unchanged" if told else "updated")
            return Outcome(str(task.arn), line.word, line)
        found = self._last_look.read(task)
        after, warnings = found.watermark, tuple(dict.fromkeys(task.denied))
        if told and not (found.points or after.final or warnings):
            asked = (_STAYS,) if self._pass.options.names else ()
            line = self._pass.known_line(run)
            return Outcome(task.arn, "unchanged", line, warnings=asked, final=True)
        if run.status not in ENDED:
            self._pass.writer.end(run, "FINISHED", ended_ms)
        now = iso_utc(self._pass.now_ms)
        notes = {**to_tags(after), names.GONE: run.tags.get(names.GONE, now), names.SYNCED_AT: now}
        if after.final:
            notes |= {names.FINAL: "true", names.METRIC_SOURCE: after.source or NONE}
        if warnings:
            notes[names.WARNING] = "; ".join(warnings)
        self._pass.writer.write_points(run, found.points, notes)
        line = replace(self._pass.known_line(run, "updated"), points=len(found.points))
        return Outcome(task.arn, "updated", line, None, warnings, final=True)

    def _end(
        self, run: KnownRun, watermark: Watermark, gone: dict[str, str], warning: str | None
    ) -> None:
        """End a run; what is endless ends when it is found gone, a job when it changed last."""
        if run.status not in ENDED and warning:
            self._pass.writer.end(run, "KILLED", watermark.modified_ms or run.start_ms)
        elif run.status not in ENDED:
            self._pass.writer.end(run, "FINISHED", self._pass.now_ms)
        notes = {
            **to_tags(replace(watermark, final=True)),
            **gone,
            names.FINAL: "true",
            names.METRIC_SOURCE: watermark.source or NONE,
        }
        self._pass.writer.write_points(
            run, (), notes | ({names.WARNING: warning} if warning else {})
        )


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

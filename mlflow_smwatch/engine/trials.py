"""The state of a trial is that of its jobs and trial components: set once these are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError, reason
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.progress import NONE
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.task import Outcome, PassContext

_RUNNING, _FINISHED = "RUNNING", "FINISHED"


class Trials:
    """The trials whose members a pass has written.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context
        self._touched: dict[str, str] = {}
        self._open: dict[str, KnownRun] = {}

    def enter(self, outcome: Outcome) -> None:
        """Note the trials of a job that was written, or a trial that was."""
        line = outcome.line
        if outcome.word in {"created", "updated"}:
            own = (line.name,) if line and line.kind == TRIAL.word else ()
            self._touched.update(dict.fromkeys((*outcome.trials, *own), outcome.arn))

    def enter_open(self, runs: Iterable[KnownRun]) -> None:
        """Note trials that were left running."""
        self._open.update({run.run_id: run for run in runs})

    def finish(self) -> list[str]:
        """Set status and end of the trials that were noted.

        Returns
        -------
        list of str
            What could not be written, in words.

        Raises
        ------
        StopError
            When MLflow is gone.
        """
        if self._pass.options.dry_run:
            return []
        index, runs = self._pass.index, dict(self._open)
        for name, arn in self._touched.items():
            known = self._pass.families.run_of((TRIAL.word, name), Arn.parse(arn))
            if known:
                runs[known.run_id] = index.reread(known)
        return [text for run in runs.values() if (text := self._set(run))]

    def _set(self, run: KnownRun) -> str | None:
        try:
            self._write(run)
        except JobError as error:
            return f"the state of trial {run.tags.get(names.NAME)} is not written: {reason(error)}"
        return None

    def _write(self, run: KnownRun) -> None:
        watermark = run.watermark
        if watermark is None or watermark.fingerprint is None or not run.active:
            return
        running, end_ms = self._pass.index.state_of_members(run)
        status = _RUNNING if running else _FINISHED
        end_ms = None if running else end_ms or run.start_ms
        as_it_was = running or run.end_ms == end_ms  # MLflow keeps the end of what is reopened
        if as_it_was and (run.status, watermark.final) == (status, not running):
            return
        if running:
            self._pass.writer.reopen(run)
        else:
            self._pass.writer.end(run, status, end_ms)
        after = replace(watermark, final=not running, source=NONE)
        self._pass.writer.write_points(run, (), self._notes(after))

    def _notes(self, watermark: Watermark) -> dict[str, str]:
        notes = {**to_tags(watermark), names.SYNCED_AT: iso_utc(self._pass.now_ms)}
        return {**notes, names.FINAL: "true"} if watermark.final else notes

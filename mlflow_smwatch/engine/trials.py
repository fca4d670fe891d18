"""The state of a trial is that of its jobs and trial components: set once these are written."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError, UsageError, reason
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.progress import NONE
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.families import Families
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.writer import RunWriter

_RUNNING, _FINISHED = "RUNNING", "FINISHED"


class TrialStates:
    """The trials whose members a pass writes; may be told by several threads.

    Parameters
    ----------
    families
        The groups that the pass has met.
    index, writer
        Find and write runs.
    now_ms
        When the pass began.
    """

    def __init__(self, families: Families, index: RunIndex, writer: RunWriter, now_ms: int) -> None:
        self._families = families
        self._index = index
        self._writer = writer
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._touched: dict[str, str] = {}
        self._open: dict[str, KnownRun] = {}

    def open(self, trials: Iterable[str], arn: str) -> None:
        """Note on trials, before a member is written, that their state is to be looked at.

        A pass that is cut off then leaves that to the next one.

        Parameters
        ----------
        trials
            Names.
        arn
            ARN of the member.
        """
        for name in trials:
            with self._lock:
                new = name not in self._touched
                self._touched[name] = arn
            known = self._families.run_of((TRIAL.word, name), Arn.parse(arn)) if new else None
            run = self._index.reread(known) if known else None
            if run and run.active and run.watermark and run.watermark.final:
                after = replace(run.watermark, final=False)
                self._writer.write_points(run, (), self._notes(after))

    def enter(self, trials: Iterable[str], arn: str) -> None:
        """Note trials that were written, or a member of theirs was, by name."""
        with self._lock:
            self._touched.update(dict.fromkeys(trials, arn))

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
        runs = dict(self._open)
        for name, arn in self._touched.items():
            known = self._families.run_of((TRIAL.word, name), Arn.parse(arn))
            if known:
                runs[known.run_id] = known
        return [text for run in runs.values() if (text := self._set(run))]

    def _set(self, run: KnownRun) -> str | None:
        try:
            self._write(self._index.reread(run))
        except (JobError, UsageError) as error:
            return f"the state of trial {run.tags.get(names.NAME)} is not written: {reason(error)}"
        return None

    def _write(self, run: KnownRun) -> None:
        watermark = run.watermark
        if watermark is None or watermark.fingerprint is None or not run.active:
            return
        running, end_ms = self._index.state_of_members(run)
        status = _RUNNING if running else _FINISHED
        end_ms = None if running else end_ms or run.start_ms
        as_it_was = running or run.end_ms == end_ms  # MLflow keeps the end of what is reopened
        if as_it_was and (run.status, watermark.final) == (status, not running):
            return
        if running:
            self._writer.reopen(run)
        else:
            self._writer.end(run, status, end_ms)
        after = replace(watermark, final=not running, source=NONE)
        self._writer.write_points(run, (), self._notes(after))

    def _notes(self, watermark: Watermark) -> dict[str, str]:
        notes = {**to_tags(watermark), names.SYNCED_AT: iso_utc(self._now_ms)}
        return {**notes, names.FINAL: "true"} if watermark.final else notes

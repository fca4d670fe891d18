"""``mirror()``: one thing the user has in hand → its MLflow run, now or when its job has ended."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from mlflow_smwatch.core.errors import SmwatchError, UsageError
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.sdk.job_mirror import JobMirror, mirrored_run, options_for
from mlflow_smwatch.sdk.progress import job_bar
from mlflow_smwatch.sdk.pursuit import Pursuit
from mlflow_smwatch.sdk.references import JobReference, is_experiment, reference_of, trials_of
from mlflow_smwatch.tracking.mirrored_run import MirroredRun

logger = logging.getLogger(__name__)

_MOST_FAILURES = 5
"""How many passes on end may fail before a wait is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Whether to follow a job to its end, and how often it is looked at.

    Attributes
    ----------
    wanted
        False for a single pass.
    interval_s
        Seconds from one look to the next.

    Raises
    ------
    UsageError
        When the interval is not above 0.
    """

    wanted: bool
    interval_s: float

    def __post_init__(self) -> None:
        """Refuse an interval that is none."""
        if not self.interval_s > 0:
            message = f"interval_s={self.interval_s!r}: give seconds above 0"
            raise UsageError(message)


def mirror(
    thing: object, options: SyncOptions, waiting: Waiting
) -> MirroredRun | tuple[MirroredRun, ...]:
    """Mirror what a thing stands for.

    Parameters
    ----------
    thing
        Name, ARN, or an object of a SageMaker SDK.
    options
        Where from and where to.
    waiting
        Whether to follow the job to its end.

    Returns
    -------
    MirroredRun or tuple of MirroredRun
        Of an experiment one for each of its trials, else one.

    Raises
    ------
    JobError
        When the job cannot be mirrored, with the reason.
    UsageError
        When the thing stands for no job.
    StopError
        When nothing can be done.
    """
    if options.dry_run:
        message = "a dry run makes no run: leave dry_run out, or call sync"
        raise UsageError(message)
    if isinstance(thing, str):
        return _mirrored(JobMirror(options), thing, None, options, waiting)
    if is_experiment(thing):
        return tuple(_of_reference(trial, options, waiting) for trial in trials_of(thing))
    return _of_reference(reference_of(thing), options, waiting)


def _of_reference(reference: JobReference, options: SyncOptions, waiting: Waiting) -> MirroredRun:
    placed = options_for(reference, options)
    mirror = JobMirror(placed)
    return _mirrored(mirror, mirror.text_of(reference), reference.kind.word, placed, waiting)


def _mirrored(
    mirror: JobMirror, text: str, kind_word: str | None, options: SyncOptions, waiting: Waiting
) -> MirroredRun:
    run, report = _look(mirror, text, kind_word, options)
    if not waiting.wanted:
        return run
    pursuit = Pursuit(interval_s=waiting.interval_s, settle_s=options.settle_s)
    failures = 0
    with job_bar(run.info.run_name or text) as show:
        show(run, report.points)
        while not pursuit.is_over(run, time.monotonic()):
            time.sleep(pursuit.pause_s(time.monotonic()))
            try:
                run, report = _look(mirror, text, kind_word, options)
            except SmwatchError as error:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
                logger.warning("%s: %s; trying again", text, error)
            else:
                failures = 0
                show(run, report.points)
    return run


def _look(
    mirror: JobMirror, text: str, kind_word: str | None, options: SyncOptions
) -> tuple[MirroredRun, SyncReport]:
    """Make one pass over a job, and read its run."""
    report = mirror.sync((text,))
    return mirrored_run(report, text, kind_word, options.tracking_uri), report

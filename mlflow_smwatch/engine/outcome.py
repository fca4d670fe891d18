"""What became of one job in a pass."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.report import RunLine, Word


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
    final
        Whether nothing more will be read of it.
    trials
        Names of the trials that it is in, or was until now.
    """

    arn: str
    word: Word
    line: RunLine | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    final: bool = False
    trials: tuple[str, ...] = ()

"""When a followed job is looked at again, and when it is left: decisions without a clock."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.engine.task import ENDED
from mlflow_smwatch.tracking.mirrored_run import MirroredRun

GRACE_S = 300.0
"""How long after a run could have become final it is waited for; what is denied keeps it open."""

_MARGIN_S = 1.0


@dataclass(slots=True, kw_only=True)
class Pursuit:
    """How far the following of one job has come.

    Attributes
    ----------
    interval_s
        Seconds between two looks at a job that runs.
    settle_s
        How long after its end a job becomes final, seconds.
    ended_s
        When its end was seen first, by the clock of the caller, which may begin anywhere.
    """

    interval_s: float
    settle_s: float
    ended_s: float | None = None

    def is_over(self, run: MirroredRun, now_s: float) -> bool:
        """Take note of a job's run, and say whether nothing more is to come.

        Parameters
        ----------
        run
            As it is now.
        now_s
            The time now.

        Returns
        -------
        bool
            True once the run is final, or has ended so long ago that it will not become final by
            itself; for what goes on without end (an endpoint), once it has begun.
        """
        tags, status = run.data.tags, run.info.status
        kind = KINDS.get(tags.get(names.KIND, ""))
        if kind is not None and kind.endless:
            return bool(status != "SCHEDULED")
        if tags.get(names.FINAL) == "true":
            return True
        if status not in ENDED:
            self.ended_s = None
            return False
        if self.ended_s is None:
            self.ended_s = now_s
        return now_s > self.ended_s + self.settle_s + GRACE_S

    def pause_s(self, now_s: float) -> float:
        """Say how long to wait before the next look.

        Parameters
        ----------
        now_s
            The time now.

        Returns
        -------
        float
            Seconds: the interval, but for an ended job the time until it is settled.
        """
        if self.ended_s is None:
            return self.interval_s
        settled_s = self.ended_s + self.settle_s + _MARGIN_S
        return settled_s - now_s if settled_s > now_s else self.interval_s

"""How many jobs a pass takes at once, so that a limit on it is not reached with all half read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.engine.task import ENDED

_FOR_OTHERS = 0.5
"""What of a limit goes to jobs without a run before those that are followed have their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a job stands before a pass has looked at it.

    Attributes
    ----------
    free
        Whether nothing is left to be read of it, as far as can be seen.
    written_at
        When its run was written last, empty for at once; None where there is no whole run yet.
    """

    free: bool = False
    written_at: str | None = None


@dataclass
class Batches:
    """The batches of a pass, of which each is written under a limit before the next is begun.

    The first is one job: whatever it takes, each pass writes at least that. The next are up to
    twice as large, as far as what is left will do for them. Jobs that have a run and go on are held
    back, so that they leave something to the others, also to those of later pages.

    Parameters
    ----------
    budget
        What the pass may spend.

    Attributes
    ----------
    size
        Of the next batch.
    held
        ARN → job, and when its run was written last, of those that are held back.
    """

    budget: Budget
    size: int = 1
    held: dict[str, tuple[Found, str]] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        """Whether each batch is to be finished before the next."""
        return self.budget.is_limited

    @property
    def is_turn_of_held(self) -> bool:
        """Whether the jobs that are held back are to be taken before further ones."""
        return bool(self.held) and self.budget.left < _FOR_OTHERS

    def of(
        self, page: Sequence[Found], standings: Callable[[Sequence[Found]], Sequence[Standing]]
    ) -> Iterator[list[Found]]:
        """Give the jobs of a page, batch by batch; what each has spent is looked at after it.

        Parameters
        ----------
        page
            The jobs.
        standings
            Tells how each of them stands; those that are free come together, first, and those that
            have a run are held back.
        """
        if not self.limited:
            yield list(page)
            return
        free, new = [], []
        for each, standing in zip(page, standings(page), strict=True):
            if standing.free:
                free.append(each)
            elif standing.written_at is None:
                new.append(each)
            else:
                self.held[each.arn] = each, standing.written_at
        if free:
            yield free
        yield from self._cut(iter(new))

    def of_held(self, now_ms: int) -> Iterator[list[Found]]:
        """Give the jobs that were held back, in an order that lets each have its turn.

        Parameters
        ----------
        now_ms
            When the pass began, milliseconds since the epoch.
        """
        order = _in_turns({arn: written for arn, (_, written) in self.held.items()}, now_ms)
        yield from self._cut(self.held.pop(arn)[0] for arn in order if arn in self.held)

    def drop(self, arns: Iterable[str]) -> None:
        """Hold jobs back no longer: they were taken with others."""
        for arn in arns:
            self.held.pop(arn, None)

    def _cut(self, jobs: Iterator[Found]) -> Iterator[list[Found]]:
        while batch := list(islice(jobs, self.size)):
            before = self.budget.left
            yield batch
            self._learn(len(batch), before - self.budget.left)

    def _learn(self, jobs: int, spent: float) -> None:
        """Choose the size of the next batch by what one has spent, as a part of the budget."""
        if spent > 0:
            self.size = max(1, min(2 * jobs, int(self.budget.left * jobs / spent)))


def is_settled(run: KnownRun, modified_ms: int) -> bool:
    """Whether a run is final and its job was not modified since."""
    try:
        watermark = run.watermark
    except JobError:
        return False
    return watermark is not None and watermark.final and watermark.modified_ms == modified_ms


def standing(found: Found, runs: Sequence[KnownRun]) -> Standing:
    """Tell how a job stands by the runs that carry its ARN.

    One that has ended since its run was written comes first among those that have one.
    """
    if any(is_settled(run, found.modified_ms) for run in runs):
        return Standing(free=True)
    followed = [run for run in runs if _is_followed(run)]
    if not followed:
        return Standing()
    last = max(followed, key=lambda run: run.tags.get(names.SYNCED_AT, ""))
    just_ended = found.job is not None and found.job.ended and last.status not in ENDED
    return Standing(written_at="" if just_ended else last.tags.get(names.SYNCED_AT, ""))


def open_in_turns(runs: Iterable[KnownRun], budget: Budget, now_ms: int) -> list[KnownRun]:
    """Give open runs in an order that, under a limit, lets each have its turn."""
    known = {run.run_id: run for run in runs}
    if not budget.is_limited:
        return list(known.values())
    written_at = {run_id: run.tags.get(names.SYNCED_AT, "") for run_id, run in known.items()}
    return [known[run_id] for run_id in _in_turns(written_at, now_ms)]


def _is_followed(run: KnownRun) -> bool:
    """Whether a pass has written a run to the end once, or has failed to."""
    try:
        return run.written or names.WARNING in run.tags
    except JobError:
        return True


def _in_turns(written_at: Mapping[str, str], now_ms: int) -> list[str]:
    """Take by turns what is drawn by lot, and what was written longest ago.

    A job without news is not written, and one that fails neither: they alone must not be first in
    each pass.
    """
    oldest = sorted(written_at, key=lambda each: written_at[each])
    drawn = random.Random(now_ms).sample(oldest, len(oldest))  # noqa: S311 - no secret
    return list(dict.fromkeys(chain.from_iterable(zip(drawn, oldest, strict=True))))

"""How many jobs a pass takes at once, so that a limit on it is not reached with all half read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun


@dataclass
class Batches:
    """The batches of a pass, of which each is written under a limit before the next is begun.

    The first is one job: whatever it takes, each pass writes at least that. The next are up to
    twice as large, as far as what is left will do for them.

    Parameters
    ----------
    budget
        What the pass may spend.
    """

    budget: Budget
    size: int = 1

    @property
    def limited(self) -> bool:
        """Whether each batch is to be finished before the next."""
        return self.budget.is_limited

    def of(
        self, page: Sequence[Found], settled: Callable[[Sequence[Found]], Sequence[bool]]
    ) -> Iterator[list[Found]]:
        """Give the jobs of a page, batch by batch; what each has spent is looked at after it.

        Parameters
        ----------
        page
            The jobs.
        settled
            Tells which of them cost nothing, as far as can be seen; these come together, first.
        """
        if not self.limited:
            yield list(page)
            return
        free = settled(page)
        if any(free):
            yield [each for each, is_free in zip(page, free, strict=True) if is_free]
        rest = [each for each, is_free in zip(page, free, strict=True) if not is_free]
        while rest:
            before, batch, rest = self.budget.left, rest[: self.size], rest[self.size :]
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

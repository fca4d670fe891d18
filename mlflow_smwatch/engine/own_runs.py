"""What SageMaker says of the runs that jobs logged themselves, asked as rarely as possible."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlflow_smwatch.core.matching import JobIdentity


@dataclass(slots=True)
class _Answers:
    """What SageMaker was asked of a job, run by run, before its end or after; what it said."""

    asked: frozenset[tuple[str, bool]] = frozenset()
    said: str | None = None


class OwnRuns:
    """Remembers the answers between passes; may be asked by several threads.

    ``Search`` does not tell which run is a job's own (``MlflowDetails``), so it takes a Describe. A
    job is asked for when runs come up that may be its own, and once more when it has ended.

    Parameters
    ----------
    most
        Of how many jobs, at most; the one that nobody wanted for longest is asked for again.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, int], _Answers] = OrderedDict()

    def of(
        self,
        job: JobIdentity,
        run_ids: Iterable[str],
        *,
        ended: bool,
        ask: Callable[[], str | None],
    ) -> str | None:
        """Tell which run is a job's own, as far as SageMaker says so.

        Parameters
        ----------
        job
            The job.
        run_ids
            Runs that may be.
        ended
            Whether the job has ended.
        ask
            Asks SageMaker; what it raises is raised, and nothing is remembered.
        """
        key, about = (job.arn, job.created_ms), frozenset((each, ended) for each in run_ids)
        with self._lock:
            known = self._of(key)
            if known.said is not None or about <= known.asked:
                return known.said
        said = ask()
        with self._lock:
            known = self._of(key)
            known.asked |= about
            known.said = said or known.said
        return said

    def is_named(self, job: JobIdentity, run_id: str) -> bool:
        """Whether SageMaker has said that a run is the job's own."""
        with self._lock:
            known = self._answers.get((job.arn, job.created_ms))
        return run_id == job.own_run_id or (known is not None and known.said == run_id)

    def _of(self, key: tuple[str, int]) -> _Answers:
        """Give what is known of a job, which becomes the last to be forgotten."""
        known = self._answers.setdefault(key, _Answers())
        self._answers.move_to_end(key)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)
        return known

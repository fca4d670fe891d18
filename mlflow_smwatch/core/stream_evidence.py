"""Whether the log streams that a listing shows of a job are all that the job has.

A listing by the time of last events may lack some: AWS brings these times up to date "typically
in less than an hour from ingestion, but in rare situations might take longer"
(``DescribeLogStreams``). A host writes one stream at a time, so a stream that covers the whole
training leaves no room for another one of its host.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_streams import LogStream

_MINUTE_MS = 60_000
_SECOND_MS = 1000  # names of streams carry whole seconds
_SETTLED_MS = 6 * 60 * _MINUTE_MS
_SLACK_MS = 5 * _MINUTE_MS
_SLACK_PART = 10
"""While times may lag behind, a short training may have less slack: a tenth of its length."""

_TRAINING = "Training"


def are_all(job: Job, streams: Sequence[LogStream], listed_ms: int) -> bool:
    """Tell whether a job that has ended can have no stream but these.

    Parameters
    ----------
    job
        As AWS describes it.
    streams
        Its streams in a listing that goes back to before its creation.
    listed_ms
        When the listing was begun, milliseconds since the epoch.

    Returns
    -------
    bool
        Whether no restart is told, each host that the job has wrote one stream, no other host any,
        and each stream begins with the training and reaches to its end.
    """
    hosts = sorted(each.host for each in streams)
    if not hosts or hosts != sorted(job.hosts) or job.restarted:
        return False
    begin_ms, end_ms = _training(job)
    slack_ms = _SLACK_MS
    if listed_ms < (job.ended_ms or end_ms) + _SETTLED_MS:
        slack_ms = min(slack_ms, (end_ms - begin_ms) // _SLACK_PART)
    launched_ms = job.launched_ms or 0
    return all(
        launched_ms - _SECOND_MS < each.began_ms <= begin_ms + slack_ms
        and (each.last_event_ms or 0) >= end_ms - slack_ms
        for each in streams
    )


def _training(job: Job) -> tuple[int, int]:
    """Give begin and end of the training: phases of waiting come before it, all others after it."""
    waiting = job.kind.waiting_phases
    before_ms = sum(each.duration_ms for each in job.phases if each.status in waiting)
    after_ms = sum(
        each.duration_ms for each in job.phases if each.status not in {*waiting, _TRAINING}
    )
    ended_ms = job.ended_ms or job.modified_ms
    return job.created_ms + before_ms, ended_ms - after_ms

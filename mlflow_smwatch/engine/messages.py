"""Which messages of a queue have done their work, once the jobs that they name were looked at."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow_smwatch.aws.queue import QueueMessage
from mlflow_smwatch.core.events import JobEvent
from mlflow_smwatch.report import SyncReport


def settled(
    events: Mapping[QueueMessage, JobEvent], report: SyncReport, *, whole: bool
) -> tuple[QueueMessage, ...]:
    """Choose the messages that have done their work.

    Parameters
    ----------
    events
        What each message says.
    report
        Of the pass that followed.
    whole
        Whether the pass reached every job; if not, a job that it does not mention waits.

    Returns
    -------
    tuple of QueueMessage
        Those whose job is written, or is one that the options leave out. SageMaker gives the ARN of
        one job in lower case here and as it was typed there, so case makes no difference.
    """
    failed = {failure.arn.lower() for failure in report.failed}
    done = written(report)
    return tuple(
        message
        for message, event in events.items()
        if event.arn.lower() not in failed and (whole or event.arn.lower() in done)
    )


def written(report: SyncReport) -> set[str]:
    """Return the ARNs of the jobs that a pass found or made runs of, in lower case.

    Parameters
    ----------
    report
        Of the pass.
    """
    return {line.arn.lower() for line in report.runs}

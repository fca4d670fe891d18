"""``DescribeTrial``, or the ``Trial`` record of ``Search`` → job."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.mappers.answers import Answer, described, text


def trial(answer: Answer) -> Job:
    """Make a job of what AWS said of a trial; see :func:`.describe.job_of`.

    It has no status: that is its components'.
    """
    job = described(TRIAL, answer, "Trial", status="")
    return replace(
        job,
        title=text(answer, "DisplayName"),
        kinship=Kinship(experiment=text(answer, "ExperimentName")),
    )

"""``DescribeAutoMLJobV2`` or ``DescribeAutoMLJob``, with ``Candidates`` → job.

The candidates are those of ``ListCandidatesForAutoMLJob``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlflow_smwatch.core.job import Channel, Job
from mlflow_smwatch.core.job_kinds import AUTOML_JOB
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    described,
    number,
    part,
    parts,
    present,
    s3_uri,
    text,
)
from mlflow_smwatch.core.reports import automl_facts

_DEFAULT_CHANNEL = "training"
"""What a channel without ``ChannelType`` is (``AutoMLChannel``)."""


def automl_job(answer: Answer) -> Job:
    """Make a job of what AWS said of an AutoML job; see :func:`.describe.job_of`."""
    job = described(AUTOML_JOB, answer, "AutoMLJob", end="EndTime")
    best = part(answer, "BestCandidate")
    objective = part(best, "FinalAutoMLJobObjectiveMetric")
    problem = text(answer, "AutoMLProblemTypeConfigName") or text(answer, "ProblemType")
    inputs = parts(answer, "AutoMLJobInputDataConfig") or parts(answer, "InputDataConfig")
    job = replace(
        job,
        kinship=replace(job.kinship, automl_job=None),  # the ARN is its own here
        secondary_status=text(answer, "AutoMLJobSecondaryStatus"),
        output=text(answer, "OutputDataConfig", "S3OutputPath"),
        channels=_channels(inputs),
        children=_children((best, *parts(answer, "Candidates"))),
        params=present(
            ("problem_type", problem),
            ("objective/metric", text(answer, "AutoMLJobObjective", "MetricName")),
        ),
        facts=present(
            ("best_candidate", text(best, "CandidateName")),
            ("best_objective", number(objective, "Value")),
        )
        + automl_facts(answer),
    )
    return replace(job, lineage=_lineage(job, best))


def _channels(inputs: Iterable[Answer]) -> tuple[Channel, ...]:
    return tuple(
        Channel(name=text(entry, "ChannelType") or _DEFAULT_CHANNEL, uri=uri)
        for entry in inputs
        if (uri := s3_uri(entry, "DataSource", "S3DataSource", "S3Uri"))
    )


def _children(candidates: Iterable[Answer]) -> tuple[str, ...]:
    steps = (step for candidate in candidates for step in parts(candidate, "CandidateSteps"))
    arns = (text(step, "CandidateStepArn") for step in steps)
    return tuple(dict.fromkeys(arn for arn in arns if arn))


def _lineage(job: Job, best: Answer) -> Lineage:
    models = (s3_uri(each, "ModelDataUrl") for each in parts(best, "InferenceContainers"))
    return (
        materials.read_by(job.arn, materials.DATA, *(each.uri for each in job.channels))
        + materials.written_by(job.arn, materials.OUTPUT, materials.folder(job.output, job.name))
        + materials.written_by(job.arn, materials.MODEL_DATA, *models)
    )

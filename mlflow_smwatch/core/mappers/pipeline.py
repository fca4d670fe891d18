"""``DescribePipelineExecution`` or its ``Search`` record, with ``PipelineExecutionSteps`` → job.

The steps are those of ``ListPipelineExecutionSteps``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TUNING_JOB,
    kind_of,
)
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.lineage import Lineage, writes
from mlflow_smwatch.core.log_streams import listed
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    arn_in,
    described,
    part,
    parts,
    present,
    text,
)

_STEP_KINDS = (TRAINING_JOB, PROCESSING_JOB, TRANSFORM_JOB, TUNING_JOB, AUTOML_JOB)
_MODELS = ("Model", "RegisterModel")


def pipeline_execution(answer: Answer) -> Job:
    """Make a job of what AWS said of a pipeline's execution; see :func:`.describe.job_of`."""
    job = described(PIPELINE_EXECUTION, answer, "PipelineExecution")
    own_steps = [
        part(step, "Metadata")
        for step in parts(answer, "PipelineExecutionSteps")
        if not _is_taken_over(step)
    ]
    pipeline = arn_in(answer, "PipelineArn")
    children = tuple(dict.fromkeys(arn for step in own_steps for arn in _jobs(step)))
    return replace(
        job,
        title=text(answer, "PipelineExecutionDisplayName"),
        kinship=Kinship(experiment=text(answer, "PipelineExperimentConfig", "ExperimentName")),
        children=children,
        params=_params(answer),
        facts=present(
            ("pipeline", pipeline.resource_name if pipeline else None),
            ("jobs", listed(children) if children else None),
        ),
        lineage=sum((_models(job.arn, step) for step in own_steps), Lineage()),
    )


def _is_taken_over(step: Answer) -> bool:
    """Whether the step's job is an earlier execution's: a hit of the cache, or not selected."""
    sources = ("CacheHitResult", "SelectiveExecutionResult")
    return any(text(step, source, "SourcePipelineExecutionArn") for source in sources)


def _jobs(step: Answer) -> Iterator[str]:
    for name in step:
        for field in ("Arn", "CheckJobArn"):
            arn = arn_in(step, name, field)
            if arn and kind_of(arn) in _STEP_KINDS:
                yield str(arn)


def _models(execution: Arn, step: Answer) -> Lineage:
    arns = (arn_in(step, name, "Arn") for name in _MODELS)
    made = (writes(str(execution), materials.named(arn)) for arn in arns if arn)
    return sum(made, Lineage())


def _params(answer: Answer) -> tuple[tuple[str, str], ...]:
    given = parts(answer, "PipelineParameters")
    return tuple(
        sorted((name, str(each.get("Value", ""))) for each in given if (name := text(each, "Name")))
    )

"""``DescribeHyperParameterTuningJob``, with ``TrainingJobSummaries`` → job.

The summaries are those of ``ListTrainingJobsForHyperParameterTuningJob``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlflow_smwatch.core.job import Channel, Job
from mlflow_smwatch.core.job_kinds import TUNING_JOB
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    described,
    instances,
    number,
    pairs,
    part,
    parts,
    present,
    s3_channels,
    text,
    whole,
)
from mlflow_smwatch.core.mappers.training import code_in

_CONFIG = "HyperParameterTuningJobConfig"
_LIMITS = (
    ("max_training_jobs", "MaxNumberOfTrainingJobs"),
    ("max_parallel_training_jobs", "MaxParallelTrainingJobs"),
    ("max_runtime_seconds", "MaxRuntimeInSeconds"),
)


def tuning_job(answer: Answer) -> Job:
    """Make a job of what AWS said of a tuning job; see :func:`.describe.job_of`."""
    job = described(
        TUNING_JOB, answer, "HyperParameterTuningJob", end="HyperParameterTuningEndTime"
    )
    definitions = _definitions(answer)
    first = definitions[0] if definitions else {}
    instance_type, instance_count = _instances(first)
    hyperparameters = pairs(part(first, "StaticHyperParameters"))
    job = replace(
        job,
        image=text(first, "AlgorithmSpecification", "TrainingImage"),
        algorithm=text(first, "AlgorithmSpecification", "AlgorithmName"),
        role_arn=text(first, "RoleArn"),
        instance_type=instance_type,
        instance_count=instance_count,
        spot=first.get("EnableManagedSpotTraining") is True,
        output=text(first, "OutputDataConfig", "S3OutputPath"),
        hyperparameters=hyperparameters,
        code=code_in(hyperparameters),
        channels=_channels(definitions),
        children=_children(answer),
        params=tuple(_params(answer, definitions)),
        facts=(*_best(answer), *_counters(answer)),
    )
    return replace(job, lineage=_lineage(job, definitions))


def _definitions(answer: Answer) -> tuple[Answer, ...]:
    one = part(answer, "TrainingJobDefinition")
    return (one,) if one else parts(answer, "TrainingJobDefinitions")


def _instances(definition: Answer) -> tuple[str | None, int | None]:
    flexible = part(definition, "HyperParameterTuningResourceConfig")
    return instances(part(definition, "ResourceConfig") or flexible)


def _channels(definitions: tuple[Answer, ...]) -> tuple[Channel, ...]:
    every = (each for one in definitions for each in s3_channels(parts(one, "InputDataConfig")))
    return tuple(dict.fromkeys(every))


def _children(answer: Answer) -> tuple[str, ...]:
    arns = (text(entry, "TrainingJobArn") for entry in parts(answer, "TrainingJobSummaries"))
    return tuple(dict.fromkeys(arn for arn in arns if arn))


def _params(answer: Answer, definitions: tuple[Answer, ...]) -> Iterator[tuple[str, str]]:
    """Give strategy, limits, objective and ranges; further definitions begin with their name."""
    config = part(answer, _CONFIG)
    yield from present(("tuning/strategy", text(config, "Strategy")))
    for name, field in _LIMITS:
        yield from present((f"tuning/{name}", whole(config, "ResourceLimits", field)))
    yield from _objective(part(config, "HyperParameterTuningJobObjective"))
    yield from _ranges(part(config, "ParameterRanges"))
    for place, definition in enumerate(definitions):
        prefix = f"{text(definition, 'DefinitionName') or place + 1}/" if place else ""
        yield from _objective(part(definition, "TuningObjective"), prefix)
        yield from _ranges(part(definition, "HyperParameterRanges"), prefix)
        if place:
            for name, value in pairs(part(definition, "StaticHyperParameters")):
                yield f"{prefix}{name}", value


def _objective(objective: Answer, prefix: str = "") -> Iterator[tuple[str, str]]:
    yield from present(
        (f"{prefix}objective/metric", text(objective, "MetricName")),
        (f"{prefix}objective/type", text(objective, "Type")),
    )


def _ranges(ranges: Answer, prefix: str = "") -> Iterator[tuple[str, str]]:
    for field, shown in _RANGES:
        for entry in parts(ranges, field):
            if name := text(entry, "Name"):
                yield f"{prefix}range/{name}", shown(entry)


def _interval(entry: Answer) -> str:
    scaling = text(entry, "ScalingType")
    interval = f"{entry.get('MinValue')}..{entry.get('MaxValue')}"
    return f"{interval} ({scaling})" if scaling else interval


def _choice(entry: Answer) -> str:
    values = entry.get("Values")
    listed = values if isinstance(values, (list, tuple)) else ()
    return f"[{', '.join(str(value) for value in listed)}]"


def _hint(entry: Answer) -> str:
    return f"auto, near {entry.get('ValueHint')}"


_RANGES = (
    ("IntegerParameterRanges", _interval),
    ("ContinuousParameterRanges", _interval),
    ("CategoricalParameterRanges", _choice),
    ("AutoParameters", _hint),
)


def _best(answer: Answer) -> tuple[tuple[str, str], ...]:
    best = part(answer, "BestTrainingJob")
    objective = part(best, "FinalHyperParameterTuningJobObjectiveMetric")
    return present(
        ("best_training_job", text(best, "TrainingJobName")),
        ("best_objective", number(objective, "Value")),
    )


def _counters(answer: Answer) -> Iterator[tuple[str, str]]:
    for group, field in (
        ("training_jobs", "TrainingJobStatusCounters"),
        ("objectives", "ObjectiveStatusCounters"),
    ):
        for name in sorted(part(answer, field)):
            yield from present((f"{group}.{name}", whole(answer, field, name)))


def _lineage(job: Job, definitions: tuple[Answer, ...]) -> Lineage:
    images = (text(one, "AlgorithmSpecification", "TrainingImage") for one in definitions)
    code = (code_in(pairs(part(one, "StaticHyperParameters"))) for one in definitions)
    return (
        materials.read_by(job.arn, materials.DATA, *(each.uri for each in job.channels))
        + materials.read_by(job.arn, materials.IMAGE, *images)
        + materials.read_by(job.arn, materials.CODE, *code)
    )

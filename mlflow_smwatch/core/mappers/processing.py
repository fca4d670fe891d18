"""``DescribeProcessingJob`` → job."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.core.job import Channel, Job, Usage
from mlflow_smwatch.core.job_kinds import PROCESSING_JOB
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    described,
    hosts,
    instance_groups,
    instances,
    part,
    parts,
    s3_uri,
    seconds_between,
    text,
)
from mlflow_smwatch.core.reports import processing_facts, schedule_of


def processing_job(answer: Answer) -> Job:
    """Make a job of what AWS said of a processing job; see :func:`.describe.job_of`."""
    job = described(PROCESSING_JOB, answer, "ProcessingJob", end="ProcessingEndTime")
    instance_type, instance_count = instances(part(answer, "ProcessingResources", "ClusterConfig"))
    channels = _channels(answer)
    outputs = _outputs(answer)
    failure = job.failure_reason or (
        text(answer, "ExitMessage") if job.status == "Failed" else None
    )
    job = replace(
        job,
        failure_reason=failure,
        image=text(answer, "AppSpecification", "ImageUri"),
        instance_type=instance_type,
        instance_count=instance_count,
        hosts=hosts(instance_count),
        usage=_usage(answer),
        output=outputs[0] if len(outputs) == 1 else None,
        code=next(iter(materials.s3_inputs(channels, materials.CODE)), None),
        channels=channels,
        facts=processing_facts(answer),
        kinship=replace(job.kinship, endpoint=_monitored(answer)),
    )
    return replace(job, lineage=_lineage(job, outputs))


def _monitored(answer: Answer) -> str | None:
    """Name the endpoint that a monitoring execution looked at ("Container contract inputs")."""
    return text(answer, "Environment", "sagemaker_endpoint_name") if schedule_of(answer) else None


def _usage(answer: Answer) -> Usage | None:
    """Tell what is billed; rules of Debugger that are built in run for nothing, and look alike."""
    seconds = seconds_between(answer, "ProcessingStartTime", "ProcessingEndTime")
    if seconds is None or text(answer, "TrainingJobArn"):
        return None
    resources = part(answer, "ProcessingResources", "ClusterConfig")
    return Usage(seconds=seconds, instances=instance_groups(resources))


def _lineage(job: Job, outputs: tuple[str, ...]) -> Lineage:
    return (
        materials.read_by(job.arn, materials.DATA, *materials.s3_inputs(job.channels))
        + materials.read_by(job.arn, materials.CODE, job.code)
        + materials.read_by(job.arn, materials.IMAGE, job.image)
        + materials.written_by(job.arn, materials.DATA, *outputs)
    )


def _channels(answer: Answer) -> tuple[Channel, ...]:
    return tuple(
        Channel(name=name, uri=uri)
        for entry in parts(answer, "ProcessingInputs")
        if (name := text(entry, "InputName")) and (uri := s3_uri(entry, "S3Input", "S3Uri"))
    )


def _outputs(answer: Answer) -> tuple[str, ...]:
    outputs = parts(answer, "ProcessingOutputConfig", "Outputs")
    uris = (s3_uri(entry, "S3Output", "S3Uri") for entry in outputs)
    return tuple(dict.fromkeys(uri for uri in uris if uri))

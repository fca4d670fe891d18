"""``DescribeTransformJob``, with ``Model`` (``DescribeModel``) and its ``ModelPackages`` → job."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.core.job import Channel, Job, Usage
from mlflow_smwatch.core.job_kinds import TRANSFORM_JOB
from mlflow_smwatch.core.lineage import Lineage, reads
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    arn_in,
    described,
    instance_groups,
    instances,
    part,
    present,
    s3_uri,
    seconds_between,
    text,
)


def transform_job(answer: Answer) -> Job:
    """Make a job of what AWS said of a transform job; see :func:`.describe.job_of`.

    Its hosts are not known before its log streams are.
    """
    job = described(TRANSFORM_JOB, answer, "TransformJob", end="TransformEndTime")
    model = part(answer, "Model")
    instance_type, instance_count = instances(part(answer, "TransformResources"))
    source = s3_uri(answer, "TransformInput", "DataSource", "S3DataSource", "S3Uri")
    images = (text(container, "Image") for container in materials.containers(model))
    job = replace(
        job,
        image=next(filter(None, images), None),
        instance_type=instance_type,
        instance_count=instance_count,
        usage=_usage(answer),
        output=text(answer, "TransformOutput", "S3OutputPath"),
        channels=(Channel(name="input", uri=source),) if source else (),
        facts=present(("model", text(answer, "ModelName"))),
    )
    return replace(job, lineage=_lineage(job, model))


def _usage(answer: Answer) -> Usage | None:
    seconds = seconds_between(answer, "TransformStartTime", "TransformEndTime")
    resources = part(answer, "TransformResources")
    if seconds is None:
        return None
    return Usage(seconds=seconds, instances=instance_groups(resources))


def _lineage(job: Job, model: Answer) -> Lineage:
    model_arn = arn_in(model, "ModelArn")
    return (
        materials.read_by(job.arn, materials.DATA, *(each.uri for each in job.channels))
        + (reads(str(job.arn), materials.named(model_arn)) if model_arn else Lineage())
        + materials.made_of(model)
        + materials.written_by(job.arn, materials.OUTPUT, materials.folder(job.output))
    )

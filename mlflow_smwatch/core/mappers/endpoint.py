"""``DescribeEndpoint``, with ``EndpointConfig`` and ``Models`` → job.

They are the answers of ``DescribeEndpointConfig`` and, one for each model, ``DescribeModel``, with
``ModelPackages`` (``DescribeModelPackage``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.lineage import Lineage, reads
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    arn_in,
    described,
    number,
    part,
    parts,
    present,
    text,
    whole,
)


def endpoint(answer: Answer) -> Job:
    """Make a job of what AWS said of an endpoint; see :func:`.describe.job_of`.

    What its variants are made of changes with every update: so these are facts, no params.
    """
    job = described(ENDPOINT, answer, "Endpoint")
    variants = parts(answer, "EndpointConfig", "ProductionVariants")
    types = dict.fromkeys(filter(None, (text(each, "InstanceType") for each in variants)))
    counts = [whole(each, "InitialInstanceCount") or 0 for each in variants]
    return replace(
        job,
        role_arn=text(answer, "EndpointConfig", "ExecutionRoleArn"),
        instance_type=", ".join(types) or None,
        instance_count=sum(counts) or None,
        output=_capture(answer),
        facts=(
            *present(("endpoint_config", text(answer, "EndpointConfigName"))),
            *(fact for variant in variants for fact in _variant(variant)),
        ),
        lineage=_lineage(job, answer),
    )


def _variant(variant: Answer) -> Iterator[tuple[str, str]]:
    name = text(variant, "VariantName")
    for fact, value in present(
        ("model", text(variant, "ModelName")),
        ("instance_type", text(variant, "InstanceType")),
        ("initial_instance_count", whole(variant, "InitialInstanceCount")),
        ("weight", number(variant, "InitialVariantWeight")),
    ):
        yield f"variant.{name}.{fact}", value


def _capture(answer: Answer) -> str | None:
    """Give where requests and responses are captured, if they are."""
    capture = part(answer, "DataCaptureConfig") or part(
        answer, "EndpointConfig", "DataCaptureConfig"
    )
    return text(capture, "DestinationS3Uri") if capture.get("EnableCapture") is True else None


def _lineage(job: Job, answer: Answer) -> Lineage:
    """Models are read by the configuration, and that by the endpoint.

    Captured data lie under ``<destination>/<endpoint>/`` ("Capture data from real-time endpoint").
    """
    capture = materials.folder(_capture(answer), job.name)
    lineage = materials.written_by(job.arn, materials.OUTPUT, capture)
    config = arn_in(answer, "EndpointConfig", "EndpointConfigArn")
    if config is None:
        return lineage
    lineage += reads(str(job.arn), materials.named(config))
    for model in parts(answer, "Models"):
        if arn := arn_in(model, "ModelArn"):
            lineage += reads(str(config), materials.named(arn)) + materials.made_of(model)
    return lineage

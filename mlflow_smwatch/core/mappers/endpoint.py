"""``DescribeEndpoint``, with ``EndpointConfig`` and ``Models`` → job.

They are the answers of ``DescribeEndpointConfig`` and, one for each model, ``DescribeModel``, with
``ModelPackages`` (``DescribeModelPackage``). Where a variant names no model there are
``InferenceComponents`` (``DescribeInferenceComponent``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlflow_smwatch.core.deployments import Deployment, deployment, deployments
from mlflow_smwatch.core.endpoint_series import described_series
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.lineage import Lineage, reads
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    arn_in,
    described,
    moment_ms,
    part,
    parts,
    present,
    s3_uri,
    text,
)
from mlflow_smwatch.core.mappers.variants import facts_of, specification, variants
from mlflow_smwatch.core.variants import Variant

IN_SERVICE = "InService"


def endpoint(answer: Answer) -> Job:
    """Make a job of what AWS said of an endpoint; see :func:`.describe.job_of`.

    What its variants are made of changes with every update: so these are facts, no params.
    """
    job = described(ENDPOINT, answer, "Endpoint")
    found = variants(answer)
    deployed = _deployed(job, answer, found)
    asked = [each for each in found if not each.shadow]
    types = dict.fromkeys(filter(None, (each.instance_type for each in asked)))
    return replace(
        job,
        role_arn=text(answer, "EndpointConfig", "ExecutionRoleArn"),
        instance_type=", ".join(types) or None,
        instance_count=sum(each.initial_count or 0 for each in asked) or None,
        output=_capture(answer),
        facts=(
            *present(("endpoint_config", text(answer, "EndpointConfigName"))),
            *(fact for each in found for fact in facts_of(each)),
        ),
        variants=found,
        further=described_series(job.name, found),
        deployed=deployed,
        deployments=deployments(deployed, {}),
        lineage=_lineage(job, answer),
    )


def _deployed(job: Job, answer: Answer, found: Iterable[Variant]) -> Deployment | None:
    """Tell what is deployed: nothing certain while the endpoint, or one of its parts, changes."""
    components = parts(answer, "InferenceComponents")
    states = {text(each, "InferenceComponentStatus") for each in components}
    known = tuple(found)
    if job.status != IN_SERVICE or not known or states - {IN_SERVICE}:
        return None
    if any(each.model is None and not each.components for each in known):
        return None
    times = [moment_ms(each, "LastModifiedTime") for each in components]
    at_ms = max(job.modified_ms, *(each for each in times if each is not None), job.created_ms)
    return deployment(at_ms, text(answer, "EndpointConfigName"), known)


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
    components, models = parts(answer, "InferenceComponents"), parts(answer, "Models")
    lineage += sum((_of_component(job, each, models) for each in components), Lineage())
    config = arn_in(answer, "EndpointConfig", "EndpointConfigArn")
    if config is None:
        return lineage
    lineage += reads(str(job.arn), materials.named(config))
    shared = {_model_name(each) for each in components}
    configured = {each.model for each in variants(answer)}
    for model in models:
        name, arn = text(model, "ModelName"), arn_in(model, "ModelArn")
        if arn and (name in configured or name not in shared):
            lineage += reads(str(config), materials.named(arn)) + materials.made_of(model)
    return lineage


def _model_name(component: Answer) -> str | None:
    return text(specification(component), "ModelName")


def _of_component(job: Job, component: Answer, models: Iterable[Answer]) -> Lineage:
    """State that an endpoint reads a component, and that its model, or its container and data."""
    arn = arn_in(component, "InferenceComponentArn")
    if arn is None:
        return Lineage()
    lineage = reads(str(job.arn), materials.named(arn))
    for model in models:
        found, name = arn_in(model, "ModelArn"), text(model, "ModelName")
        if found and name and name == _model_name(component):
            lineage += reads(str(arn), materials.named(found)) + materials.made_of(model)
    container = part(specification(component), "Container")
    image = part(container, "DeployedImage")
    lineage += materials.read_by(
        arn, materials.IMAGE, text(image, "SpecifiedImage") or text(image, "ResolvedImage")
    )
    return lineage + materials.read_by(arn, materials.MODEL_DATA, s3_uri(container, "ArtifactUrl"))

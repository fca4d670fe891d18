"""The lineage that SageMaker records by itself: of jobs, of a registered and of a deployed model.

Source: "Amazon SageMaker-Created Tracking Entities" of its developer guide; types and names as
public notebooks show them.
"""

from __future__ import annotations

from datetime import datetime

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.contents.registry import ENDPOINT, GROUP
from mlflow_smwatch.demo.workloads.schedule import PlacedJob

IMAGE, DATA, MODEL = "Image", "DataSet", "Model"
_IMAGE_NAME = "SageMaker.ImageUri"
_MODEL_NAME = "SageMaker.ModelArtifact"


def put_job_lineage(account: EmulatedAccount, clients: AccountClients, job: PlacedJob) -> None:
    """Join the component of an ended job with artifacts of what the job read and wrote."""
    component = account.experiments.component_for(clients.arn(f"{job.kind}/{job.name}"))
    if component is None:
        return
    answer = component.answer
    image = answer["Parameters"].get(_IMAGE_NAME, {}).get("StringValue")
    inputs = {name: entry["Value"] for name, entry in answer["InputArtifacts"].items()}
    read = {uri: IMAGE if name == _IMAGE_NAME else DATA for name, uri in inputs.items()}
    if image:
        read[image] = IMAGE
    for uri, kind in read.items():
        artifact = _artifact(account, uri, kind, job.created)
        account.lineage.associate(artifact, component.arn, "ContributedTo", job.created)
    outputs = {name: entry["Value"] for name, entry in answer["OutputArtifacts"].items()}
    for uri, name in {uri: name for name, uri in outputs.items()}.items():
        kind = MODEL if name == _MODEL_NAME else DATA
        artifact = _artifact(account, uri, kind, job.finished)
        account.lineage.associate(component.arn, artifact, "Produced", job.finished)


def put_package_lineage(
    account: EmulatedAccount,
    clients: AccountClients,
    training: PlacedJob,
    package: str,
    at: datetime,
) -> None:
    """Join a model package with its model, its image, its approval and its group."""
    lineage = account.lineage
    group = clients.arn(f"model-package-group/{GROUP}")
    version = package.rpartition("/")[2]
    name = f"{GROUP}-{version}-Approved-{int(at.timestamp())}-aws-model-package"
    registered = _artifact(account, package, MODEL, at)
    approval = lineage.put_action(name, package, kind="Approval", created=at)
    context = lineage.put_context(
        f"{GROUP}-aws-model-package-group", group, kind="ModelGroup", created=at
    )
    for part in (*_model_parts(account, clients, training), approval):
        lineage.associate(part, registered, "ContributedTo", at)
    lineage.associate(registered, context, "AssociatedWith", at)


def put_endpoint_lineage(
    account: EmulatedAccount,
    clients: AccountClients,
    training: PlacedJob,
    endpoint: str,
    at: datetime,
) -> None:
    """Join an endpoint with its deployment, and that with the model and its image."""
    lineage = account.lineage
    action = lineage.put_action(
        f"{ENDPOINT}-{int(at.timestamp())}-aws-model-deployment",
        endpoint,
        kind="ModelDeployment",
        created=at,
    )
    context = lineage.put_context(f"{ENDPOINT}-aws-endpoint", endpoint, kind="Endpoint", created=at)
    for part in _model_parts(account, clients, training):
        lineage.associate(part, action, "ContributedTo", at)
    lineage.associate(action, context, "AssociatedWith", at)


def _model_parts(
    account: EmulatedAccount, clients: AccountClients, training: PlacedJob
) -> tuple[str, str]:
    """Return the artifacts of a training job's model and of its image."""
    uri = clients.uri(f"{training.name}/output/model.tar.gz")
    return (
        _artifact(account, uri, MODEL, training.finished),
        _artifact(account, clients.image, IMAGE, training.created),
    )


def _artifact(account: EmulatedAccount, uri: str, kind: str, created: datetime) -> str:
    """Return the ARN of the artifact of a URI; it is stored when it is first needed."""
    store = account.lineage.artifacts
    arn = store.arn({"Source": {"SourceUri": uri}, "ArtifactType": kind})
    if store.get(arn) is not None:
        return arn
    return account.lineage.put_artifact(uri, kind=kind, created=created)

"""The model that a pipeline made: registered, and deployed behind an endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.contents.traffic import SYNTHETIC, put_traffic
from mlflow_smwatch.demo.job_requests import EMULATED, model_name, tag_list
from mlflow_smwatch.demo.workloads.schedule import PlacedJob

GROUP = "wine-cultivars"
ENDPOINT = "wine-cultivars"
CONFIG = "wine-cultivars-1"
VARIANT = "AllTraffic"
STARTING = timedelta(minutes=4)
AHEAD = timedelta(hours=6)
"""For how long the endpoint goes on answering while the demo is served."""


def put_package(
    account: EmulatedAccount, clients: AccountClients, training: PlacedJob, at: datetime
) -> str:
    """Register the model of a training job as the first version of a group; return the ARN."""
    container = {
        "Image": clients.image,
        "ModelDataUrl": clients.uri(f"{training.name}/output/model.tar.gz"),
    }
    with account.clock.at(at):
        clients.sagemaker.create_model_package_group(
            ModelPackageGroupName=GROUP,
            ModelPackageGroupDescription="Tells the cultivar of a wine.",
            Tags=tag_list(EMULATED),
        )
        package = clients.sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelPackageDescription="Linear classifier on robustly scaled features.",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelApprovalStatus="Approved",
        )
    arn: str = package["ModelPackageArn"]
    return arn


def put_endpoint(
    account: EmulatedAccount, clients: AccountClients, training: PlacedJob, at: datetime
) -> str:
    """Put an endpoint of a training job's model into service; return its ARN."""
    with account.clock.at(at):
        clients.sagemaker.create_endpoint_config(
            EndpointConfigName=CONFIG,
            ProductionVariants=[
                {
                    "VariantName": VARIANT,
                    "ModelName": model_name(training.name),
                    "InstanceType": "ml.t2.medium",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                }
            ],
            Tags=tag_list(EMULATED),
        )
        endpoint = clients.sagemaker.create_endpoint(
            EndpointName=ENDPOINT,
            EndpointConfigName=CONFIG,
            Tags=tag_list({**EMULATED, **SYNTHETIC}),
        )
    put_traffic(account, ENDPOINT, VARIANT, at + STARTING, account.clock.now() + AHEAD)
    account.update_job(
        "endpoint", ENDPOINT, EndpointStatus="InService", LastModifiedTime=at + STARTING
    )
    arn: str = endpoint["EndpointArn"]
    return arn

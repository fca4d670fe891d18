"""An account with secrets wherever a user of SageMaker can put them, in every kind of job."""

from __future__ import annotations

import json
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.jobs import NAMESPACE, job_answer, moment
from tests.secrets.canaries import Canaries
from tests.sync.every_kind import CREATED_MS, ENDED_MS, LIFE

FAILED: dict[str, Any] = {**LIFE, "status": "Failed"}
CODE_NAME = "Projekt Adler"
"""What a user's own pattern is about: no secret by itself."""


def named(canaries: Canaries, where: str) -> dict[str, str]:
    """Make the values of an environment or of hyperparameters."""
    inside = json.dumps({"api_key": canaries.secret(f"{where}, JSON"), "lr": 0.5})
    return {
        "API_TOKEN": canaries.secret(f"{where}, by name"),
        "awsSecretAccessKey": canaries.secret(f"{where}, in camel case"),
        "db.password": json.dumps(canaries.secret(f"{where}, JSON string")),
        "PIN_TOKEN": canaries.number(where),
        "settings": inside,
        "nested": json.dumps(json.dumps({"a": inside})),
        "command": canaries.command(where),
        "key": canaries.key_id(where),
        "database": canaries.login(where),
        "url": canaries.signed_url(where),
        "pem": canaries.private_key(where),
        "tokenizer": canaries.other(f"{where}, tokenizer"),
        "max_tokens": canaries.other(f"{where}, max_tokens"),
        "num_keys": canaries.other(f"{where}, num_keys"),
        "note": f"about {CODE_NAME}",
        f"{CODE_NAME} size": "3",
    }


def environment(canaries: Canaries, where: str) -> dict[str, str]:
    """Make an environment, whose names are letters, digits and underscores."""
    values = named(canaries, f"{where}, environment")
    return {name.replace(".", "_").replace(" ", "_"): value for name, value in values.items()}


def tags(canaries: Canaries, where: str) -> dict[str, str]:
    """Make resource tags."""
    return {
        "db-password": canaries.secret(f"{where}, secret tag"),
        "owner": canaries.sentence(f"{where}, tag", 200),
        "project": CODE_NAME,
    }


def arguments(canaries: Canaries, where: str) -> list[str]:
    """Make container arguments."""
    return [
        "--api-token",
        canaries.secret(f"{where}, argument"),
        f"--password={canaries.secret(f'{where}, argument with =')}",
        f"DB_PASSWORD={canaries.secret(f'{where}, assignment')}",
        canaries.command(f"{where}, one argument"),
        json.dumps({"token": canaries.secret(f"{where}, JSON argument")}),
        f"--tokenizer={canaries.other(f'{where}, argument')}",
        CODE_NAME,
    ]


def reason(canaries: Canaries, where: str, echo: str = "") -> str:
    """Make a failure reason, which may repeat a secret that has a secret name."""
    return f"{canaries.sentence(f'{where}, failure', 900)} {CODE_NAME} {echo}"


def plant(account: EmulatedAccount) -> Canaries:
    """Put one job of each kind, and all that belongs to them."""
    canaries = Canaries()
    account.makes_components = True
    put_training_jobs(account, canaries)
    put_other_jobs(account, canaries)
    put_tuning_and_automl(account, canaries)
    put_experiments(account, canaries)
    put_models(account, canaries)
    put_pipeline(account, canaries)
    put_lineage(account, canaries)
    return canaries


def put_training_jobs(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put a failed training job, with logs, and a running one."""
    values = environment(canaries, "training")
    answer = job_answer(
        "train",
        **FAILED,
        FailureReason=reason(canaries, "training", values["API_TOKEN"]),
        Environment=values,
        HyperParameters=named(canaries, "training, hyperparameters"),
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": canaries.signed_url("training, input", "s3://data/train"),
                    }
                },
            }
        ],
        ModelArtifacts={"S3ModelArtifacts": canaries.signed_url("training, model", "s3://m/t")},
        SecondaryStatusTransitions=[
            {
                "Status": "Failed",
                "StartTime": moment(CREATED_MS),
                "EndTime": moment(ENDED_MS),
                "StatusMessage": canaries.sentence("training, status message"),
            }
        ],
    )
    algorithm = answer["AlgorithmSpecification"]
    algorithm["ContainerArguments"] = arguments(canaries, "training")
    algorithm["ContainerEntrypoint"] = ["sh", "-c", canaries.command("training, entry point")]
    algorithm["MetricDefinitions"].append(
        {"Name": "acc", "Regex": f"{canaries.key_id('training, regex')} acc=(.*)"}
    )
    account.put_training_job(answer, tags(canaries, "training"))
    lines = [canaries.sentence("training, log"), "value=1.5", f"value=x{canaries.key_id('log')}"]
    events = [(CREATED_MS + 1000 * number, line) for number, line in enumerate(lines)]
    account.put_log_events(NAMESPACE, "train/algo-1-1", events, publish=False)
    del canaries.others[next(each for each in canaries.others if each in lines[0])]
    account.put_training_job(
        job_answer("live", created_ms=CREATED_MS, HyperParameters=named(canaries, "live")),
        tags(canaries, "live"),
    )


def put_other_jobs(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put a processing and a transform job that failed."""
    account.put_job(
        "processing-job",
        kinds.processing_job(
            "process",
            **FAILED,
            inputs={"in": canaries.signed_url("processing, input", "s3://data/in")},
            AppSpecification={
                "ImageUri": kinds.IMAGE,
                "ContainerArguments": arguments(canaries, "processing"),
                "ContainerEntrypoint": ["python", canaries.command("processing, entry point")],
            },
            Environment=environment(canaries, "processing"),
            FailureReason=reason(canaries, "processing"),
            ExitMessage=canaries.sentence("processing, exit message"),
        ),
        tags(canaries, "processing"),
    )
    container = {
        "Image": kinds.IMAGE,
        "ModelDataUrl": canaries.signed_url("model, data", "https://s3/m.tar.gz"),
        "Environment": environment(canaries, "model"),
    }
    account.put_model(
        kinds.model("model", created_ms=CREATED_MS, PrimaryContainer=container),
        tags(canaries, "model"),
    )
    canaries.others = {text: at for text, at in canaries.others.items() if at != "model, tag"}
    account.put_job(
        "transform-job",
        kinds.transform_job(
            "transform",
            **FAILED,
            Environment=environment(canaries, "transform"),
            FailureReason=reason(canaries, "transform"),
        ),
        tags(canaries, "transform"),
    )


def put_tuning_and_automl(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put a tuning job and an AutoML job, with a training job and a candidate."""
    tuning = kinds.tuning_job("tune", **FAILED, FailureReason=reason(canaries, "tuning"))
    tuning["TrainingJobDefinition"]["StaticHyperParameters"] = named(canaries, "tuning, static")
    tuning["TrainingJobDefinition"]["Environment"] = environment(canaries, "tuning")
    tuning["HyperParameterTuningJobConfig"]["ParameterRanges"]["CategoricalParameterRanges"] = [
        {"Name": "api_token", "Values": [canaries.secret("tuning, range")]},
        {"Name": "kind", "Values": [canaries.other("tuning, range"), CODE_NAME]},
    ]
    account.put_job("tuning-job", tuning, tags(canaries, "tuning"))
    account.put_training_job(
        job_answer(
            "child",
            **LIFE,
            TuningJobArn=kinds.kind_arn("hyper-parameter-tuning-job/tune"),
            HyperParameters=named(canaries, "tuning, child"),
        )
    )
    container = {
        "Image": kinds.IMAGE,
        "ModelDataUrl": canaries.signed_url("candidate, data", "s3://m/c.tar.gz"),
        "Environment": environment(canaries, "candidate"),
    }
    account.put_job(
        "automl-job",
        kinds.automl_job(
            "automl",
            **FAILED,
            FailureReason=reason(canaries, "AutoML"),
            PartialFailureReasons=[
                {"PartialFailureMessage": canaries.sentence("AutoML, partial failure")}
            ],
        ),
        tags(canaries, "AutoML"),
        candidates=[
            kinds.candidate(
                "candidate",
                **FAILED,
                FailureReason=reason(canaries, "candidate"),
                InferenceContainers=[container],
            )
        ],
    )


def put_experiments(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put an experiment, a trial and a component that somebody made by hand."""
    experiments = account.experiments
    experiments.put_experiment(
        "study",
        description=f"{canaries.sentence('experiment')} {CODE_NAME}",
        tags=tags(canaries, "experiment"),
    )
    experiments.put_trial("trial", "study", tags=tags(canaries, "trial"))
    values = named(canaries, "component")
    pin = canaries.number("component, number")
    experiments.put_trial_component(
        {
            "TrialComponentName": "by-hand",
            "Status": {"PrimaryStatus": "Failed", "Message": reason(canaries, "component")},
            "CreationTime": moment(CREATED_MS),
            "LastModifiedTime": moment(ENDED_MS),
            "EndTime": moment(ENDED_MS),
            "Parameters": {
                **{name: {"StringValue": value} for name, value in values.items()},
                "pin_password": {"NumberValue": float(pin)},
                "lr": {"NumberValue": 0.5},
            },
            "InputArtifacts": {
                "api_token": {"Value": canaries.secret("component, artifact")},
                "password-list": {"Value": f"s3://data/{canaries.other('component, place')}"},
                "url": {"Value": canaries.signed_url("component, input", "s3://data/x")},
            },
            "OutputArtifacts": {
                "out": {"Value": canaries.signed_url("component, output", "s3://out/x")},
                "note": {"Value": f"{canaries.sentence('component, output text')} {CODE_NAME}"},
            },
        },
        trials=["trial"],
        tags=tags(canaries, "component"),
    )


def put_models(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put an endpoint and a model package."""
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=CREATED_MS))
    account.put_job(
        "endpoint",
        kinds.endpoint(
            "serve",
            created_ms=CREATED_MS,
            status="Failed",
            FailureReason=reason(canaries, "endpoint"),
        ),
        tags(canaries, "endpoint"),
    )
    account.lineage.put_model_package_group("packages")
    account.lineage.put_model_package(
        {
            "ModelPackageGroupName": "packages",
            "ModelPackageDescription": f"{canaries.sentence('package')} {CODE_NAME}",
            "CustomerMetadataProperties": {
                "api_key": canaries.secret("package, properties"),
                "about": canaries.sentence("package, property", 250),
            },
            "InferenceSpecification": {
                "Containers": [
                    {
                        "Image": kinds.IMAGE,
                        "ModelDataUrl": canaries.signed_url("package, data", "s3://m/p.tar.gz"),
                        "Environment": environment(canaries, "package"),
                    }
                ]
            },
            "CreationTime": moment(CREATED_MS),
            "LastModifiedTime": moment(ENDED_MS),
        }
    )
    unseen = "package"  # the mirror asks for packages, and tells nothing of these texts
    canaries.others = {
        text: at for text, at in canaries.others.items() if not at.startswith(unseen)
    }


def put_pipeline(account: EmulatedAccount, canaries: Canaries) -> None:
    """Put an execution of a pipeline, with parameters and steps."""
    account.put_pipeline(kinds.pipeline("pipe", created_ms=CREATED_MS), tags(canaries, "pipeline"))
    values = named(canaries, "pipeline, parameters")
    callback = {
        "CallbackToken": canaries.secret("pipeline, callback token"),
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q",
        "OutputParameters": [{"Name": "password", "Value": canaries.secret("callback, output")}],
    }
    account.put_job(
        "pipeline-execution",
        kinds.pipeline_execution(
            "abcdefghijkl",
            **FAILED,
            FailureReason=reason(canaries, "pipeline", values["API_TOKEN"]),
            PipelineExecutionDescription=f"{canaries.sentence('execution')} {CODE_NAME}",
            PipelineParameters=[
                {"Name": name, "Value": value}
                for name, value in values.items()
                if name.isidentifier()
            ],
        ),
        steps=[
            kinds.pipeline_step(
                "step",
                started_ms=CREATED_MS,
                ended_ms=ENDED_MS,
                status="Failed",
                FailureReason=reason(canaries, "pipeline, step", values["API_TOKEN"]),
                metadata={"Callback": callback},
            )
        ],
    )


def put_lineage(account: EmulatedAccount, canaries: Canaries) -> None:
    """Join artifacts and a context with the component of the training job."""
    lineage = account.lineage
    component = account.experiments.component_for(kinds.kind_arn("training-job/train"))
    assert component is not None
    properties = {"api_key": canaries.secret("artifact, properties"), "project": CODE_NAME}
    data = lineage.put_artifact(
        canaries.signed_url("artifact", "s3://data/recorded"),
        name=canaries.key_id("artifact, name"),
        properties=properties,
        created=moment(CREATED_MS),
    )
    report = lineage.put_artifact(
        f"{canaries.signed_url('artifact, elsewhere')}&x={CODE_NAME}",
        kind="Report",
        created=moment(CREATED_MS),
    )
    context = lineage.put_context(
        "context", canaries.signed_url("context"), properties=properties, created=moment(CREATED_MS)
    )
    lineage.associate(data, component.arn, "ContributedTo", moment(CREATED_MS))
    lineage.associate(component.arn, report, "Produced", moment(ENDED_MS))
    lineage.associate(report, context, "AssociatedWith", moment(ENDED_MS))

"""The trial component that SageMaker makes of a job by itself.

Source: "Amazon SageMaker-Created Tracking Entities"; names and keys as public notebooks show them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mlflow_smwatch.demo.validation import Answer, Json

MESSAGE_CHARACTERS = 1024
PARAMETERS = 300
PARAMETER_CHARACTERS = 2500
ARTIFACTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """One kind of job that has a component of its own.

    Attributes
    ----------
    noun
        As in its fields and in Search's SourceDetail: ``TrainingJob``.
    word
        As in its ARNs and in the names of the components: ``training-job``.
    times
        First word of its fields StartTime and EndTime: ``Training``.
    parameters, inputs, outputs
        What the component says of it.
    """

    noun: str
    word: str
    times: str
    parameters: Callable[[Answer], Answer]
    inputs: Callable[[Answer], dict[str, str | None]]
    outputs: Callable[[Answer], dict[str, str | None]]

    @property
    def source_type(self) -> str:
        """Type of the component's Source."""
        return f"SageMaker{self.noun}"

    def component_name(self, job: Answer) -> str:
        """Give the name of a job's component."""
        return f"{job[f'{self.noun}Name']}-aws-{self.word}"


def job_source(arn: str) -> JobSource:
    """Tell the kind of a training, processing or transform job by its ARN."""
    return JOB_SOURCES[arn.rpartition("/")[0].rpartition(":")[2]]


def component_of(source: JobSource, job: Answer) -> Answer:
    """Make the DescribeTrialComponent answer that stands for a job; times as the job's own.

    Parameters
    ----------
    source
        Its kind.
    job
        Its Search record.
    """
    name = source.component_name(job)
    shown = job.get("ExperimentConfig", {}).get("TrialComponentDisplayName")
    parameters = list(source.parameters(job).items())[:PARAMETERS]
    return {
        "TrialComponentName": name,
        "DisplayName": shown or name,
        "Source": {"SourceArn": job[f"{source.noun}Arn"], "SourceType": source.source_type},
        "CreationTime": job["CreationTime"],
        "Parameters": dict(parameters),
        "InputArtifacts": _artifacts(source.inputs(job)),
        "Metrics": [],
        **progress_of(source, job),
    }


def progress_of(source: JobSource, job: Answer) -> Answer:
    """Give the fields of a component that follow its job; the parameters are component_of's."""
    status = job[f"{source.noun}Status"]
    secondary, reason = job.get("SecondaryStatus", status), job.get("FailureReason", "")
    message = f"Status: {status}, secondary status: {secondary}, failure reason: {reason}."
    start, end = job.get(f"{source.times}StartTime"), job.get(f"{source.times}EndTime")
    progress = {
        "Status": {
            "PrimaryStatus": "Stopping" if status == "Deleting" else status,
            "Message": message[:MESSAGE_CHARACTERS],
        },
        "StartTime": start,
        "EndTime": end,
        "LastModifiedTime": job.get("LastModifiedTime"),
        "OutputArtifacts": _artifacts(source.outputs(job)),
    }
    return {key: value for key, value in progress.items() if value is not None}


def _artifacts(uris: dict[str, str | None]) -> Answer:
    found = [(name, {"Value": uri}) for name, uri in uris.items() if uri]
    return dict(found[:ARTIFACTS])


def _parameter(value: Json) -> dict[str, Json]:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return {"NumberValue": number}
    return {"StringValue": value[:PARAMETER_CHARACTERS]}


def _resources(config: Answer) -> Answer:
    fields = ("InstanceCount", "InstanceType", "VolumeSizeInGB")
    return {f"SageMaker.{field}": _parameter(config[field]) for field in fields if field in config}


def _training_parameters(job: Answer) -> Answer:
    image = job.get("AlgorithmSpecification", {}).get("TrainingImage")
    return {
        **({"SageMaker.ImageUri": {"StringValue": image}} if image else {}),
        **_resources(job.get("ResourceConfig", {})),
        **{name: _parameter(value) for name, value in job.get("HyperParameters", {}).items()},
    }


def _training_inputs(job: Answer) -> dict[str, str | None]:
    return {
        channel["ChannelName"]: channel.get("DataSource", {}).get("S3DataSource", {}).get("S3Uri")
        for channel in job.get("InputDataConfig", ())
    }


def _training_outputs(job: Answer) -> dict[str, str | None]:
    uri = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return {"SageMaker.ModelArtifact": uri}


def _processing_parameters(job: Answer) -> Answer:
    return {
        **_resources(job.get("ProcessingResources", {}).get("ClusterConfig", {})),
        **{name: {"StringValue": value} for name, value in job.get("Environment", {}).items()},
    }


def _processing_inputs(job: Answer) -> dict[str, str | None]:
    return {
        "SageMaker.ImageUri": job.get("AppSpecification", {}).get("ImageUri"),
        **{
            one["InputName"]: one.get("S3Input", {}).get("S3Uri")
            for one in job.get("ProcessingInputs", ())
        },
    }


def _processing_outputs(job: Answer) -> dict[str, str | None]:
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return {one["OutputName"]: one.get("S3Output", {}).get("S3Uri") for one in outputs}


def _transform_parameters(job: Answer) -> Answer:
    return {
        "SageMaker.ModelName": {"StringValue": job["ModelName"]},
        **_resources(job.get("TransformResources", {})),
    }


def _transform_inputs(job: Answer) -> dict[str, str | None]:
    source = job.get("TransformInput", {}).get("DataSource", {}).get("S3DataSource", {})
    return {"SageMaker.TransformInput": source.get("S3Uri")}


def _transform_outputs(job: Answer) -> dict[str, str | None]:
    return {"SageMaker.TransformOutput": job.get("TransformOutput", {}).get("S3OutputPath")}


JOB_SOURCES = {
    source.word: source
    for source in (
        JobSource(
            noun="TrainingJob",
            word="training-job",
            times="Training",
            parameters=_training_parameters,
            inputs=_training_inputs,
            outputs=_training_outputs,
        ),
        JobSource(
            noun="ProcessingJob",
            word="processing-job",
            times="Processing",
            parameters=_processing_parameters,
            inputs=_processing_inputs,
            outputs=_processing_outputs,
        ),
        JobSource(
            noun="TransformJob",
            word="transform-job",
            times="Transform",
            parameters=_transform_parameters,
            inputs=_transform_inputs,
            outputs=_transform_outputs,
        ),
    )
}

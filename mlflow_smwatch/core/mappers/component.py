"""The ``TrialComponent`` record of ``Search``, of a component that is no job's → job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlflow_smwatch.core.job import Channel, Job, SummaryMetric
from mlflow_smwatch.core.job_kinds import TRIAL_COMPONENT
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    described,
    experiment_in,
    moment_ms,
    number,
    part,
    parts,
    s3_uri,
    text,
    trials_in,
    whole,
    written,
)

_MODEL_ARTIFACT = "SageMaker.ModelArtifact"
"""What SageMaker calls the model among a component's output artifacts."""


def trial_component(answer: Answer) -> Job:
    """Make a job of what AWS said of a trial component; see :func:`.describe.job_of`.

    A component without a status is complete: whoever made it did not say otherwise.
    """
    status = text(answer, "Status", "PrimaryStatus") or "Completed"
    job = described(TRIAL_COMPONENT, answer, "TrialComponent", end="EndTime", status=status)
    trials, written_to = trials_in(answer), part(answer, "OutputArtifacts")
    uris = {name: uri for name in written_to if (uri := s3_uri(written_to, name, "Value"))}
    model = uris.pop(_MODEL_ARTIFACT, None)
    return replace(
        job,
        model_artifact=model if status in {"Completed", "Stopped"} else None,
        output=uris[min(uris)] if uris else None,
        title=text(answer, "DisplayName"),
        failure_reason=text(answer, "Status", "Message") if status == "Failed" else None,
        kinship=Kinship(
            experiment=experiment_in(answer),
            trial=trials[0] if trials else None,
            trials=trials,
            component=job.name,
            component_arn=str(job.arn),
        ),
        component_known=True,
        channels=tuple(_channels(part(answer, "InputArtifacts"))),
        params=tuple(_params(part(answer, "Parameters"))),
        summaries=_summaries(answer, job.modified_ms),
        lineage=_inputs(job, answer) + _outputs(job, answer),
    )


def _channels(artifacts: Answer) -> Iterator[Channel]:
    for name in sorted(artifacts):
        if uri := s3_uri(artifacts, name, "Value"):
            yield Channel(name=name, uri=uri)


def _params(parameters: Answer) -> Iterator[tuple[str, str]]:
    for name in sorted(parameters):
        value = number(parameters, name, "NumberValue")
        said = text(parameters, name, "StringValue") or ""
        yield name, said if value is None else written(value)


def _summaries(answer: Answer, modified_ms: int) -> tuple[SummaryMetric, ...]:
    """Read the summaries, of several of one name the latest."""
    latest: dict[str, SummaryMetric] = {}
    for entry in parts(answer, "Metrics"):
        if name := text(entry, "MetricName"):
            summary = _summary(name, entry, modified_ms)
            if name not in latest or summary.timestamp_ms >= latest[name].timestamp_ms:
                latest[name] = summary
    return tuple(latest[name] for name in sorted(latest))


def _summary(name: str, entry: Answer, modified_ms: int) -> SummaryMetric:
    timestamp_ms = moment_ms(entry, "TimeStamp")
    return SummaryMetric(
        name=name,
        timestamp_ms=modified_ms if timestamp_ms is None else timestamp_ms,
        count=whole(entry, "Count") or 0,
        last=number(entry, "Last"),
        minimum=number(entry, "Min"),
        maximum=number(entry, "Max"),
        average=number(entry, "Avg"),
        deviation=number(entry, "StdDev"),
    )


def _inputs(job: Job, answer: Answer) -> Lineage:
    lineage = Lineage()
    for kind, uri in _artifacts(part(answer, "InputArtifacts")):
        lineage += materials.read_by(job.arn, kind, uri)
    return lineage


def _outputs(job: Job, answer: Answer) -> Lineage:
    lineage = Lineage()
    for kind, uri in _artifacts(part(answer, "OutputArtifacts")):
        lineage += materials.written_by(job.arn, kind, uri)
    return lineage


def _artifacts(artifacts: Answer) -> Iterator[tuple[str, str]]:
    """Give kind and URI of those artifacts that are things in S3 or images."""
    for name in sorted(artifacts):
        value = text(artifacts, name, "Value") or ""
        if value.startswith("s3://"):
            yield materials.MODEL_DATA if name == _MODEL_ARTIFACT else materials.DATA, value
        elif value and materials.is_image(value, text(artifacts, name, "MediaType") or ""):
            yield materials.IMAGE, value

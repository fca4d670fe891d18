"""Job → its links into the AWS console, by the names of the tags that hold them."""

from __future__ import annotations

from mlflow_smwatch.core import console
from mlflow_smwatch.core.endpoint_series import graphed
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import AUTOML_JOB, TRAINING_JOB, TRIAL_COMPONENT
from mlflow_smwatch.core.job_series import algorithm_series, steady_series
from mlflow_smwatch.core.reports import report_uris

_GRAPH_SERIES = 20
_GRAPH_URL_LIMIT = 4000  # leaves the note, which holds all links, within a tag
_RUNNING_GRAPH_MS = 24 * 60 * 60 * 1000
_WITH_FOLDERS = (TRAINING_JOB, AUTOML_JOB)
"""Kinds whose jobs write to a folder of their name under the output path."""


def links(job: Job) -> dict[str, str]:
    """Link to the pages of a job: those that its kind has, where the partition has a console.

    Returns
    -------
    dict of str to str
        Tag → address.
    """
    partition, region = job.arn.partition, job.arn.region
    addresses = {
        "sagemaker.console_url": console.job_url(job.arn.beside(job.arn.resource_type, job.name)),
        "sagemaker.logs_url": _logs_url(job),
        "sagemaker.metrics_url": _metrics_url(job),
        "sagemaker.best_training_job_url": _best_child_url(job),
        "sagemaker.model_artifact_url": console.s3_url(partition, region, job.model_artifact or ""),
    }
    return {tag: url for tag, url in addresses.items() if url}


def output_url(job: Job) -> str:
    """Link to the S3 folder that a job writes to; an empty string where it has none.

    Of a trial component it is the first of its output artifacts, as it stands.
    """
    if not job.output:
        return ""
    if job.kind is TRIAL_COMPONENT:
        return console.s3_url(job.arn.partition, job.arn.region, job.output)
    folder = f"{job.output.rstrip('/')}/"
    if job.kind in _WITH_FOLDERS:
        folder += f"{job.name}/"
    return console.s3_url(job.arn.partition, job.arn.region, folder)


def report_urls(job: Job) -> dict[str, str]:
    """Link to the reports of a job.

    Returns
    -------
    dict of str to str
        What they are called → address.
    """
    place = job.arn.partition, job.arn.region
    found = {title: console.s3_url(*place, uri) for title, uri in report_uris(job).items()}
    return {title: url for title, url in found.items() if url}


def _best_child_url(job: Job) -> str:
    name = dict(job.facts).get("best_training_job")
    return console.job_url(job.arn.beside(TRAINING_JOB.resource_type, name)) if name else ""


def _logs_url(job: Job) -> str:
    if not job.log_group:
        return ""
    return console.log_group_url(
        job.arn.partition, job.arn.region, job.log_group, job.stream_prefix or None
    )


def _metrics_url(job: Job) -> str:
    """Link to a graph of the job's first series: as many as make an address of legal length."""
    series = list(
        dict.fromkeys(
            (each.namespace, each.metric_name, each.dimensions)
            for each in (*algorithm_series(job), *graphed(steady_series(job)))
        )
    )
    end_ms = job.ended_ms or job.created_ms + _RUNNING_GRAPH_MS
    for count in range(min(len(series), _GRAPH_SERIES), 0, -1):
        url = console.metrics_url(
            job.arn.partition, job.arn.region, series[:count], job.created_ms, end_ms, 60
        )
        if len(url) <= _GRAPH_URL_LIMIT:
            return url
    return ""

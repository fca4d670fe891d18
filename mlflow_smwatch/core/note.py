"""Job → the Markdown note of its run: one sentence, and one line of links."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.links import output_url
from mlflow_smwatch.core.visible import visible

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")
_ADDRESS = re.compile(r"([\\`\[\]])")
_TITLES = (
    ("Log streams", "sagemaker.logs_url"),
    ("CloudWatch metrics", "sagemaker.metrics_url"),
    ("Best training job", "sagemaker.best_training_job_url"),
    ("Model artifact", "sagemaker.model_artifact_url"),
)


def note_of(job: Job, links: Mapping[str, str]) -> str:
    """Describe a job in a few words, with its links.

    The note is written once, when the run is made. A running job's model is not there by then: so
    its output folder is linked.

    Parameters
    ----------
    job
        The job.
    links
        Tag → address.
    """
    thing = "Job" if job.kind.word.endswith("-job") else job.kind.noun.capitalize()
    shown = [(f"{thing} in the SageMaker console", links.get("sagemaker.console_url"))]
    shown += [(title, links.get(tag)) for title, tag in _TITLES]
    if not job.model_artifact:
        shown.append(("Output folder", output_url(job)))
    # One line of links: MLflow's page folds a longer description away.
    line = " · ".join(_link(title, url) for title, url in shown if url)
    summary = _summary(job)
    return legal_value(f"{summary}\n\n{line}" if line else summary, TAG_VALUE_LIMIT)


def harmless(text: str) -> str:
    """Take from a text of several lines what Markdown would load, link or run.

    Parameters
    ----------
    text
        What somebody wrote in AWS, where it is no Markdown.

    Returns
    -------
    str
        Markdown that reads like the text: emphasis and lists may show, links and images do not.
    """
    lines = (visible(line.expandtabs()) for line in text.splitlines())
    return html.escape(_ADDRESS.sub(r"\\\1", "\n".join(lines)), quote=False)


def _summary(job: Job) -> str:
    name = job.title or job.name
    words = [f"SageMaker {job.kind.noun} **{_escaped(name)}**"]
    if job.instance_type or job.kind.instance_metrics:
        hosts = f"{job.instance_count or 1} × {job.instance_type or 'serverless'}"
        words.append(f"on {_escaped(hosts)}")
    words.append(f"in {_escaped(job.arn.region)}")
    return f"{' '.join(words)}."


def _link(title: str, url: str) -> str:
    """Write a Markdown link; an address with brackets needs others around it."""
    return f"[{title}](<{url}>)" if "(" in url else f"[{title}]({url})"


def _escaped(text: str) -> str:
    """Write a text on one line, with what Markdown and HTML would read escaped.

    MLflow's Markdown takes ``<`` as an entity only.
    """
    line = visible(" ".join(text.splitlines()))
    return html.escape(_MARKDOWN.sub(r"\\\1", line), quote=False)

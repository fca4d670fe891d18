"""Job → the Markdown note of its run: one sentence, and one line of links."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.links import output_url, report_urls
from mlflow_smwatch.core.reports import rules_in_words
from mlflow_smwatch.core.visible import visible

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")
_ADDRESS = re.compile(r"([\\`\[\]])")
_SOURCE_LOGS = re.compile(r"source\.(.+)\.logs_url")
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
    shown += _of_sources(job)
    if not job.model_artifact:
        shown.append(("Output folder", output_url(job)))
    shown += [(escaped(title), url) for title, url in report_urls(job).items()]
    # One line of links: MLflow's page folds a longer description away.
    line = " · ".join(markdown_link(title, url) for title, url in shown if url)
    summary = _summary(job)
    return legal_value(f"{summary}\n\n{line}" if line else summary, TAG_VALUE_LIMIT)


def _of_sources(job: Job) -> list[tuple[str, str | None]]:
    """Give the links to the log groups of what the user attached, one for each."""
    named = ((_SOURCE_LOGS.fullmatch(name), value) for name, value in job.facts)
    return [(f"Logs of {escaped(found[1])}", value) for found, value in named if found]


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
    words = [f"SageMaker {job.kind.noun} **{escaped(name)}**"]
    if job.instance_type or job.kind.instance_metrics:
        hosts = f"{job.instance_count or 1} × {job.instance_type or 'serverless'}"
        words.append(f"on {escaped(hosts)}")
    words.append(f"in {escaped(job.arn.region)}")
    rules = rules_in_words(job)
    return f"{' '.join(words)}." + (f" {escaped(rules)}." if rules else "")


def markdown_link(title: str, url: str) -> str:
    """Write a Markdown link; an address with brackets needs others around it."""
    return f"[{title}](<{url}>)" if "(" in url else f"[{title}]({url})"


def escaped(text: str) -> str:
    """Write a text on one line, with what Markdown and HTML would read escaped.

    MLflow's Markdown takes ``<`` as an entity only.
    """
    line = visible(" ".join(text.splitlines()))
    return html.escape(_MARKDOWN.sub(r"\\\1", line), quote=False)

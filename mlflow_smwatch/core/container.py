"""What a SageMaker container says of its job → the tags of a run that is started in it.

Sources: of training jobs, `aws/sagemaker-training-toolkit`, ``ENVIRONMENT_VARIABLES.md`` and the
developer guide, "How Amazon SageMaker AI Provides Training Information" (``resourceconfig.json``);
of processing jobs, the developer guide, "How Amazon SageMaker Processing Provides Configuration to
Your Processing Container"; of all, where `aws/sagemaker-python-sdk` finds the ARN
(``sagemaker/experiments/_environment.py``). A processing container has no variable of its own that
is documented: the file tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import (
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    JobKind,
    kind_of,
)
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value

PROCESSING_CONFIG = "config/processingjobconfig.json"
PROCESSING_HOSTS = "config/resourceconfig.json"
TRAINING_HOSTS = "input/config/resourceconfig.json"
"""Files of a container, below ``/opt/ml``."""

Read = Callable[[str], str | None]
"""One of these paths → the file's text, None where there is no such file."""


def container_tags(environment: Mapping[str, str], read: Read) -> dict[str, str] | None:
    """Say of which job, and on which of its hosts, a run is started.

    Parameters
    ----------
    environment
        The process's environment variables.
    read
        Gives the container's files; each is asked for once at most.

    Returns
    -------
    dict[str, str] or None
        ``sagemaker.arn``, ``.kind``, ``.name``, ``.region`` and, where it is known, ``.host``. None
        outside of a container, and where the ARN is not known for certain.
    """
    processing = read(PROCESSING_CONFIG)
    if processing is not None:
        job = _object(processing)
        arn, name = job.get("ProcessingJobArn"), job.get("ProcessingJobName")
        host = _host(environment, read, PROCESSING_HOSTS)
        return _tags(PROCESSING_JOB, arn, name, host)
    if "TRAINING_JOB_ARN" in environment:
        arn, name = environment["TRAINING_JOB_ARN"], environment.get("TRAINING_JOB_NAME")
        return _tags(TRAINING_JOB, arn, name, _host(environment, read, TRAINING_HOSTS))
    return _tags(TRANSFORM_JOB, environment.get("TRANSFORM_JOB_ARN"), None, None)


def _tags(kind: JobKind, arn: object, name: object, host: str | None) -> dict[str, str] | None:
    """Make the tags; None where the ARN is none of a job of this kind and name.

    An ARN may hold the name in small letters.
    """
    try:
        parsed = Arn.parse(arn) if isinstance(arn, str) else None
    except UsageError:
        return None
    if parsed is None or kind_of(parsed) is not kind or not parsed.region or not parsed.account:
        return None
    named = name if isinstance(name, str) and name else parsed.resource_name
    if named.lower() != parsed.resource_name.lower():
        return None
    said = {
        names.ARN: str(parsed),
        names.KIND: kind.word,
        names.NAME: named,
        names.REGION: parsed.region,
        names.HOST: host,
    }
    return {key: legal_value(value, TAG_VALUE_LIMIT) for key, value in said.items() if value}


def _host(environment: Mapping[str, str], read: Read, path: str) -> str | None:
    """Name the host: as the toolkit says, which not every image has, else as its file does."""
    toolkit = environment.get("SM_CURRENT_HOST")
    said = toolkit or _current_host(environment.get("SM_TRAINING_ENV"))
    return said or _current_host(read(path))


def _current_host(text: str | None) -> str | None:
    host = _object(text or "").get("current_host")
    return host if isinstance(host, str) else None


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object; an empty one where the text is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

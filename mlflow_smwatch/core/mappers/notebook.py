"""``DescribeNotebookInstance`` → job."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import NOTEBOOK_INSTANCE
from mlflow_smwatch.core.mappers.answers import Answer, described, present, text, whole


def notebook_instance(answer: Answer) -> Job:
    """Make a job of what AWS said of a notebook instance; see :func:`.describe.job_of`.

    An update may change all of it but its name: so these are facts, no params. Its URL takes a
    login; the presigned one, which takes none, is never asked for.
    """
    job = described(NOTEBOOK_INSTANCE, answer, "NotebookInstance")
    kind = text(answer, "InstanceType")
    return replace(
        job,
        instance_type=kind,
        instance_count=1 if kind else None,
        facts=present(
            ("notebook_url", text(answer, "Url")),
            ("lifecycle_config", text(answer, "NotebookInstanceLifecycleConfigName")),
            ("code_repository", text(answer, "DefaultCodeRepository")),
            ("platform", text(answer, "PlatformIdentifier")),
            ("volume_size_gb", whole(answer, "VolumeSizeInGB")),
        ),
    )

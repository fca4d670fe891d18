"""Names of the tags that code reads or writes by name; ``docs/mapping.md`` lists all."""

from __future__ import annotations

ARN = "sagemaker.arn"
CREATED = "sagemaker.created"
KIND = "sagemaker.kind"
NAME = "sagemaker.name"
REGION = "sagemaker.region"
HOST = "sagemaker.host"
"""Host on which a job's own script started its run; the mirror never writes it."""
ACCOUNT = "sagemaker.account"
TRIALS = "sagemaker.trials"
IMAGE = "sagemaker.image"
ROLE = "sagemaker.role_arn"
PIPELINE_EXECUTION = "sagemaker.pipeline_execution"
STEP_JOBS = "sagemaker.jobs"
MODEL_ARTIFACT = "sagemaker.model_artifact"
LOG_STREAMS = "sagemaker.log_streams"
COST_BASIS = "sagemaker.cost_basis"
"""No fact of AWS's: it is written with the cost, and stays with it."""
VERSION = "smwatch.version"
SYNCED_AT = "smwatch.synced_at"
FINAL = "smwatch.final"
METRIC_SOURCE = "smwatch.metric_source"
DEPLOYMENTS = "sagemaker.deployments"
"""How many deployments an endpoint has had, as far as the mirror saw them."""
DEPLOYMENT_PREFIX = "sagemaker.deployment."
WARNING = "smwatch.warning"
DUPLICATE_OF = "smwatch.duplicate_of"
SEAL = "smwatch.seal"
REPORTS = "smwatch.reports"
"""How many reports were copied, once they are."""
GONE = "smwatch.gone"
"""When the mirror found that AWS no longer knows the job."""
FORGOTTEN = "smwatch.forgotten"
"""When the user removed what a run held; on deleted runs, and on those that come back."""
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
EXPERIMENT_KIND = "mlflow.experimentKind"
LINEAGE = "smwatch.lineage"
METRICS_URL = "sagemaker.metrics_url"

FACTS = frozenset(
    {
        ARN,
        CREATED,
        KIND,
        NAME,
        REGION,
        "sagemaker.account",
        "sagemaker.algorithm",
        "sagemaker.automl_job",
        "sagemaker.best_candidate",
        "sagemaker.best_objective",
        "sagemaker.best_training_job",
        "sagemaker.best_training_job_url",
        "sagemaker.billable_seconds",
        "sagemaker.candidate",
        "sagemaker.checkpoint",
        "sagemaker.code_repository",
        "sagemaker.console_url",
        DEPLOYMENTS,
        "sagemaker.endpoint",
        "sagemaker.endpoint_config",
        "sagemaker.experiment",
        "sagemaker.failure_reason",
        "sagemaker.image",
        "sagemaker.instance_count",
        "sagemaker.instance_type",
        "sagemaker.lifecycle_config",
        "sagemaker.log_group",
        "sagemaker.logs_url",
        METRICS_URL,
        "sagemaker.model",
        "sagemaker.model_artifact",
        "sagemaker.model_artifact_url",
        "sagemaker.monitoring_schedule",
        "sagemaker.monitoring_status",
        "sagemaker.monitoring_type",
        "sagemaker.notebook_url",
        "sagemaker.output",
        "sagemaker.pipeline",
        "sagemaker.profiling_status",
        "sagemaker.platform",
        PIPELINE_EXECUTION,
        ROLE,
        STEP_JOBS,
        "sagemaker.secondary_status",
        "sagemaker.spot",
        "sagemaker.status",
        "sagemaker.tensorboard",
        "sagemaker.trial",
        "sagemaker.trial_component",
        "sagemaker.trial_component_arn",
        "sagemaker.trials",
        "sagemaker.tuning_job",
        "sagemaker.volume_size_gb",
    }
)
"""Tags of the mirror's own that go once the job no longer has the fact."""

PASSING = (WARNING, FINAL, GONE, FORGOTTEN)
"""Notes that go when a pass writes a run and has no reason to make them anew."""

RESOURCE_TAG_PREFIX = "sagemaker.tag."
SOURCE_PREFIX = "sagemaker.source."
"""Beginning of the tags that name what the user attaches to a job."""
ALARM_PREFIX = "sagemaker.alarm."
"""Beginning of the tags that show CloudWatch's alarms."""
FACT_PREFIXES = (
    RESOURCE_TAG_PREFIX,
    "sagemaker.sdk.",
    "sagemaker.training_jobs.",
    "sagemaker.objectives.",
    "sagemaker.variant.",
    "sagemaker.rule.",
    "sagemaker.report.",
    SOURCE_PREFIX,
    DEPLOYMENT_PREFIX,
    LINEAGE,
)
"""Beginnings of further such tags: resource tags, settings of the SDK, lineage and its parts."""


def is_fact(key: str) -> bool:
    """Whether the mirror writes a tag of this name from what AWS says of a job and its parent."""
    return key in FACTS or key.startswith(FACT_PREFIXES)

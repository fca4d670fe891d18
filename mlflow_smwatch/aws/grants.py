"""The IAM actions that the mirror needs: one table, a row for each AWS operation.

What AWS lets a policy narrow is from the Service Authorization Reference (Amazon SageMaker, Amazon
CloudWatch, CloudWatch Logs, Amazon SQS, Amazon S3); an operation without resources there takes
``*`` alone. Of CloudWatch Logs, "Actions, resources, and condition keys" says that the ARN of a log
group ends with ``:*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlflow_smwatch.aws import operations as op
from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.core.dashboard_names import DASHBOARDS
from mlflow_smwatch.core.job_files import parts_of
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    KINDS,
    NOTEBOOK_INSTANCE,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL,
    TRIAL_COMPONENT,
    TUNING_JOB,
    JobKind,
)
from mlflow_smwatch.core.policy import ANY, queue_name
from mlflow_smwatch.core.report_files import VIOLATION_FILES
from mlflow_smwatch.core.shown_paths import LOGS, MODEL, OUTPUT

ANY_OBJECT = "s3:*/*"


_Test = Callable[[Needs], bool]
_Resources = Callable[[Needs], tuple[str, ...]]
_Conditions = Callable[[Needs], tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """When an operation is called, and of what.

    Attributes
    ----------
    operation
        The operation.
    sid
        Purpose of its statement.
    needed
        Whether it is called, for what the user wants.
    resources
        What its statement may be narrowed to: service and resource, such as
        ``sagemaker:training-job/*``.
    only
        What its statement may be narrowed to besides: condition key and value.
    """

    operation: str
    sid: str
    needed: _Test
    resources: _Resources
    only: _Conditions = lambda _: ()

    @property
    def action(self) -> str:
        """The IAM action that allows it."""
        return op.permission(self.operation)


_JOBS = (TRAINING_JOB, PROCESSING_JOB, TRANSFORM_JOB)
_WITH_TRIALS = (*_JOBS, TRIAL, TRIAL_COMPONENT)
_MEASURED = tuple(kind for kind in KINDS.values() if kind.namespace)
_IN_S3 = tuple(kind for kind in KINDS.values() if {MODEL, OUTPUT} & set(parts_of(kind)))
_WITH_REPORTS = (TRAINING_JOB, PROCESSING_JOB, AUTOML_JOB)
_WITH_LOGS = tuple(kind for kind in KINDS.values() if LOGS in parts_of(kind))


def _for(*kinds: JobKind, unsearched: tuple[JobKind, ...] = ()) -> _Test:
    """Say for which kinds it is called, and for which more where ``Search`` may not be."""
    return lambda needs: needs.has(kinds) or (not needs.search and needs.has(unsearched))


def _searches(needs: Needs) -> bool:
    return needs.search and (needs.register or needs.has((*_WITH_TRIALS, PIPELINE_EXECUTION)))


def _describes_packages(needs: Needs) -> bool:
    return needs.register or needs.has((TRANSFORM_JOB, ENDPOINT))


def _with_metrics(*kinds: JobKind) -> _Test:
    return lambda needs: needs.metrics != "off" and needs.has(kinds)


def _reads_metrics(needs: Needs) -> bool:
    measured = needs.attached_series or needs.has((*_MEASURED, ENDPOINT))
    return needs.metrics != "off" and measured


def has_queue(needs: Needs) -> bool:
    """Whether a queue drives a watch."""
    return needs.queue_url is not None


def _publishes(needs: Needs) -> bool:
    return needs.publish is not None


def _published_namespace(needs: Needs) -> tuple[tuple[str, str], ...]:
    return (("cloudwatch:namespace", needs.publish or ""),)


def _shows_objects(needs: Needs) -> bool:
    return needs.overlay and needs.has(_IN_S3)


def _lists_objects(needs: Needs) -> bool:
    return _shows_objects(needs) or (needs.copies and needs.has(_WITH_REPORTS))


def _counts_violations(needs: Needs) -> bool:
    return needs.metrics != "off" and needs.has((PROCESSING_JOB,))


def _reads_objects(needs: Needs) -> bool:
    return _lists_objects(needs) or _counts_violations(needs)


def _objects_read(needs: Needs) -> tuple[str, ...]:
    """Say which objects are read: without overlay and copies, lists of violations alone."""
    return (ANY_OBJECT,) if _lists_objects(needs) else tuple(f"s3:*/*{n}" for n in VIOLATION_FILES)


def _groups_read(needs: Needs) -> tuple[str, ...]:
    """Say whose logs are read: training jobs' for their metrics, all for the overlay.

    Besides, those that the user attaches.
    """
    replays = needs.metrics in {"auto", "logs"}
    kinds = _WITH_LOGS if needs.overlay else (TRAINING_JOB,) if replays else ()
    attached = needs.attached_groups if needs.metrics != "off" else ()
    own = (f"logs:log-group:{group}:*" for group in attached)
    return tuple(sorted({*_log_groups(needs, kinds), *own}))


def _groups_listed(needs: Needs) -> tuple[str, ...]:
    """Say whose streams are listed: those that are read; transform jobs have no other hosts."""
    return tuple(sorted({*_groups_read(needs), *_log_groups(needs, (TRANSFORM_JOB,))}))


def _log_groups(needs: Needs, kinds: Iterable[JobKind]) -> tuple[str, ...]:
    groups = (_groups_of(kind) for kind in kinds if kind.word in needs.kinds)
    return tuple(sorted(f"logs:log-group:{group}:*" for group in groups))


def _groups_of(kind: JobKind) -> str:
    return f"{kind.log_group}/*" if kind.has_own_log_group else f"{kind.log_group}"


def _tagged(needs: Needs) -> tuple[str, ...]:
    """Say whose tags are listed: those of what is described."""
    kinds = [kind for kind in KINDS.values() if kind.word in needs.kinds]
    if TRIAL_COMPONENT in kinds:  # its job is described
        kinds += _JOBS
    types = {kind.resource_type for kind in kinds}
    if not needs.search and needs.has(_WITH_TRIALS):
        types.add("experiment")
    return tuple(sorted(f"sagemaker:{each}/*" for each in types))


def _of(*resources: str) -> _Resources:
    return lambda _: resources


_ANY = _of(ANY)


def _queue(needs: Needs) -> tuple[str, ...]:
    return (f"sqs:{queue_name(needs.queue_url or '').name}",)


def _find(operation: str, needed: _Test) -> Grant:
    return Grant(operation=operation, sid="FindJobs", needed=needed, resources=_ANY)


def _describe(operation: str, resource: str, needed: _Test) -> Grant:
    resources = _of(f"sagemaker:{resource}/*")
    return Grant(operation=operation, sid="DescribeJobs", needed=needed, resources=resources)


def _lineage(operation: str, resource: str | None = None) -> Grant:
    if resource is None:
        return Grant(operation=operation, sid="FindLineage", needed=lambda _: True, resources=_ANY)
    resources = _of(f"sagemaker:{resource}/*")
    return Grant(
        operation=operation, sid="DescribeLineage", needed=lambda _: True, resources=resources
    )


def _take_messages(operation: str) -> Grant:
    return Grant(operation=operation, sid="ReadQueue", needed=has_queue, resources=_queue)


def _objects(operation: str, needed: _Test, resources: _Resources) -> Grant:
    return Grant(operation=operation, sid="ReadObjects", needed=needed, resources=resources)


def _dashboards(operation: str) -> Grant:
    resources = _of(f"cloudwatch:dashboard/{DASHBOARDS}*")
    return Grant(operation=operation, sid="MakeDashboards", needed=_publishes, resources=resources)


def _alarms(operation: str) -> Grant:
    """Make the row of what tells of alarms; of composite ones it does only without a limit."""
    return Grant(
        operation=operation, sid="ReadAlarms", needed=lambda needs: needs.alarms, resources=_ANY
    )


def _free(operation: str) -> Grant:
    """Make the row of what needs no permission of the role."""
    return Grant(operation=operation, sid="", needed=lambda _: False, resources=_ANY)


GRANTS: tuple[Grant, ...] = (
    _find(op.SEARCH, _searches),
    _find(op.LIST_TRAINING_JOBS, _for(unsearched=(TRAINING_JOB,))),
    _find(op.LIST_PROCESSING_JOBS, _for(PROCESSING_JOB)),
    _find(op.LIST_TRANSFORM_JOBS, _for(TRANSFORM_JOB)),
    _find(op.LIST_TUNING_JOBS, _for(TUNING_JOB)),
    _find(op.LIST_AUTOML_JOBS, _for(AUTOML_JOB)),
    _find(op.LIST_CANDIDATES, _for(TRAINING_JOB, AUTOML_JOB)),
    _find(op.LIST_ENDPOINTS, _for(ENDPOINT)),
    _find(op.LIST_INFERENCE_COMPONENTS, _for(ENDPOINT)),
    _find(op.LIST_NOTEBOOK_INSTANCES, _for(NOTEBOOK_INSTANCE)),
    _find(op.LIST_TRIALS, _for(TRIAL, TRIAL_COMPONENT, unsearched=_JOBS)),
    _find(op.LIST_TRIAL_COMPONENTS, _for(unsearched=_WITH_TRIALS)),
    _find(op.LIST_PIPELINES, _for(PIPELINE_EXECUTION)),
    _describe(op.DESCRIBE_TRAINING_JOB, "training-job", _for(TRAINING_JOB, TRIAL_COMPONENT)),
    _describe(op.DESCRIBE_PROCESSING_JOB, "processing-job", _for(PROCESSING_JOB, TRIAL_COMPONENT)),
    _describe(op.DESCRIBE_TRANSFORM_JOB, "transform-job", _for(TRANSFORM_JOB, TRIAL_COMPONENT)),
    _describe(op.DESCRIBE_TUNING_JOB, "hyper-parameter-tuning-job", _for(TUNING_JOB)),
    _describe(
        op.LIST_TUNING_CHILDREN, "hyper-parameter-tuning-job", _for(TRAINING_JOB, TUNING_JOB)
    ),
    _describe(op.DESCRIBE_AUTOML_JOB, "automl-job", _for(AUTOML_JOB)),
    _describe(op.DESCRIBE_ENDPOINT, "endpoint", _for(ENDPOINT)),
    _describe(op.DESCRIBE_ENDPOINT_CONFIG, "endpoint-config", _for(ENDPOINT)),
    _describe(op.DESCRIBE_INFERENCE_COMPONENT, "inference-component", _for(ENDPOINT)),
    _describe(op.DESCRIBE_NOTEBOOK_INSTANCE, "notebook-instance", _for(NOTEBOOK_INSTANCE)),
    _describe(op.DESCRIBE_MODEL, "model", _for(TRANSFORM_JOB, ENDPOINT)),
    _describe(op.DESCRIBE_MODEL_PACKAGE, "model-package", _describes_packages),
    _describe(op.DESCRIBE_MONITORING_SCHEDULE, "monitoring-schedule", _for(PROCESSING_JOB)),
    _describe(op.DESCRIBE_TRIAL, "experiment-trial", _for(*_WITH_TRIALS)),
    _describe(op.DESCRIBE_TRIAL_COMPONENT, "experiment-trial-component", _for(TRIAL_COMPONENT)),
    _describe(op.DESCRIBE_EXPERIMENT, "experiment", _for(unsearched=_WITH_TRIALS)),
    _describe(op.DESCRIBE_PIPELINE_EXECUTION, "pipeline", _for(PIPELINE_EXECUTION)),
    _describe(op.LIST_PIPELINE_EXECUTIONS, "pipeline", _for(unsearched=(PIPELINE_EXECUTION,))),
    _describe(op.LIST_PIPELINE_STEPS, "pipeline", _for(PIPELINE_EXECUTION)),
    _describe(op.LIST_PIPELINE_PARAMETERS, "pipeline", _for(PIPELINE_EXECUTION)),
    Grant(operation=op.LIST_TAGS, sid="ReadTags", needed=lambda _: True, resources=_tagged),
    Grant(
        operation=op.GET_METRIC_DATA,
        sid="ReadMetrics",
        needed=_reads_metrics,
        resources=_ANY,
    ),
    Grant(
        operation=op.LIST_METRICS,
        sid="ListEndpointMetrics",
        needed=_with_metrics(ENDPOINT),
        resources=_ANY,
    ),
    Grant(
        operation=op.BATCH_GET_METRICS,
        sid="ReadComponentMetrics",
        needed=_with_metrics(TRIAL_COMPONENT),
        resources=_of("sagemaker:experiment-trial-component/*", "sagemaker:training-job/*"),
    ),
    Grant(
        operation=op.DESCRIBE_LOG_STREAMS,
        sid="ListLogStreams",
        needed=lambda needs: bool(_groups_listed(needs)),
        resources=_groups_listed,
    ),
    Grant(
        operation=op.GET_LOG_EVENTS,
        sid="ReadLogs",
        needed=lambda needs: bool(_groups_read(needs)),
        resources=_groups_read,
    ),
    _alarms(op.DESCRIBE_ALARMS),
    _alarms(op.DESCRIBE_ALARM_HISTORY),
    _lineage(op.LIST_ASSOCIATIONS),
    _lineage(op.LIST_ARTIFACTS),
    _lineage(op.LIST_CONTEXTS),
    _lineage(op.DESCRIBE_ARTIFACT, "artifact"),
    _lineage(op.DESCRIBE_CONTEXT, "context"),
    _objects(op.LIST_OBJECTS, _lists_objects, _of("s3:*")),
    _objects(op.HEAD_OBJECT, _shows_objects, _of(ANY_OBJECT)),
    _objects(op.GET_OBJECT, _reads_objects, _objects_read),
    _take_messages(op.RECEIVE_MESSAGE),
    _take_messages(op.DELETE_MESSAGES),
    _take_messages(op.CHANGE_VISIBILITY),
    _take_messages(op.GET_QUEUE_ATTRIBUTES),
    Grant(
        operation=op.GET_PRODUCTS,
        sid="ReadPrices",
        needed=lambda needs: needs.asks_prices,
        resources=_ANY,
    ),
    Grant(
        operation=op.PUT_METRIC_DATA,
        sid="PublishMetrics",
        needed=_publishes,
        resources=_ANY,
        only=_published_namespace,
    ),
    _dashboards(op.GET_DASHBOARD),
    _dashboards(op.PUT_DASHBOARD),
    Grant(
        operation=op.PUBLISH,
        sid="TellOfAlarms",
        needed=lambda needs: bool(needs.topics),
        resources=lambda needs: needs.topics,
    ),
    _free(op.GET_CALLER_IDENTITY),
    _free(op.ASSUME_ROLE),
)
"""A row for each operation, in the order in which they stand in a policy.

A job may be asked for by a name that ``Search`` does not know yet, by an event or at the command
line: hence the ``Describe`` operations, and ``ListTags`` after them.
"""

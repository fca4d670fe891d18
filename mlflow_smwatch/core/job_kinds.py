"""The table of job kinds: what differs between them is a column here, not an ``if`` elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.core.arn import Arn

_JOB_STATUSES = (
    ("InProgress", "RUNNING"),
    ("Stopping", "RUNNING"),
    ("Completed", "FINISHED"),
    ("Failed", "FAILED"),
    ("Stopped", "KILLED"),
)
_JOB_ENDS = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of what SageMaker runs, or groups.

    Attributes
    ----------
    word
        Its name in ``--kinds`` and in the tag ``sagemaker.kind``.
    resource_type
        First word of its ARN's resource.
    experiment
        The MLflow experiment of those that have no SageMaker experiment.
    run_status
        SageMaker status → MLflow run status.
    end_states
        Statuses after which nothing runs any more.
    waiting_phases
        Secondary statuses in which a job in progress does not compute yet.
    launch_phases
        Secondary statuses with which hosts are started, or started again.
    namespace
        CloudWatch namespace of its metrics ("Amazon SageMaker AI metrics in Amazon CloudWatch");
        None where it has none.
    instance_metrics
        CloudWatch names of its hosts' utilisation.
    name_dimension
        CloudWatch dimension that carries its name on algorithm metrics.
    log_group
        CloudWatch Logs group ("CloudWatch Logs for Amazon SageMaker AI"); None where it has none.
    has_own_log_group
        Whether each has a group of its own, ``<log_group>/<name>``, whose streams lack its name.
    hosts_in_streams
        Whether only the names of its log streams tell its hosts.
    event_type, event_arn
        EventBridge detail-type of its state changes, and the field of their detail that holds its
        ARN ("Events that Amazon SageMaker AI sends to Amazon EventBridge").
    state_from_children
        Whether its status and end are those of its children.
    endless
        Whether it goes on as long as AWS has it.
    asked_for
        Whether it is mirrored only where the user names the kind, or one of it by its ARN.
    """

    word: str
    resource_type: str
    experiment: str
    run_status: tuple[tuple[str, str], ...]
    end_states: frozenset[str]
    waiting_phases: frozenset[str] = frozenset()
    launch_phases: frozenset[str] = frozenset()
    namespace: str | None = None
    instance_metrics: frozenset[str] = frozenset()
    name_dimension: str | None = None
    log_group: str | None = None
    has_own_log_group: bool = False
    hosts_in_streams: bool = False
    event_type: str | None = None
    event_arn: str | None = None
    state_from_children: bool = False
    endless: bool = False
    asked_for: bool = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Pickle as a word, so that a kind is the same row of the table in every process."""
        return _row, (self.word,)

    @property
    def known_statuses(self) -> frozenset[str]:
        """The statuses that have an MLflow status."""
        return frozenset(status for status, _ in self.run_status)

    @property
    def noun(self) -> str:
        """Its name in a sentence, such as ``training job``."""
        return self.word.replace("-", " ").replace("automl", "AutoML")

    @property
    def with_article(self) -> str:
        """Its name with an article, such as ``an endpoint``."""
        return f"{'an' if self.noun[0] in 'aeiouA' else 'a'} {self.noun}"


_UTILISATION = frozenset(
    {
        "CPUUtilization",
        "MemoryUtilization",
        "DiskUtilization",
        "GPUUtilization",
        "GPUMemoryUtilization",
    }
)

TRAINING_JOB = JobKind(
    word="training-job",
    resource_type="training-job",
    experiment="sagemaker/training-jobs",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
    waiting_phases=frozenset(
        {
            "Starting",
            "Pending",
            "Downloading",
            "LaunchingMLInstances",
            "PreparingTrainingStack",
            "DownloadingTrainingImage",
        }
    ),
    launch_phases=frozenset({"Starting", "LaunchingMLInstances", "Interrupted", "Restarting"}),
    namespace="/aws/sagemaker/TrainingJobs",
    instance_metrics=_UTILISATION,
    name_dimension="TrainingJobName",
    log_group="/aws/sagemaker/TrainingJobs",
    event_type="SageMaker Training Job State Change",
    event_arn="TrainingJobArn",
)

PROCESSING_JOB = JobKind(
    word="processing-job",
    resource_type="processing-job",
    experiment="sagemaker/processing-jobs",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
    namespace="/aws/sagemaker/ProcessingJobs",
    instance_metrics=_UTILISATION,
    log_group="/aws/sagemaker/ProcessingJobs",
    event_type="SageMaker Processing Job State Change",
    event_arn="ProcessingJobArn",
)

TRANSFORM_JOB = JobKind(
    word="transform-job",
    resource_type="transform-job",
    experiment="sagemaker/transform-jobs",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
    namespace="/aws/sagemaker/TransformJobs",
    instance_metrics=_UTILISATION - {"DiskUtilization"},
    log_group="/aws/sagemaker/TransformJobs",
    hosts_in_streams=True,
    event_type="SageMaker Transform Job State Change",
    event_arn="TransformJobArn",
)

TUNING_JOB = JobKind(
    word="tuning-job",
    resource_type="hyper-parameter-tuning-job",
    experiment="sagemaker/tuning-jobs",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
    event_type="SageMaker HyperParameter Tuning Job State Change",
    event_arn="HyperParameterTuningJobArn",
)

AUTOML_JOB = JobKind(
    word="automl-job",
    resource_type="automl-job",
    experiment="sagemaker/automl-jobs",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
)

TRIAL = JobKind(
    word="trial",
    resource_type="experiment-trial",
    experiment="sagemaker/trials",
    run_status=(),
    end_states=frozenset(),
    state_from_children=True,
)

TRIAL_COMPONENT = JobKind(
    word="trial-component",
    resource_type="experiment-trial-component",
    experiment="sagemaker/trial-components",
    run_status=_JOB_STATUSES,
    end_states=_JOB_ENDS,
)

ENDPOINT = JobKind(
    word="endpoint",
    resource_type="endpoint",
    experiment="sagemaker/endpoints",
    run_status=(
        ("Creating", "SCHEDULED"),
        ("Failed", "FAILED"),
        *(
            (status, "RUNNING")
            for status in (
                "InService",
                "OutOfService",
                "Updating",
                "SystemUpdating",
                "RollingBack",
                "Deleting",
                "UpdateRollbackFailed",
            )
        ),
    ),
    end_states=frozenset(),
    log_group="/aws/sagemaker/Endpoints",
    has_own_log_group=True,
    event_type="SageMaker Endpoint State Change",
    event_arn="EndpointArn",
    endless=True,
)

NOTEBOOK_INSTANCE = JobKind(
    word="notebook-instance",
    resource_type="notebook-instance",
    experiment="sagemaker/notebook-instances",
    run_status=(
        ("Pending", "SCHEDULED"),
        ("Stopped", "FINISHED"),
        ("Failed", "FAILED"),
        *(
            (status, "RUNNING")
            for status in (
                "InService",
                "Stopping",
                "Deleting",
                "Updating",
                "PendingMaintenance",
                "InMaintenance",
            )
        ),
    ),
    end_states=frozenset(),
    log_group="/aws/sagemaker/NotebookInstances",
    event_type="SageMaker Notebook Instance State Change",
    event_arn="NotebookInstanceArn",
    endless=True,
    asked_for=True,
)

PIPELINE_EXECUTION = JobKind(
    word="pipeline-execution",
    resource_type="pipeline",
    experiment="sagemaker/pipelines",
    run_status=(
        ("Executing", "RUNNING"),
        ("Stopping", "RUNNING"),
        ("Succeeded", "FINISHED"),
        ("Failed", "FAILED"),
        ("CompletedWithFailures", "FAILED"),
        ("Stopped", "KILLED"),
    ),
    end_states=frozenset({"Succeeded", "Failed", "CompletedWithFailures", "Stopped"}),
    event_type="SageMaker Model Building Pipeline Execution Status Change",
    event_arn="pipelineExecutionArn",
)

KINDS: dict[str, JobKind] = {
    kind.word: kind
    for kind in (
        TRAINING_JOB,
        PROCESSING_JOB,
        TRANSFORM_JOB,
        TUNING_JOB,
        AUTOML_JOB,
        TRIAL,
        TRIAL_COMPONENT,
        ENDPOINT,
        PIPELINE_EXECUTION,
        NOTEBOOK_INSTANCE,
    )
}
"""Word → kind."""

USUAL_KINDS = tuple(word for word, kind in KINDS.items() if not kind.asked_for)
"""Words of the kinds that are mirrored where the user names none."""


def _row(word: str) -> JobKind:
    return KINDS[word]


_BY_RESOURCE_TYPE = {kind.resource_type: kind for kind in KINDS.values()}
_EXECUTION = "/execution/"


def kind_of(arn: Arn) -> JobKind | None:
    """Tell the kind of what an ARN names; None for what is not mirrored as a run."""
    if arn.service != "sagemaker":
        return None
    kind = _BY_RESOURCE_TYPE.get(arn.resource_type)
    is_pipeline = kind is PIPELINE_EXECUTION and _EXECUTION not in arn.resource
    return None if is_pipeline else kind


def name_in(arn: Arn) -> str:
    """Return the name of what an ARN names; a pipeline's execution goes by the last part."""
    return arn.resource_name.rpartition(_EXECUTION)[2]

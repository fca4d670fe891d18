"""The table of job kinds: what differs between them is a column here, not an ``if`` elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of SageMaker job.

    Attributes
    ----------
    word
        Its name in ``--kinds`` and in the tag ``sagemaker.kind``; also its ARN's resource type.
    experiment
        The MLflow experiment of jobs that have no SageMaker experiment.
    namespace
        CloudWatch namespace of its metrics ("Amazon SageMaker AI metrics in Amazon CloudWatch").
    name_dimension
        CloudWatch dimension that carries the job's name on algorithm metrics.
    log_group
        CloudWatch Logs group ("CloudWatch Logs for Amazon SageMaker AI").
    run_status
        SageMaker status → MLflow run status.
    end_states
        Statuses after which nothing runs any more.
    waiting_phases
        Secondary statuses in which a job in progress does not compute yet.
    launch_phases
        Secondary statuses with which hosts are started, or started again.
    event_type, event_arn
        EventBridge detail-type of its state changes, and the field of their detail that holds its
        ARN ("Events that Amazon SageMaker AI sends to Amazon EventBridge").
    """

    word: str
    experiment: str
    namespace: str
    name_dimension: str
    log_group: str
    run_status: tuple[tuple[str, str], ...]
    end_states: frozenset[str]
    waiting_phases: frozenset[str]
    launch_phases: frozenset[str]
    event_type: str
    event_arn: str

    @property
    def known_statuses(self) -> frozenset[str]:
        """The statuses that have an MLflow status."""
        return frozenset(status for status, _ in self.run_status)


TRAINING_JOB = JobKind(
    word="training-job",
    experiment="sagemaker/training-jobs",
    namespace="/aws/sagemaker/TrainingJobs",
    name_dimension="TrainingJobName",
    log_group="/aws/sagemaker/TrainingJobs",
    run_status=(
        ("InProgress", "RUNNING"),
        ("Stopping", "RUNNING"),
        ("Completed", "FINISHED"),
        ("Failed", "FAILED"),
        ("Stopped", "KILLED"),
    ),
    end_states=frozenset({"Completed", "Failed", "Stopped"}),
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
    event_type="SageMaker Training Job State Change",
    event_arn="TrainingJobArn",
)

KINDS: dict[str, JobKind] = {kind.word: kind for kind in (TRAINING_JOB,)}

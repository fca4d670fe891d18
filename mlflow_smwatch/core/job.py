"""What a SageMaker job is to this package: plain values, already redacted.

Enters: nothing. Leaves: the types that :mod:`.describe` fills and :mod:`.record` and :mod:`.series`
read. All times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.deployments import Deployment, Deployments
from mlflow_smwatch.core.job_kinds import JobKind
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.variants import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """One entry of ``AlgorithmSpecification.MetricDefinitions``.

    Attributes
    ----------
    name
        CloudWatch metric name, 1 to 255 characters.
    regex
        The pattern that SageMaker applies to each log line.
    """

    name: str
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherLogs:
    """Logs besides those of a job's hosts, and the metrics that are read from them.

    Attributes
    ----------
    source
        Who they are from.
    groups
        Names of log groups.
    streams
        Which of their streams: of each choice, the parts of a name between which anything may
        stand; a single part is a whole name.
    definitions
        The metrics; their names are keys.
    """

    source: str
    groups: tuple[str, ...]
    streams: tuple[tuple[str, ...], ...]
    definitions: tuple[MetricDefinition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalMetric:
    """One entry of ``FinalMetricDataList``.

    Attributes
    ----------
    name
        Metric name.
    value
        The last value that SageMaker saw, in single precision.
    timestamp_ms
        When it was seen.
    logged
        Whether SageMaker saw it in the job's log; False for what only the job's group tells.
    """

    name: str
    value: float
    timestamp_ms: int
    logged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One input channel that is read from S3.

    Attributes
    ----------
    name
        Channel name, such as ``train``.
    uri
        S3 URI of its data.
    """

    name: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One completed secondary status of a job.

    Attributes
    ----------
    status
        Secondary status, such as ``Downloading``.
    duration_ms
        How long the job was in it.
    """

    status: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a job's instances are billed for.

    Attributes
    ----------
    seconds
        Of each instance.
    instances
        Instance type and number, group by group.
    notes
        What is billed besides, in words.
    """

    seconds: float
    instances: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryMetric:
    """One entry of a trial component's ``Metrics`` (``DescribeTrialComponent``).

    Attributes
    ----------
    name
        Metric name.
    timestamp_ms
        When the last value was seen.
    count
        How many values the summary counts.
    last, minimum, maximum, average, deviation
        The summary; None where AWS does not give it.
    """

    name: str
    timestamp_ms: int
    count: int
    last: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    average: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One SageMaker job, or a group of jobs, as AWS describes it.

    Attributes
    ----------
    name
        What its kind's operations take for it; a pipeline's execution goes by the last part of its
        ARN.
    title
        What people call it, where that is not its name.
    status
        SageMaker's word; empty where it has none.
    created_ms, modified_ms
        CreationTime and LastModifiedTime.
    ended_ms
        When the job ended, None while it has not; of what is endless, since when it is gone.
    launched_ms
        When its hosts were last started, restarts included.
    restarted
        Whether its description tells that hosts were started again.
    hosts
        Names of its hosts, ``algo-1`` to ``algo-n``.
    billable_s
        BillableTimeInSeconds, per instance.
    usage
        What its instances are billed for, by the second; None where that is not told, or where they
        are paid in another way.
    model_artifact
        S3 URI of the model, only once it exists.
    hyperparameters, tags
        Name and value pairs, sorted by name.
    params
        Further name and value pairs that are shown as params.
    facts
        Further name and value pairs that are shown as tags, names without ``sagemaker.``.
    kinship
        Where it belongs.
    component_known
        Whether the answer tells its trial component and trials; other answers leave what the run
        says of them as it is.
    children
        ARNs of the jobs that belong to it, as far as its description names them.
    code
        S3 URI of its code.
    commit
        The git commit of its code.
    summaries
        Metrics of a trial component that is no job's.
    lineage
        What follows from its inputs and outputs.
    further
        CloudWatch series besides those of its hosts and of its algorithm.
    further_logs
        Logs besides those of its hosts that metrics are read from.
    remarks
        What of it cannot be mirrored as its user will want it, in words.
    variants
        Of an endpoint.
    deployed
        What an endpoint in service is made of; None where AWS does not say, or it changes.
    deployments
        All that are known, also those that only its run tells.
    document
        The whole AWS answer as JSON text, secrets redacted.
    """

    kind: JobKind
    arn: Arn
    name: str
    status: str
    created_ms: int
    modified_ms: int
    document: str
    title: str | None = None
    secondary_status: str | None = None
    ended_ms: int | None = None
    launched_ms: int | None = None
    restarted: bool = False
    failure_reason: str | None = None
    image: str | None = None
    algorithm: str | None = None
    role_arn: str | None = None
    instance_type: str | None = None
    instance_count: int | None = None
    hosts: tuple[str, ...] = ()
    billable_s: int | None = None
    usage: Usage | None = None
    spot: bool = False
    checkpoint: str | None = None
    tensorboard: str | None = None
    kinship: Kinship = field(default_factory=Kinship)
    component_known: bool = False
    children: tuple[str, ...] = ()
    model_artifact: str | None = None
    output: str | None = None
    own_run_id: str | None = None
    hyperparameters: tuple[tuple[str, str], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    code: str | None = None
    commit: str | None = None
    summaries: tuple[SummaryMetric, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    definitions: tuple[MetricDefinition, ...] = ()
    final_metrics: tuple[FinalMetric, ...] = ()
    channels: tuple[Channel, ...] = ()
    phases: tuple[Phase, ...] = ()
    further: tuple[Series, ...] = ()
    further_logs: tuple[FurtherLogs, ...] = ()
    remarks: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    deployed: Deployment | None = None
    deployments: Deployments = field(default_factory=Deployments)
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the job is in one of its kind's end states, or is endless and gone."""
        gone = self.kind.endless and self.ended_ms is not None
        return gone or self.status in self.kind.end_states

    @property
    def log_group(self) -> str:
        """Name of its CloudWatch Logs group; empty where its kind has none."""
        group = self.kind.log_group or ""
        return f"{group}/{self.name}" if self.kind.has_own_log_group else group

    @property
    def stream_prefix(self) -> str:
        """How the names of its log streams in that group begin."""
        return "" if self.kind.has_own_log_group else f"{self.name}/"

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of all algorithm metrics that the job may have, sorted, each once."""
        names = {definition.name for definition in self.definitions}
        return tuple(sorted(names | {final.name for final in self.final_metrics}))

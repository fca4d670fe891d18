"""All services of the emulated account in one Region."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from functools import cache
from typing import TypeAlias

from botocore.session import Session

from mlflow_smwatch.demo.alarms import Alarms
from mlflow_smwatch.demo.algorithm_metrics import MetricReader, single_precision
from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.cloudwatch import CloudWatch
from mlflow_smwatch.demo.experiment_store import ExperimentStore
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_events import state_change
from mlflow_smwatch.demo.job_records import JobRecords
from mlflow_smwatch.demo.job_store import JobStore, TrainingJob
from mlflow_smwatch.demo.lineage_store import LineageStore
from mlflow_smwatch.demo.log_store import LogStore, events_of
from mlflow_smwatch.demo.logs import Logs, Points
from mlflow_smwatch.demo.metrics import MetricStore, dimension_set
from mlflow_smwatch.demo.price_list import PriceList
from mlflow_smwatch.demo.resources import Resources
from mlflow_smwatch.demo.search import Search
from mlflow_smwatch.demo.tags import Tags
from mlflow_smwatch.demo.training_jobs import TrainingJobs
from mlflow_smwatch.demo.validation import Answer, Parameters

Handler: TypeAlias = Callable[[Parameters], Answer]

TRAINING_GROUP = "/aws/sagemaker/TrainingJobs"
TRAINING_NAMESPACE = "/aws/sagemaker/TrainingJobs"


class Region:
    """Stores and operations; jobs, logs and metrics act on each other as in SageMaker.

    Parameters
    ----------
    account_id, name
        Whose, and where.
    clock, faults
        Shared by the whole account.
    other_records
        Gives the records of a Search resource that the underlying emulator keeps.
    put_event
        Sends an event to EventBridge.

    Attributes
    ----------
    operations
        ``service:Operation`` → what answers it.
    records
        Search's Resource → what gives all of its records, times as seconds.
    experiments
        Experiments, trials and trial components.
    lineage
        Artifacts, contexts, actions, their associations, the model registry, SageMaker Metrics.
    resources
        Every kind of job but training jobs, models, endpoints, pipelines.
    tags
        Knows whose ARN is whose.
    prices
        What AWS charges; asked for in us-east-1.
    """

    def __init__(
        self,
        account_id: str,
        name: str,
        clock: Clock,
        faults: Faults,
        *,
        other_records: Callable[[str], Iterable[Answer]],
        put_event: Callable[[Answer], None],
    ) -> None:
        self.lock = threading.RLock()
        self.metrics = MetricStore()
        self.prices = PriceList()
        self.log_store = LogStore(account_id, name, clock)
        self.jobs = JobStore(account_id, name, _partition_of(name))
        self._clock = clock
        self._other_records = other_records
        self._put_event = put_event
        self._readers: dict[str, tuple[TrainingJob, MetricReader]] = {}
        self.training = TrainingJobs(
            self.jobs, clock, faults, changed=self.announce, ended=self.set_final_metrics
        )
        self.operations: dict[str, Handler] = {}
        self.records: dict[str, Callable[[], Iterable[Answer]]] = {
            "TrainingJob": lambda: (job.found() for job in self.training.settle_all())
        }
        root = f"arn:{_partition_of(name)}:sagemaker:{name}:{account_id}:"
        self.resources = Resources(
            root,
            clock,
            faults,
            training_jobs=lambda: (job.described() for job in self.training.settle_all()),
        )
        self.experiments = ExperimentStore(
            root,
            clock,
            faults,
            lock=self.lock,
            jobs=JobRecords(self.jobs, self.training, self.resources),
        )
        self.lineage = LineageStore(
            root, clock, faults, lock=self.lock, experiments=self.experiments
        )
        self.records |= self.resources.records
        self.records |= self.experiments.records
        self.records |= self.lineage.registry.records
        self.tags = Tags(faults, self.training.tagged, self.resources.tagged)
        for store in (*self.experiments.stores, *self.lineage.stores):
            self.tags.add_owner(store.tagged)
        self.add_operations("sagemaker", self.training.operations)
        self.add_operations("sagemaker", self.resources.operations)
        self.add_operations("sagemaker", self.experiments.operations)
        self.add_operations("sagemaker", self.lineage.operations)
        self.add_operations("sagemaker-metrics", self.lineage.series.operations)
        self.add_operations("sagemaker", self.tags.operations)
        self.add_operations("sagemaker", Search(self._records, faults).operations)
        self.add_operations("cloudwatch", CloudWatch(self.metrics, clock, faults).operations)
        alarms = Alarms(account_id, name, _partition_of(name), clock, faults)
        self.add_operations("cloudwatch", alarms.operations)
        self.add_operations("pricing", self.prices.operations)
        self.add_operations("logs", Logs(self.log_store, clock, faults, self.publish).operations)

    def add_operations(self, service: str, operations: Mapping[str, Handler]) -> None:
        """Serve operations of a service, by their names; a later one replaces an earlier one."""
        self.operations |= {f"{service}:{name}": handler for name, handler in operations.items()}

    def announce(self, job: TrainingJob) -> None:
        """Tell EventBridge that a job was created or moved."""
        self._put_event(state_change(job, self._clock.now()))

    def publish(self, group: str, stream: str, events: Points) -> None:
        """Publish what a training job's definitions find in new log events.

        The metrics go to CloudWatch under the dimension TrainingJobName, all hosts together.
        """
        job = self._job_of(group, stream)
        if job is None:
            return
        reader = self._reader(job)
        dimensions = dimension_set({"TrainingJobName": job.name})
        found: dict[str, list[tuple[int, float]]] = {}
        for timestamp_ms, message in events:
            for name, value in reader.read(message):
                found.setdefault(name, []).append((timestamp_ms, value))
        for name, points in found.items():
            self.metrics.writable(TRAINING_NAMESPACE, name, dimensions).add(points)
        if job.is_over and found:
            self.set_final_metrics(job)

    def set_final_metrics(self, job: TrainingJob) -> None:
        """Compute FinalMetricDataList from the job's log events.

        The last value of each metric, in single precision, with its own timestamp; jobs that
        were stored as raw answers and not moved keep what they came with.
        """
        if not job.reads_logs:
            return
        reader = self._reader(job)
        streams = self.log_store.with_prefix(TRAINING_GROUP, f"{job.name}/")
        last: dict[str, tuple[int, float]] = {}
        for event in sorted(event for stream in streams for event in events_of(stream)):
            for name, value in reader.read(event.message):
                last[name] = (event.timestamp, value)
        final = [entry for item in last.items() if (entry := _final_entry(*item)) is not None]
        if final:
            job.update(FinalMetricDataList=final)

    def _job_of(self, group: str, stream: str) -> TrainingJob | None:
        return self.jobs.get(stream.partition("/")[0]) if group == TRAINING_GROUP else None

    def _reader(self, job: TrainingJob) -> MetricReader:
        known = self._readers.get(job.name)
        if known is None or known[0] is not job:
            definitions = job.answer.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())
            known = self._readers[job.name] = (job, MetricReader(definitions))
        return known[1]

    def _records(self, resource: str) -> Iterable[Answer]:
        own = self.records.get(resource)
        return self._other_records(resource) if own is None else own()


@cache
def _partition_of(region: str) -> str:
    return str(Session().get_partition_for_region(region))


def _final_entry(name: str, last: tuple[int, float]) -> Answer | None:
    timestamp_ms, value = last
    moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=timezone.utc)
    try:
        rounded = single_precision(value)
    except OverflowError:
        return None
    return {"MetricName": name, "Value": rounded, "Timestamp": moment}

"""What can be put into the emulated account past its API, and moved there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlflow_smwatch.demo import job_life
from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.experiment_store import ExperimentStore
from mlflow_smwatch.demo.lineage_store import LineageStore
from mlflow_smwatch.demo.metrics import dimension_set
from mlflow_smwatch.demo.price_list import PriceList
from mlflow_smwatch.demo.region import Region


class AccountContents(ABC):
    """An account's Region, filled and changed directly.

    Attributes
    ----------
    clock
        The account's time.
    """

    clock: Clock

    @property
    @abstractmethod
    def _home(self) -> Region:
        """What the account has in its own Region."""

    @property
    def experiments(self) -> ExperimentStore:
        """Experiments, trials and trial components of the account's own Region."""
        return self._home.experiments

    @property
    def lineage(self) -> LineageStore:
        """Lineage, the model registry and SageMaker Metrics of the account's own Region."""
        return self._home.lineage

    @property
    def prices(self) -> PriceList:
        """What AWS charges, where this account's own Region is the one that tells it."""
        return self._home.prices

    def put_training_job(
        self, answer: Mapping[str, Any], tags: Mapping[str, str] | None = None
    ) -> None:
        """Store a training job as DescribeTrainingJob is to answer it, without CreateTrainingJob.

        Parameters
        ----------
        answer
            Dates as aware datetimes; the ARN is added if missing. A job of the same name is
            replaced.
        tags
            Resource tags.

        Raises
        ------
        ValueError
            The answer is not one that DescribeTrainingJob can give.
        """
        with self._home.lock:
            self._home.jobs.put(dict(answer), tags or {}, reads_logs=False)

    def move_training_job(
        self,
        name: str,
        *,
        status: str | None = None,
        secondary_status: str | None = None,
        at: datetime | None = None,
        failure_reason: str | None = None,
        message: str | None = None,
    ) -> None:
        """Bring a training job into another state, as SageMaker does in the course of time.

        An end state also gets the times, the model artifact, and FinalMetricDataList from the
        job's log events. Each move is an event on EventBridge's default bus.

        Parameters
        ----------
        name
            Of the job.
        status, secondary_status
            One of the two is enough.
        at
            When; the account's time if None.
        failure_reason
            For a failed job.
        message
            StatusMessage of the transition.

        Raises
        ------
        AwsError
            There is no such job.
        """
        with self._home.lock:
            job = self._home.jobs.existing(name)
            job_life.move(
                job,
                status=status,
                secondary_status=secondary_status,
                at=at or self.clock.now(),
                failure_reason=failure_reason,
                message=message,
            )
            if job.is_over:
                job.reads_logs = True
                self._home.set_final_metrics(job)
            self._home.announce(job)

    def update_training_job(self, name: str, **changes: Any) -> None:
        """Set fields of what DescribeTrainingJob answers; AWS sets some after the job's end.

        Raises
        ------
        AwsError
            There is no such job.
        """
        with self._home.lock:
            self._home.jobs.existing(name).update(**changes)

    def remove_training_job(self, name: str) -> None:
        """Remove a training job, whatever its state; its logs and metrics stay."""
        with self._home.lock:
            self._home.jobs.existing(name)
            self._home.jobs.remove(name)

    def put_job(
        self,
        kind_word: str,
        answer: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        *,
        candidates: Sequence[Mapping[str, Any]] = (),
        steps: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Store a job of another kind as its Describe operation is to answer it.

        Children of a tuning job are the training jobs whose TuningJobArn is its ARN; their
        objective is taken from FinalMetricDataList.

        Parameters
        ----------
        kind_word
            ``processing-job``, ``transform-job``, ``tuning-job``, ``automl-job`` (an answer of
            DescribeAutoMLJob makes it one of version 1), ``endpoint`` or ``pipeline-execution``
            (its pipeline is made if missing).
        answer
            Dates as aware datetimes, together with fields that only the summary or Search's
            record have (a transform job's LastModifiedTime, an execution's PipelineParameters);
            ARN, CreationTime and LastModifiedTime are added if missing. One of the same name is
            replaced.
        tags
            Resource tags.
        candidates
            Of an AutoML job, as ListCandidatesForAutoMLJob gives them.
        steps
            Of a pipeline execution, as ListPipelineExecutionSteps gives them.

        Raises
        ------
        ValueError
            AWS cannot give such an answer.
        """
        with self._home.lock:
            parts = [dict(part) for part in (*candidates, *steps)]
            self._home.resources.put(kind_word, answer, tags or {}, parts)

    def update_job(
        self,
        kind_word: str,
        name: str,
        *,
        candidates: Sequence[Mapping[str, Any]] | None = None,
        steps: Sequence[Mapping[str, Any]] | None = None,
        **changes: Any,
    ) -> None:
        """Set fields of what ``put_job`` stored or a Create operation made.

        Parameters
        ----------
        kind_word
            As for :meth:`put_job`.
        name
            Name, ARN, or the last part of an execution's ARN.
        candidates, steps
            In place of those there are; None leaves them.
        **changes
            Fields; None takes one out. LastModifiedTime is the account's time unless given.

        Raises
        ------
        AwsError
            There is no such job.
        ValueError
            AWS cannot give such an answer.
        """
        given = candidates if steps is None else steps
        with self._home.lock:
            parts = None if given is None else [dict(part) for part in given]
            self._home.resources.update(kind_word, name, parts, changes)

    def remove_job(self, kind_word: str, name: str) -> None:
        """Remove what ``put_job`` stored, whatever its status."""
        with self._home.lock:
            self._home.resources.remove(kind_word, name)

    def put_model(self, answer: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> None:
        """Store a model as DescribeModel is to answer it."""
        self.put_job("model", answer, tags)

    def put_endpoint_config(
        self, answer: Mapping[str, Any], tags: Mapping[str, str] | None = None
    ) -> None:
        """Store an endpoint configuration as DescribeEndpointConfig is to answer it."""
        self.put_job("endpoint-config", answer, tags)

    def put_pipeline(
        self, answer: Mapping[str, Any], tags: Mapping[str, str] | None = None
    ) -> None:
        """Store a pipeline as DescribePipeline is to answer it."""
        self.put_job("pipeline", answer, tags)

    def put_metric(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        points: Iterable[tuple[int, float]],
        *,
        unit: str = "None",
    ) -> None:
        """Store samples of one metric, however old and however many.

        Parameters
        ----------
        namespace, name, dimensions
            The metric; the dimensions are the exact set.
        points
            Timestamps in milliseconds since the epoch, cut to the minute, and values.
        unit
            CloudWatch unit.
        """
        with self._home.lock:
            series = self._home.metrics.writable(namespace, name, dimension_set(dimensions), unit)
            series.add(points)

    def put_log_events(
        self,
        group: str,
        stream: str,
        events: Iterable[tuple[int, str]],
        *,
        publish: bool = True,
    ) -> None:
        """Store log events, however old and however many; group and stream are made if missing.

        Parameters
        ----------
        group, stream
            Names.
        events
            Timestamps in milliseconds since the epoch, and messages.
        publish
            Whether a training job's algorithm metrics in them go to CloudWatch, as they do with
            PutLogEvents.
        """
        given = list(events)
        with self._home.lock:
            store = self._home.log_store
            store.ensure_stream(group, stream)
            store.add(store.stream(group, stream), given)
            if publish:
                self._home.publish(group, stream, given)

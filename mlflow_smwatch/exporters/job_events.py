"""What is written of a job → what happened to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.engine.observation import Observation

CREATED = "smwatch.job.created"
STATUS = "smwatch.job.status"
FINAL = "smwatch.job.final"

MOST_JOBS = 20_000
"""Of how many jobs it is known what was told last; of more, the latest."""

_STATUS, _PHASE = "sagemaker.status", "sagemaker.secondary_status"
_FAILURE = "sagemaker.failure_reason"

_State = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMark:
    """What all that is told of a job has in common."""

    arn: str
    kind: str
    name: str
    run_id: str
    experiment: str

    @classmethod
    def of(cls, written: Observation) -> JobMark:
        """Take it from what was written."""
        record = written.record
        return cls(
            arn=record.arn,
            kind=record.kind,
            name=record.name,
            run_id=written.run_id,
            experiment=record.experiment,
        )

    @property
    def place(self) -> tuple[str, str]:
        """Account and Region."""
        arn = Arn.parse(self.arn)
        return arn.account, arn.region


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job.

    Attributes
    ----------
    name
        One of :data:`CREATED`, :data:`STATUS`, :data:`FINAL`.
    mark
        The job.
    status, previous
        MLflow's word for its status; before that, where it is known.
    facts
        SageMaker's own words: status, secondary status and failure reason, as tags.
    timestamp_ms, observed_ms
        When it happened as far as AWS tells, and when the mirror wrote it.
    """

    name: str
    mark: JobMark
    status: str
    previous: str | None
    facts: tuple[tuple[str, str], ...]
    timestamp_ms: int
    observed_ms: int

    @property
    def text(self) -> str:
        """One line for people."""
        job = f"{self.mark.kind} {self.mark.name}"
        if self.name != STATUS:
            return f"{job}: {'created' if self.name == CREATED else 'mirrored to the end'}"
        facts = dict(self.facts)
        phases = dict.fromkeys(facts[key] for key in (_STATUS, _PHASE) if key in facts)
        told = f" ({' / '.join(phases)})" if phases else ""
        why = f": {facts[_FAILURE]}" if _FAILURE in facts else ""
        return f"{job}: {self.status}{told}{why}"


class JobEvents:
    """Tells what is new in what is written of jobs.

    Of a job that it has not met, the status is told as it is; after that, each change of it.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], _State] = {}
        self._lock = threading.Lock()

    def of(self, written: Observation) -> tuple[JobEvent, ...]:
        """Say what happened, the earliest first."""
        record, now_ms = written.record, round(self._clock() * 1000)
        state = _state(record)
        before = self._remember(written, state)
        mark = JobMark.of(written)
        return tuple(
            JobEvent(
                name=name,
                mark=mark,
                status=record.status,
                previous=before[0] if before and name == STATUS else None,
                facts=state[1],
                timestamp_ms=moment_ms,
                observed_ms=now_ms,
            )
            for name, moment_ms in _happened(written, before, state, now_ms)
        )

    def _remember(self, written: Observation, state: _State) -> _State | None:
        """Keep what is told of a job, unless it is the last; give what was told before."""
        identity = (written.record.arn, written.record.created)
        with self._lock:
            before = self._told.pop(identity, None)
            if not written.final:
                self._told[identity] = state
            while len(self._told) > MOST_JOBS:
                del self._told[next(iter(self._told))]
        return before


def _happened(
    written: Observation, before: _State | None, state: _State, now_ms: int
) -> Iterator[tuple[str, int]]:
    record = written.record
    if written.created and before is None:
        yield CREATED, record.start_ms
    if record.kind == TRIAL.word:  # its state is that of its jobs
        return
    if state != before:
        yield STATUS, now_ms if record.end_ms is None else record.end_ms
    if written.final:
        yield FINAL, now_ms


def _state(record: RunRecord) -> _State:
    tags = dict(record.tags)
    keys = (_STATUS, _PHASE, _FAILURE)
    return record.status, tuple((key, tags[key]) for key in keys if key in tags)

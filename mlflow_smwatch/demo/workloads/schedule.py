"""When each recording happens in the emulated account, and what belongs to it there."""

from __future__ import annotations

import bisect
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from mlflow_smwatch.demo.recording import RecordedHost, Recording
from mlflow_smwatch.demo.workloads.families import CHAIN, PIPELINE_STEPS, TUNED

MINUTE = timedelta(minutes=1)
GPU_NOTICE = "[emulated account] GPU utilisation of this job is synthetic: it was recorded on a CPU"
STARTING = timedelta(seconds=75)
DOWNLOADING = timedelta(seconds=25)
UPLOADING = timedelta(seconds=40)


def _hours(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(hours=number) for number in numbers)


AGES = {
    "wine-softmax-last-month": timedelta(days=23),
    "wine-svm": timedelta(days=6, hours=2),
    "wine-svm-failed": timedelta(days=5, hours=20),
    "digits-mlp-gpu": timedelta(days=4, hours=1),
    **{
        workload.name: timedelta(days=3, hours=20) - number // 2 * timedelta(minutes=35)
        for number, workload in enumerate(TUNED)
    },
    "diabetes-forest-no-definitions": timedelta(days=3, hours=12),
    "wine-learning-curve": timedelta(days=3, hours=4),
    "digits-mlp-2-hosts": timedelta(days=3),
    "breast-cancer-stumps": timedelta(days=2, hours=9),
    "breast-cancer-boosting-rate-0-10": timedelta(days=2, hours=8),
    "breast-cancer-boosting-rate-0-02": timedelta(days=2, hours=6),
    "breast-cancer-boosting-depth-1": timedelta(days=2, hours=4),
    "digits-mlp-adam": timedelta(days=2),
    **dict(zip((each.name for each in CHAIN), _hours(44, 43, 41), strict=True)),
    "iris-softmax-odd-names": timedelta(hours=30),
    "digits-mlp-sgd": timedelta(hours=26),
    "digits-mlp-stopped": timedelta(hours=20),
    **dict(zip((each.name for each in PIPELINE_STEPS), _hours(18, 17.77, 17.1), strict=True)),
    "digits-mlp-3-hosts": timedelta(hours=9),
    "digits-mlp-running": timedelta(minutes=12),
}
"""How long before the replay each job was created; other recordings: a day."""

ENVIRONMENTS = {
    "digits-mlp-adam": {
        "LOG_LEVEL": "info",
        "DB_PASSWORD": "planted-by-the-demo-to-be-redacted",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
}
"""Environment variables of training containers; the secrets are planted and not real."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A step in a job's life."""

    at: datetime
    status: str
    secondary_status: str
    failure_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedJob:
    """A recording as a job of a certain time; its time is stretched by `time_scale`.

    Attributes
    ----------
    created
        The job's CreationTime, aware UTC.
    """

    recording: Recording
    created: datetime

    @property
    def name(self) -> str:
        """Return the name of the job."""
        return self.recording.name

    @property
    def kind(self) -> str:
        """Return the word of its kind."""
        return self.recording.workload.kind

    @property
    def started(self) -> datetime:
        """Return when the containers start to train and to log."""
        return self.created + STARTING + DOWNLOADING

    @property
    def ended(self) -> datetime:
        """Return when the last container ends."""
        return self.at(self.recording.duration_ms)

    @property
    def finished(self) -> datetime:
        """Return when the job takes its last status."""
        return self.ended + UPLOADING

    def at(self, offset_ms: int) -> datetime:
        """Return when a moment of the recording is."""
        return self.started + timedelta(milliseconds=offset_ms * self.recording.workload.time_scale)


def place(recording: Recording, now: datetime) -> PlacedJob:
    """Return the recording as a job that was created its usual time before now."""
    age = AGES.get(recording.name, timedelta(days=1))
    return PlacedJob(recording=recording, created=now.astimezone(timezone.utc) - age)


def life_of(job: PlacedJob) -> tuple[Transition, ...]:
    """Return what a job's status becomes after its creation, and when, in order of time."""
    recording = job.recording
    end = recording.outcome.capitalize()
    if recording.outcome == "stopped":
        asked_ms = round(1000 * (recording.workload.stop_after_s or 0))
        ending = Transition(at=job.at(asked_ms), status="Stopping", secondary_status="Stopping")
    else:
        ending = Transition(at=job.ended, status="InProgress", secondary_status="Uploading")
    return (
        Transition(at=job.created + STARTING, status="InProgress", secondary_status="Downloading"),
        Transition(at=job.started, status="InProgress", secondary_status="Training"),
        ending,
        Transition(
            at=job.finished,
            status=end,
            secondary_status=end,
            failure_reason=recording.failure_reason,
        ),
    )


def host_name(job: PlacedJob, host: RecordedHost) -> str:
    """Return what SageMaker calls a host: transform jobs run on instances without a number."""
    if job.kind != "transform-job":
        return host.name
    return f"i-0{hashlib.sha256(f'{job.name}/{host.name}'.encode()).hexdigest()[:16]}"


def lines_of(job: PlacedJob, host: RecordedHost) -> Iterator[tuple[datetime, str]]:
    """Yield what a host prints, and when; CloudWatch Logs takes no empty lines."""
    if job.recording.workload.gpu_figures:
        yield job.started + timedelta(milliseconds=1), GPU_NOTICE
    for line in host.lines:
        if line.text:
            yield job.at(line.offset_ms), line.text


def utilisation_of(
    job: PlacedJob, host: RecordedHost
) -> Iterator[tuple[datetime, dict[str, float]]]:
    """Yield a host's metrics in percent for each full minute of training.

    A minute shows the last sample taken by then: stretching time repeats samples, it makes none
    up. Only the GPU's figures are invented.
    """
    times = [job.at(sample.offset_ms) for sample in host.samples]
    minute = job.started.replace(second=0, microsecond=0) + MINUTE
    while minute <= job.ended:
        sample = host.samples[max(0, bisect.bisect_right(times, minute) - 1)]
        figures = {
            "CPUUtilization": sample.cpu,
            "MemoryUtilization": sample.memory,
            "DiskUtilization": sample.disk,
        }
        if job.recording.workload.gpu_figures:
            figures.update(_gpu_figures((minute - job.started) / MINUTE))
        yield minute, figures
        minute += MINUTE


def _gpu_figures(minutes: float) -> dict[str, float]:
    """Return synthetic figures of one GPU."""
    swing = math.sin(minutes / 5)
    return {
        "GPUUtilization": round(80 + 12 * swing, 1),
        "GPUMemoryUtilization": round(38 + 2 * swing, 1),
    }

"""The jobs whose logs the benchmarks read: their lines, MetricDefinitions and descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from benchmarks.jobs import PlacedJob
from mlflow_smwatch.core.describe import to_ms

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
HOST = "algo-1"
FEW = 5
MANY = 40
"""``AlgorithmSpecification.MetricDefinitions`` holds no more."""

LINE_CHARACTERS = 10_000
HARMLESS = (r"(a+)$", r"(a+)b$")
NESTED = r"(a+)+$"
BACK_REFERENCE = r"(a+)+\1$"

RUNNING_FOR = timedelta(hours=1, minutes=30)
RUNNING_LINES = 200
SMALL_LOG = 200
"""Lines of a finished job whose log is small."""

_NUMBER = r"([0-9.e+-]+)"
_TRAINING = ("loss", "grad_norm", "learning_rate")
_EVALUATION = ("eval_loss", "eval_accuracy")
_CLASSES = MANY - FEW
_AGE = timedelta(days=1)
_LENGTH_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedJob:
    """A job with one log stream.

    Attributes
    ----------
    name
        TrainingJobName.
    definitions
        Metric name → regular expression.
    created
        CreationTime, aware.
    running
        Whether it goes on.
    """

    name: str
    definitions: Mapping[str, str]
    created: datetime
    running: bool = False

    @property
    def first_ms(self) -> int:
        """Timestamp of its first event."""
        return to_ms(self._placed.started)

    @property
    def stream(self) -> str:
        """Full name of its log stream."""
        return f"{self.name}/{HOST}-{self.first_ms // 1000}"

    def answer(self) -> dict[str, Any]:
        """Return what DescribeTrainingJob answers."""
        answer = self._placed.answer()
        specification = answer["AlgorithmSpecification"]
        definitions = [{"Name": name, "Regex": each} for name, each in self.definitions.items()]
        answer |= {
            "TrainingJobName": self.name,
            "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{self.name}",
            "AlgorithmSpecification": {**specification, "MetricDefinitions": definitions},
        }
        del answer["FinalMetricDataList"]
        return _unended(answer) if self.running else answer

    @property
    def _placed(self) -> PlacedJob:
        return PlacedJob(number=0, created=self.created)


def finished(name: str, definitions: Mapping[str, str]) -> LoggedJob:
    """Describe a job that ended most of a day ago."""
    created = datetime.now(tz=timezone.utc) - _AGE
    return LoggedJob(name=name, definitions=definitions, created=created)


def definitions(count: int) -> dict[str, str]:
    """Give 5 definitions, or those and one for each of 35 classes."""
    classes = [_class_metric(number) for number in range(count - FEW)]
    names = (*_TRAINING, *_EVALUATION, *classes)
    return {name: f"'{name}': {_NUMBER}" for name in names}


def events(job: LoggedJob, lines: int) -> Iterator[tuple[int, str]]:
    """Spread typical lines over the job's life: timestamps (ms) and messages.

    One line in ten has metrics: nine times those of training, then those of an evaluation.
    """
    has_classes = len(job.definitions) > FEW
    for number in range(lines):
        timestamp_ms = job.first_ms + number * _LENGTH_MS // lines
        yield timestamp_ms, line(number, has_classes=has_classes)


def line(number: int, *, has_classes: bool = False) -> str:
    """Write one line of a log, about 85 characters."""
    kind, epoch = number % 10, number / 10_000
    if kind:
        return _OTHER_LINES[kind % len(_OTHER_LINES)].format(n=number, e=epoch, p=number % 100)
    fall = 1 / (1 + epoch)
    if number % 100:
        values = dict(zip(_TRAINING, (fall, 1 + fall, 5e-5 * fall), strict=True))
    else:
        values = dict(zip(_EVALUATION, (1.1 * fall, 1 - fall / 2), strict=True))
        values |= {_class_metric(n): fall / (n + 1) for n in range(_CLASSES if has_classes else 0)}
    shown = ", ".join(f"'{name}': {value:.6g}" for name, value in values.items())
    return f"{{{shown}, 'epoch': {epoch:.4f}}}"


def single_line_jobs() -> Sequence[LoggedJob]:
    """Give the jobs whose log is one long line: harmless patterns, and two that backtrack."""
    pairs = {"harmless": HARMLESS, "nested": (NESTED,), "back-reference": (BACK_REFERENCE,)}
    return [
        finished(name, {f"m{n}": pattern for n, pattern in enumerate(patterns)})
        for name, patterns in pairs.items()
    ]


def long_line() -> str:
    """Write the line that sends a backtracking engine through all partitions of its length."""
    return "a" * (LINE_CHARACTERS - 1) + "!"


def _class_metric(number: int) -> str:
    return f"eval_f1_class_{number:02d}"


def _unended(answer: dict[str, Any]) -> dict[str, Any]:
    for key in ("TrainingEndTime", "ModelArtifacts", "BillableTimeInSeconds"):
        del answer[key]
    transitions = answer["SecondaryStatusTransitions"][:3]
    del transitions[-1]["EndTime"]
    return {
        **answer,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "LastModifiedTime": answer["TrainingStartTime"],
        "SecondaryStatusTransitions": transitions,
    }


_OTHER_LINES = (
    "[rank 0] step {n}: forward 12.31 ms, backward 24.52 ms, allreduce 3.14 ms, memory 31.2 GiB",
    "INFO:data:reading shard s3://bucket/train/part-{n:06d}.parquet: 4096 rows, 3 columns, 1.8 MB",
    "{p:3d}%|█████▏    | {n}/200000 [03:12<04:24,  2.19it/s]",
    "/opt/conda/lib/python3.12/site-packages/torch/utils/checkpoint.py:92: UserWarning: step {n}",
    "2026-01-01 00:00:00,000 sagemaker-training-toolkit INFO  epoch {e:.4f}, no GPUs to reset",
)

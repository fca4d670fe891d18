"""What a workload is: a script of this package, how it runs, and what is read from its output.

``time_scale`` says how many seconds of the emulated account one recorded second becomes:
the recordings last seconds, jobs minutes to hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HyperParameter = str | int | float
Kind = Literal["training-job", "processing-job", "transform-job", "trial-component"]

NUMBER = r"([0-9.eE+-]+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric's name and the regular expression that finds its value in a log line."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One job to record, or one analysis that becomes a trial component.

    Attributes
    ----------
    hyperparameters
        Given to the script as ``--name value``.
    channels
        Names of the input channels; the data set's name is the S3 prefix.
    inputs
        Channel → recording and output that it reads instead, such as ``wine-prepare/train``.
    model
        Of a transform job: the recording of the training job whose model it uses.
    stop_after_s
        Seconds until the recorder sends SIGTERM; None lets the script end by itself.
    gpu_figures
        ``synthetic`` where the job claims an instance with a GPU, which the recording has not.
    """

    name: str
    script: str
    dataset: str
    hyperparameters: Mapping[str, HyperParameter]
    metric_definitions: tuple[MetricDefinition, ...]
    time_scale: int
    kind: Kind = "training-job"
    channels: tuple[str, ...] = ("training",)
    inputs: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    instance_type: str = "ml.m5.large"
    instance_count: int = 1
    stop_after_s: float | None = None
    gpu_figures: Literal["synthetic"] | None = None

    @property
    def arguments(self) -> list[str]:
        """Return the script's arguments."""
        pairs = ((f"--{name}", str(value)) for name, value in self.hyperparameters.items())
        return [argument for pair in pairs for argument in pair]


def definitions(**regexes: str) -> tuple[MetricDefinition, ...]:
    """Return one definition per keyword argument."""
    return tuple(MetricDefinition(name=name, regex=regex) for name, regex in regexes.items())

"""The SageMaker experiments of the emulated account, their trials, and who belongs to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment and its trials.

    Attributes
    ----------
    tags
        Resource tags, beside the one that says that it is emulated.
    trials
        Trial → names of the recordings in it.
    """

    name: str
    description: str
    tags: Mapping[str, str]
    trials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


EXPERIMENTS = (
    Experiment(
        name="breast-cancer-screening",
        description="Boosted trees on the breast cancer data: how fast, and how deep?",
        tags={"team": "screening", "data": "breast-cancer"},
        trials={
            "learning-rate": (
                "breast-cancer-boosting-rate-0-10",
                "breast-cancer-boosting-rate-0-02",
            ),
            "tree-depth": ("breast-cancer-stumps", "breast-cancer-boosting-depth-1"),
        },
    ),
    Experiment(
        name="wine-cultivars",
        description="Which of three cultivars is a wine from? From the raw table to scores.",
        tags={"team": "cellar", "data": "wine"},
        trials={
            "feature-transforms": ("wine-svm", "wine-learning-curve"),
            "standard-scaling": ("wine-learning-curve", "wine-prepare", "wine-train", "wine-score"),
        },
    ),
)


def trials_of(recording: str) -> tuple[tuple[str, str], ...]:
    """Return the experiment and the trial of each place that a recording has."""
    return tuple(
        (experiment.name, trial)
        for experiment in EXPERIMENTS
        for trial, members in experiment.trials.items()
        if recording in members
    )

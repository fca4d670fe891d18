"""Jobs of the emulated account that belong together, and analyses beside them."""

from __future__ import annotations

from dataclasses import replace

from mlflow_smwatch.demo.workloads.workload import (
    NUMBER,
    HyperParameter,
    MetricDefinition,
    Workload,
    definitions,
)

PIPELINE_NAME = "wine-weekly"
EXECUTION = "k4w8n2q7x1zd"
TUNING_JOB = "digits-sgd-tuning"

_LINEAR = definitions(
    loss=rf" loss={NUMBER};",
    val_loss=rf"val_loss={NUMBER};",
    val_accuracy=rf"val_accuracy={NUMBER};",
)
_TUNED_METRICS = (
    MetricDefinition(name="train:accuracy", regex=rf"train:accuracy={NUMBER};"),
    MetricDefinition(name="validation:accuracy", regex=rf"validation:accuracy={NUMBER};"),
)

_PREPARE = Workload(
    kind="processing-job",
    name="wine-prepare",
    script="wine_prepare.py",
    dataset="wine",
    hyperparameters={"scaling": "standard", "outlier-share": 0.02},
    metric_definitions=(),
    time_scale=240,
    channels=("raw",),
)
_TRAIN = Workload(
    name="wine-train",
    script="wine_train.py",
    dataset="wine",
    hyperparameters={"epochs": 250, "learning-rate": 0.002},
    metric_definitions=_LINEAR,
    time_scale=600,
    channels=("train", "validation"),
    inputs={"train": "wine-prepare/train", "validation": "wine-prepare/validation"},
)
_SCORE = Workload(
    kind="transform-job",
    name="wine-score",
    script="wine_score.py",
    dataset="wine",
    hyperparameters={},
    metric_definitions=(),
    time_scale=360,
    channels=("input",),
    inputs={"input": "wine-prepare/test"},
    model="wine-train",
)
CHAIN = (_PREPARE, _TRAIN, _SCORE)
"""Data are prepared, a model is trained on them, and it scores what was put aside."""

_PREPARED, _TRAINED, _SCORED = (
    f"pipelines-{EXECUTION}-{step}"
    for step in ("Prepare-8Tq2LrVbXz", "Train-mW4nYc7KdP", "Score-Zx9HsG3fRu")
)
PIPELINE_STEPS = (
    replace(_PREPARE, name=_PREPARED, hyperparameters={"scaling": "robust", "outlier-share": 0.05}),
    replace(
        _TRAIN,
        name=_TRAINED,
        hyperparameters={"epochs": 300, "learning-rate": 0.004},
        inputs={"train": f"{_PREPARED}/train", "validation": f"{_PREPARED}/validation"},
    ),
    replace(_SCORE, name=_SCORED, inputs={"input": f"{_PREPARED}/test"}, model=_TRAINED),
)
"""The same with other settings, as steps of a pipeline's execution."""

MODEL_NAMES = {_TRAINED: f"pipelines-{EXECUTION}-Model-c5VtEy0RnA"}
"""Recording of a training job → its SageMaker model, where that has not the same name."""

_SETTINGS: tuple[tuple[str, dict[str, HyperParameter]], ...] = (
    ("001-5d0c82aa", {"alpha": 0.0001, "eta0": 0.0001, "penalty": "l2"}),
    ("002-b71e09f4", {"alpha": 0.01, "eta0": 0.001, "penalty": "l1"}),
    ("003-2c94d6e3", {"alpha": 0.001, "eta0": 0.0005, "penalty": "elasticnet"}),
    ("004-e83fa150", {"alpha": 0.05, "eta0": 0.0002, "penalty": "l2"}),
    ("005-19b7c3dd", {"alpha": 0.0003, "eta0": 0.002, "penalty": "l2"}),
    ("006-f46a0b28", {"alpha": 0.0001, "eta0": 0.02, "penalty": "elasticnet"}),
    ("007-7be25f91", {"alpha": 0.0006, "eta0": 0.0012, "penalty": "l2"}),
    ("008-a0d1384c", {"alpha": 0.002, "eta0": 0.0008, "penalty": "l2"}),
)
TUNED = tuple(
    Workload(
        name=f"{TUNING_JOB}-{suffix}",
        script="digits_sgd.py",
        dataset="digits",
        hyperparameters={"epochs": 30, **settings},
        metric_definitions=_TUNED_METRICS,
        time_scale=420,
    )
    for suffix, settings in _SETTINGS
)
"""The training jobs of a tuning job."""

ANALYSES = (
    Workload(
        kind="trial-component",
        name="wine-learning-curve",
        script="wine_learning_curve.py",
        dataset="wine",
        hyperparameters={"splits": 8, "smallest": 12, "largest": 132},
        metric_definitions=definitions(
            accuracy=rf"accuracy={NUMBER};", deviation=rf"deviation={NUMBER};"
        ),
        time_scale=120,
        channels=("raw",),
    ),
    Workload(
        kind="trial-component",
        name="breast-cancer-stumps",
        script="breast_cancer_stumps.py",
        dataset="breast-cancer",
        hyperparameters={"depth": 1, "folds": 10},
        metric_definitions=definitions(auc=rf"auc={NUMBER};"),
        time_scale=150,
        channels=("train",),
    ),
)
"""What somebody did in a notebook and noted as a trial component."""

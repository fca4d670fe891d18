"""All that is recorded for the emulated account: training jobs, families of jobs, analyses."""

from __future__ import annotations

from mlflow_smwatch.demo.workloads.families import ANALYSES, CHAIN, PIPELINE_STEPS, TUNED
from mlflow_smwatch.demo.workloads.workload import (
    NUMBER,
    MetricDefinition,
    Workload,
    definitions,
)

MLP = definitions(
    loss=rf" loss={NUMBER};",
    val_loss=rf"val_loss={NUMBER};",
    accuracy=rf" accuracy={NUMBER};",
    val_accuracy=rf"val_accuracy={NUMBER};",
)
DATA_PARALLEL = definitions(
    loss=rf" loss={NUMBER};",
    share_accuracy=rf"share_accuracy={NUMBER};",
    val_accuracy=rf"val_accuracy={NUMBER};",
)
SVM = definitions(accuracy=rf"accuracy={NUMBER};", f1=rf"f1={NUMBER};")
BOOSTING = (
    MetricDefinition(name="train:logloss", regex=rf"#011train-logloss:{NUMBER}"),
    MetricDefinition(name="validation:logloss", regex=rf"#011validation-logloss:{NUMBER}"),
    MetricDefinition(name="validation:auc", regex=rf"#011validation-auc:{NUMBER}"),
)
ODD_NAMES = (
    MetricDefinition(name="validation:auc", regex=rf"validation:auc={NUMBER};"),
    MetricDefinition(name="loss (train) %", regex=rf"loss \(train\) %={NUMBER};"),
    MetricDefinition(name="损失", regex=rf"损失={NUMBER};"),
)
PLAIN_NAMES = definitions(loss=rf"损失={NUMBER};", auc=rf"auc={NUMBER};")

WORKLOADS = (
    Workload(
        name="digits-mlp-adam",
        script="digits_mlp.py",
        dataset="digits",
        hyperparameters={"epochs": 400, "solver": "adam", "learning-rate": 0.0005},
        metric_definitions=MLP,
        time_scale=600,
        channels=("training", "validation"),
    ),
    Workload(
        name="digits-mlp-sgd",
        script="digits_mlp.py",
        dataset="digits",
        hyperparameters={"epochs": 320, "solver": "sgd", "learning-rate": 0.01},
        metric_definitions=MLP,
        time_scale=300,
        channels=("training", "validation"),
    ),
    Workload(
        name="digits-mlp-3-hosts",
        script="digits_data_parallel.py",
        dataset="digits",
        hyperparameters={"epochs": 240, "learning-rate": 0.001, "batch-size": 16},
        metric_definitions=DATA_PARALLEL,
        time_scale=400,
        instance_count=3,
    ),
    Workload(
        name="digits-mlp-2-hosts",
        script="digits_data_parallel.py",
        dataset="digits",
        hyperparameters={"epochs": 150, "learning-rate": 0.002, "batch-size": 16},
        metric_definitions=DATA_PARALLEL,
        time_scale=300,
        instance_count=2,
    ),
    Workload(
        name="digits-mlp-stopped",
        script="digits_mlp.py",
        dataset="digits",
        hyperparameters={"epochs": 1000, "solver": "adam", "learning-rate": 0.00002},
        metric_definitions=MLP,
        time_scale=120,
        stop_after_s=6.0,
    ),
    Workload(
        name="digits-mlp-running",
        script="digits_mlp.py",
        dataset="digits",
        hyperparameters={"epochs": 600, "solver": "adam", "learning-rate": 0.0001},
        metric_definitions=MLP,
        time_scale=90,
        channels=("training", "validation"),
    ),
    Workload(
        name="digits-mlp-gpu",
        script="digits_mlp.py",
        dataset="digits",
        hyperparameters={"epochs": 120, "solver": "adam", "hidden-units": 384, "batch-size": 64},
        metric_definitions=MLP,
        time_scale=240,
        instance_type="ml.g5.xlarge",
        gpu_figures="synthetic",
    ),
    Workload(
        name="wine-svm",
        script="wine_svm.py",
        dataset="wine",
        hyperparameters={"transforms": "identity,square", "steps": 60},
        metric_definitions=SVM,
        time_scale=90,
    ),
    Workload(
        name="wine-svm-failed",
        script="wine_svm.py",
        dataset="wine",
        hyperparameters={"transforms": "identity,log", "steps": 60},
        metric_definitions=SVM,
        time_scale=120,
    ),
    Workload(
        name="breast-cancer-boosting-rate-0-10",
        script="breast_cancer_boosting.py",
        dataset="breast-cancer",
        hyperparameters={"rounds": 120, "learning-rate": 0.1, "max-depth": 3},
        metric_definitions=BOOSTING,
        time_scale=900,
        channels=("train", "validation"),
    ),
    Workload(
        name="breast-cancer-boosting-rate-0-02",
        script="breast_cancer_boosting.py",
        dataset="breast-cancer",
        hyperparameters={"rounds": 400, "learning-rate": 0.02, "max-depth": 2},
        metric_definitions=BOOSTING,
        time_scale=900,
        channels=("train", "validation"),
    ),
    Workload(
        name="breast-cancer-boosting-depth-1",
        script="breast_cancer_boosting.py",
        dataset="breast-cancer",
        hyperparameters={"rounds": 80, "learning-rate": 0.1, "max-depth": 1},
        metric_definitions=BOOSTING,
        time_scale=900,
        channels=("train", "validation"),
    ),
    Workload(
        name="iris-softmax-odd-names",
        script="softmax.py",
        dataset="iris",
        hyperparameters={"dataset": "iris", "epochs": 500, "learning-rate": 0.002},
        metric_definitions=ODD_NAMES,
        time_scale=180,
    ),
    Workload(
        name="wine-softmax-last-month",
        script="softmax.py",
        dataset="wine",
        hyperparameters={"dataset": "wine", "epochs": 400, "learning-rate": 0.001},
        metric_definitions=PLAIN_NAMES,
        time_scale=3600,
    ),
    Workload(
        name="diabetes-forest-no-definitions",
        script="diabetes_forest.py",
        dataset="diabetes",
        hyperparameters={"trees": 500, "trees-per-step": 10},
        metric_definitions=(),
        time_scale=150,
    ),
    *CHAIN,
    *PIPELINE_STEPS,
    *TUNED,
    *ANALYSES,
)

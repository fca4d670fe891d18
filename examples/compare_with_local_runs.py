"""Compare SageMaker training jobs with runs of your own machine, in one MLflow experiment.

``python examples/compare_with_local_runs.py --demo`` needs no AWS account: it trains a small
network here, mirrors two emulated training jobs on the same data, and lists all three, best first.
With an AWS account, name jobs that report the metric ``val_accuracy``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import mlflow_smwatch as smwatch

EXPERIMENT = "digits"
METRIC = "val_accuracy"
EPOCHS = 10
DEMO_JOBS = ("digits-mlp-adam", "digits-mlp-sgd")


@contextmanager
def emulated_account() -> Iterator[str]:
    """Run an emulated AWS account with recorded jobs in it; give a tracking URI beside it."""
    from mlflow_smwatch.demo.account import EmulatedAccount
    from mlflow_smwatch.demo.environment import emulated_environment
    from mlflow_smwatch.demo.record import load_recordings
    from mlflow_smwatch.demo.replay import replay

    recordings = [each for each in load_recordings() if each.name in DEMO_JOBS]
    with (
        EmulatedAccount() as account,
        emulated_environment(account),
        tempfile.TemporaryDirectory() as folder,
    ):
        replay(account, recordings, datetime.now(tz=timezone.utc))
        yield f"sqlite:///{folder}/mlflow.db"


def train_here() -> None:
    """Train a network on this machine and log it with MLflow, as any script does."""
    features, labels = load_digits(return_X_y=True)
    features = StandardScaler().fit_transform(features)
    x_train, x_valid, y_train, y_valid = train_test_split(
        features, labels, test_size=0.25, random_state=7, stratify=labels
    )
    network = MLPClassifier(hidden_layer_sizes=(64,), learning_rate_init=0.002, random_state=7)
    with mlflow.start_run(run_name="my-machine"):
        mlflow.log_params({"epochs": EPOCHS, "learning-rate": 0.002, "solver": "adam"})
        for epoch in range(EPOCHS):
            network.partial_fit(x_train, y_train, classes=np.unique(labels))
            mlflow.log_metric(METRIC, network.score(x_valid, y_valid), step=epoch)


def compare(jobs: Sequence[str], tracking_uri: str) -> None:
    """Train here, mirror the jobs into the same experiment, and list all runs, best first."""
    mlflow.set_tracking_uri(tracking_uri)
    experiment = mlflow.set_experiment(EXPERIMENT)
    train_here()
    report = smwatch.sync(*jobs, experiment=EXPERIMENT, tracking_uri=tracking_uri, artifacts="none")
    for failure in report.failed:
        print(f"not mirrored: {failure.arn}: {failure.error}")

    runs = MlflowClient(tracking_uri).search_runs(
        [experiment.experiment_id], order_by=[f"metrics.{METRIC} DESC"]
    )
    print(f"{METRIC:>12}  {'epochs':>6}  run")
    for run in runs:
        place = run.data.tags.get("sagemaker.instance_type", "here")
        value = run.data.metrics.get(METRIC, float("nan"))
        print(
            f"{value:12.4f}  {run.data.params.get('epochs', '?'):>6}  {run.info.run_name} ({place})"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="names or ARNs")
    parser.add_argument("--tracking-uri", default="sqlite:///mlflow.db")
    parser.add_argument("--demo", action="store_true", help="use an emulated AWS account")
    arguments = parser.parse_args()
    if arguments.demo:
        with emulated_account() as tracking_uri:
            compare(DEMO_JOBS, tracking_uri)
    elif arguments.jobs:
        compare(arguments.jobs, arguments.tracking_uri)
    else:
        parser.error("name at least one job, or give --demo")


if __name__ == "__main__":
    main()

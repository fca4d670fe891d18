"""Train a linear classifier on the prepared wine data, one pass over the data per epoch."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

Array = NDArray[np.float64]


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--weight-decay", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def read_channel(name: str) -> tuple[Array, Array]:
    """Read the features and the labels of an input channel."""
    table = np.loadtxt(Path(os.environ[f"SM_CHANNEL_{name.upper()}"], f"{name}.csv"), delimiter=",")
    print(f"{name}: {table.shape[0]} rows")
    return table[:, 1:], table[:, 0]


def main() -> None:
    """Train, print one line per epoch, and save the classifier."""
    arguments = parse_arguments()
    x_train, y_train = read_channel("train")
    x_valid, y_valid = read_channel("validation")
    classifier = SGDClassifier(
        loss="log_loss",
        alpha=arguments.weight_decay,
        learning_rate="constant",
        eta0=arguments.learning_rate,
        random_state=arguments.seed,
    )
    for epoch in range(arguments.epochs):
        classifier.partial_fit(x_train, y_train, classes=np.unique(y_train))
        training = log_loss(y_train, classifier.predict_proba(x_train))
        validation = log_loss(y_valid, classifier.predict_proba(x_valid))
        accuracy = classifier.score(x_valid, y_valid)
        print(
            f"epoch={epoch} loss={training:.6f}; val_loss={validation:.6f}; "
            f"val_accuracy={accuracy:.4f};"
        )
    joblib.dump(classifier, Path(os.environ["SM_MODEL_DIR"], "classifier.joblib"), compress=9)


if __name__ == "__main__":
    main()

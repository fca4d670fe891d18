"""Train a linear classifier on the digits data by stochastic gradient descent."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--alpha", type=float, default=0.0001)
    parser.add_argument("--eta0", type=float, default=0.001)
    parser.add_argument("--penalty", choices=("l1", "l2", "elasticnet"), default="l2")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    """Train, print the accuracies after each epoch, and save the weights."""
    arguments = parse_arguments()
    features, labels = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(
        StandardScaler().fit_transform(features),
        labels,
        test_size=0.25,
        random_state=arguments.seed,
        stratify=labels,
    )
    classifier = SGDClassifier(
        loss="hinge",
        alpha=arguments.alpha,
        learning_rate="constant",
        eta0=arguments.eta0,
        penalty=arguments.penalty,
        random_state=arguments.seed,
    )
    for epoch in range(arguments.epochs):
        classifier.partial_fit(x_train, y_train, classes=np.unique(labels))
        training = classifier.score(x_train, y_train)
        validation = classifier.score(x_valid, y_valid)
        print(f"epoch={epoch} train:accuracy={training:.5f}; validation:accuracy={validation:.5f};")
    weights = classifier.coef_.astype(np.float32)
    joblib.dump(weights, Path(os.environ["SM_MODEL_DIR"], "weights.joblib"), compress=9)


if __name__ == "__main__":
    main()

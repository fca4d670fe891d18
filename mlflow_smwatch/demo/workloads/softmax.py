"""Fit a softmax classifier on the iris or wine data by stochastic gradient descent."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score, zero_one_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

DATA_SETS = {"iris": load_iris, "wine": load_wine}


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", choices=sorted(DATA_SETS), default="iris")
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    """Train, print one line per epoch, and save the classifier."""
    arguments = parse_arguments()
    features, labels = DATA_SETS[arguments.dataset](return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(
        StandardScaler().fit_transform(features),
        labels,
        test_size=0.4,
        random_state=arguments.seed,
        stratify=labels,
    )
    model = SGDClassifier(
        loss="log_loss",
        learning_rate="constant",
        eta0=arguments.learning_rate,
        random_state=arguments.seed,
    )
    for epoch in range(arguments.epochs):
        model.partial_fit(x_train, y_train, classes=np.unique(labels))
        probabilities = model.predict_proba(x_valid)
        wrong = 100 * zero_one_loss(y_train, model.predict(x_train))
        auc = roc_auc_score(y_valid, probabilities, multi_class="ovr")
        print(
            f"[epoch {epoch}] 损失={log_loss(y_valid, probabilities):.6f}; "
            f"loss (train) %={wrong:.3f}; validation:auc={auc:.6f};"
        )
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"], "softmax.joblib"), compress=3)


if __name__ == "__main__":
    main()

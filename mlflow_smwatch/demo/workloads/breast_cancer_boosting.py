"""Grow gradient-boosted trees on the breast cancer data, printing like XGBoost each round."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-depth", type=int, default=3)
    parser.add_argument("--subsample", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    """Add one tree per round and print the losses after it."""
    arguments = parse_arguments()
    features, labels = load_breast_cancer(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(
        features, labels, test_size=0.3, random_state=arguments.seed, stratify=labels
    )
    model = GradientBoostingClassifier(
        learning_rate=arguments.learning_rate,
        max_depth=arguments.max_depth,
        subsample=arguments.subsample,
        random_state=arguments.seed,
        warm_start=True,
    )
    for round_number in range(arguments.rounds):
        model.set_params(n_estimators=round_number + 1).fit(x_train, y_train)
        training = model.predict_proba(x_train)
        validation = model.predict_proba(x_valid)
        print(
            f"[{round_number}]\ttrain-logloss:{log_loss(y_train, training):.5f}"
            f"\tvalidation-logloss:{log_loss(y_valid, validation):.5f}"
            f"\tvalidation-auc:{roc_auc_score(y_valid, validation[:, 1]):.5f}"
        )
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"], "trees.joblib"), compress=9)


if __name__ == "__main__":
    main()

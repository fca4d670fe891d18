"""Train a small neural network on the digits data, one pass over the data per epoch."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--solver", choices=("adam", "sgd"), default="adam")
    parser.add_argument("--learning-rate", type=float, default=0.0005)
    parser.add_argument("--hidden-units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--weight-decay", type=float, default=0.0001)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def stop_on_sigterm() -> threading.Event:
    """Return an event that is set once SageMaker asks the job to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signum, _frame: stop.set())
    return stop


def main() -> None:
    """Train, print one line per epoch, and save the network."""
    arguments = parse_arguments()
    stop = stop_on_sigterm()
    features, labels = load_digits(return_X_y=True)
    features = StandardScaler().fit_transform(features)
    x_train, x_valid, y_train, y_valid = train_test_split(
        features, labels, test_size=0.25, random_state=arguments.seed, stratify=labels
    )
    network = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden_units,),
        solver=arguments.solver,
        learning_rate_init=arguments.learning_rate,
        batch_size=arguments.batch_size,
        alpha=arguments.weight_decay,
        random_state=arguments.seed,
    )
    print(f"digits: {len(x_train)} training images, {len(x_valid)} validation images")
    for epoch in range(arguments.epochs):
        if stop.is_set():
            print(f"SIGTERM received: saving the network after {epoch} epochs")
            break
        network.partial_fit(x_train, y_train, classes=np.unique(labels))
        validation_loss = log_loss(y_valid, network.predict_proba(x_valid))
        print(
            f"epoch={epoch} loss={network.loss_:.6f}; val_loss={validation_loss:.6f}; "
            f"accuracy={network.score(x_train, y_train):.4f}; "
            f"val_accuracy={network.score(x_valid, y_valid):.4f};"
        )
    weights = [np.asarray(layer, dtype=np.float32) for layer in network.coefs_]
    joblib.dump(weights, Path(os.environ["SM_MODEL_DIR"], "weights.joblib"), compress=3)


if __name__ == "__main__":
    main()

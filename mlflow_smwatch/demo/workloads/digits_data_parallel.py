"""Train one network on several hosts: each learns its share, weights are averaged every epoch."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import json
import os
import time
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

Weights = NDArray[np.float64]
PATIENCE_S = 60


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--hidden-units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def call(address: tuple[str, int]) -> Connection:
    """Connect to the first host, which may still be starting."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Client(address)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def connect(rank: int, hosts: int) -> list[Connection]:
    """Join the hosts in a star around the first one.

    Returns
    -------
    list of Connection
        On the first host one connection per other host, elsewhere the one to the first host.
    """
    address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    if rank:
        return [call(address)]
    with Listener(address, backlog=hosts) as listener:
        print(f"waiting for {hosts - 1} hosts", flush=True)
        return [listener.accept() for _ in range(hosts - 1)]


def average(weights: Weights, rank: int, peers: list[Connection]) -> Weights:
    """Return the mean of all hosts' weights."""
    if rank:
        peers[0].send_bytes(weights.tobytes())
        return np.frombuffer(peers[0].recv_bytes(), dtype=weights.dtype)
    shares = [np.frombuffer(peer.recv_bytes(), dtype=weights.dtype) for peer in peers]
    mean: Weights = np.mean([weights, *shares], axis=0)
    for peer in peers:
        peer.send_bytes(mean.tobytes())
    return mean


def average_network(network: MLPClassifier, rank: int, peers: list[Connection]) -> None:
    """Replace the network's weights by the mean of all hosts' weights."""
    layers = [*network.coefs_, *network.intercepts_]
    mean = average(np.concatenate([layer.ravel() for layer in layers]), rank, peers)
    start = 0
    for layer in layers:
        layer[...] = mean[start : start + layer.size].reshape(layer.shape)
        start += layer.size


def main() -> None:
    """Train this host's share and print one line per epoch."""
    arguments = parse_arguments()
    hosts: list[str] = json.loads(os.environ["SM_HOSTS"])
    rank = hosts.index(os.environ["SM_CURRENT_HOST"])
    features, labels = load_digits(return_X_y=True)
    features = StandardScaler().fit_transform(features)
    x_train, x_valid, y_train, y_valid = train_test_split(
        features, labels, test_size=0.25, random_state=arguments.seed, stratify=labels
    )
    x_share, y_share = x_train[rank :: len(hosts)], y_train[rank :: len(hosts)]
    network = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden_units,),
        learning_rate_init=arguments.learning_rate,
        batch_size=arguments.batch_size,
        random_state=arguments.seed,
    )
    peers = connect(rank, len(hosts))
    print(f"{hosts[rank]}: {len(x_share)} of {len(x_train)} training images")
    for epoch in range(arguments.epochs):
        network.partial_fit(x_share, y_share, classes=np.unique(labels))
        average_network(network, rank, peers)
        print(
            f"epoch={epoch} loss={network.loss_:.6f}; "
            f"share_accuracy={network.score(x_share, y_share):.4f}; "
            f"val_accuracy={network.score(x_valid, y_valid):.4f};"
        )
    if rank == 0:
        weights = [np.asarray(layer, dtype=np.float32) for layer in network.coefs_]
        joblib.dump(weights, Path(os.environ["SM_MODEL_DIR"], "weights.joblib"), compress=3)


if __name__ == "__main__":
    main()

"""Look how much wine data a classifier needs, as one would in a notebook."""
# ruff: noqa: T201 - what an analysis prints is its log

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def parse_arguments() -> argparse.Namespace:
    """Read how the curve is made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--smallest", type=int, default=12)
    parser.add_argument("--largest", type=int, default=132)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    """Print the mean accuracy and its deviation for more and more rows."""
    arguments = parse_arguments()
    features, labels = load_wine(return_X_y=True)
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    for rows in range(arguments.smallest, arguments.largest + 1, 6):
        splits = StratifiedShuffleSplit(
            arguments.splits, train_size=rows, test_size=40, random_state=arguments.seed
        )
        scores = cross_val_score(classifier, features, labels, cv=splits)
        print(f"rows={rows} accuracy={np.mean(scores):.5f}; deviation={np.std(scores):.5f};")


if __name__ == "__main__":
    main()

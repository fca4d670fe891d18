"""Ask each feature of the breast cancer data alone how well it tells the classes apart."""
# ruff: noqa: T201 - what an analysis prints is its log

from __future__ import annotations

import argparse

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier


def parse_arguments() -> argparse.Namespace:
    """Read how deep the trees are, and how they are judged."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--folds", type=int, default=10)
    return parser.parse_args()


def main() -> None:
    """Print the mean area under the curve of one small tree per feature."""
    arguments = parse_arguments()
    data = load_breast_cancer()
    for number, name in enumerate(data.feature_names):
        tree = DecisionTreeClassifier(max_depth=arguments.depth, random_state=7)
        column = data.data[:, [number]]
        scores = cross_val_score(tree, column, data.target, cv=arguments.folds, scoring="roc_auc")
        print(f"{name}: auc={scores.mean():.5f};")


if __name__ == "__main__":
    main()

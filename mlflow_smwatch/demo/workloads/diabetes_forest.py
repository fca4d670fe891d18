"""Grow a random forest on the diabetes data, a few trees at a time."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=400)
    parser.add_argument("--trees-per-step", type=int, default=10)
    parser.add_argument("--min-samples-leaf", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    """Grow the forest, print its out-of-bag score, and save what its features are worth."""
    arguments = parse_arguments()
    data = load_diabetes()
    forest = RandomForestRegressor(
        min_samples_leaf=arguments.min_samples_leaf,
        oob_score=True,
        warm_start=True,
        random_state=arguments.seed,
        n_jobs=2,
    )
    steps = range(arguments.trees_per_step * 3, arguments.trees + 1, arguments.trees_per_step)
    for trees in steps:
        forest.set_params(n_estimators=trees).fit(data.data, data.target)
        print(f"{trees} trees, out-of-bag R2 {forest.oob_score_:.4f}")
    worth = dict(zip(data.feature_names, forest.feature_importances_.tolist(), strict=True))
    Path(os.environ["SM_MODEL_DIR"], "importances.json").write_text(json.dumps(worth, indent=2))


if __name__ == "__main__":
    main()

"""Scale and split the wine data for a training job, leaving out what looks like an error."""
# ruff: noqa: T201 - what a processing script prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import RobustScaler, StandardScaler

Array = NDArray[np.float64]
SCALERS = {"standard": StandardScaler, "robust": RobustScaler}


def parse_arguments() -> argparse.Namespace:
    """Read the arguments of the processing container."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scaling", choices=tuple(SCALERS), default="standard")
    parser.add_argument("--outlier-share", type=float, default=0.02)
    parser.add_argument("--trees", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def without_outliers(features: Array, arguments: argparse.Namespace) -> NDArray[np.bool_]:
    """Tell which rows an isolation forest takes for ordinary ones."""
    forest = IsolationForest(warm_start=True, random_state=arguments.seed)
    for trees in range(arguments.trees // 10, arguments.trees + 1, arguments.trees // 10):
        forest.set_params(n_estimators=trees).fit(features)
        lowest = forest.score_samples(features).min()
        print(f"isolation forest: {trees} trees, lowest score {lowest:.4f}")
    scores = forest.score_samples(features)
    return np.asarray(scores > np.quantile(scores, arguments.outlier_share))


def write(name: str, table: Array) -> None:
    """Write one output as CSV."""
    folder = Path(os.environ["SM_OUTPUT_DIR"], name)
    folder.mkdir(parents=True)
    np.savetxt(folder / f"{name}.csv", table, fmt="%.4g", delimiter=",")
    print(f"{name}: {table.shape[0]} rows of {table.shape[1]} columns")


def main() -> None:
    """Clean, split and scale; the label is the first column, except in what is to be scored."""
    arguments = parse_arguments()
    features, labels = load_wine(return_X_y=True)
    print(f"raw: {features.shape[0]} rows, {np.isnan(features).sum()} missing values")
    kept = without_outliers(features, arguments)
    print(f"left out {np.count_nonzero(~kept)} rows")
    x_rest, x_test, y_rest, _ = train_test_split(
        features[kept], labels[kept], test_size=0.2, random_state=arguments.seed
    )
    x_train, x_valid, y_train, y_valid = train_test_split(
        x_rest, y_rest, test_size=0.25, random_state=arguments.seed, stratify=y_rest
    )
    scaler = SCALERS[arguments.scaling]().fit(x_train)
    write("train", np.column_stack((y_train, scaler.transform(x_train))))
    write("validation", np.column_stack((y_valid, scaler.transform(x_valid))))
    write("test", scaler.transform(x_test))


if __name__ == "__main__":
    main()

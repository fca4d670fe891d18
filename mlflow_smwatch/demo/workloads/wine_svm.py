"""Compare support vector machines on the wine data: several feature transforms, several C."""
# ruff: noqa: T201 - what a training script prints is its log

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

Array = NDArray[np.float64]
TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda values: values,
    "square": np.square,
    "log": np.log,
}


def parse_arguments() -> argparse.Namespace:
    """Read the hyperparameters as SageMaker passes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transforms", default="identity,square")
    parser.add_argument("--kernel", default="rbf")
    parser.add_argument("--smallest-c", type=float, default=0.01)
    parser.add_argument("--largest-c", type=float, default=100.0)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--folds", type=int, default=10)
    return parser.parse_args()


def main() -> None:
    """Score each candidate by cross-validation and save the best machine."""
    arguments = parse_arguments()
    features, labels = load_wine(return_X_y=True)
    scaled = StandardScaler().fit_transform(features)
    folds = StratifiedKFold(arguments.folds, shuffle=True, random_state=7)
    best_score, best = 0.0, None
    for transform in arguments.transforms.split(","):
        print(f"transform {transform}")
        candidates = TRANSFORMS[transform](scaled)
        for c in np.geomspace(arguments.smallest_c, arguments.largest_c, arguments.steps):
            machine = SVC(C=float(c), kernel=arguments.kernel)
            machine.fit(candidates, labels)
            scores = cross_validate(
                machine, candidates, labels, cv=folds, scoring=("accuracy", "f1_macro")
            )
            accuracy, f1 = scores["test_accuracy"].mean(), scores["test_f1_macro"].mean()
            vectors = machine.n_support_.sum()
            print(f"C={c:.4g} accuracy={accuracy:.4f}; f1={f1:.4f}; vectors={vectors};")
            if accuracy > best_score:
                best_score, best = accuracy, machine
    joblib.dump(best, Path(os.environ["SM_MODEL_DIR"], "machine.joblib"), compress=3)


if __name__ == "__main__":
    main()

"""Score the files of a transform job with the wine classifier, some rows at a time."""
# ruff: noqa: T201 - what a container prints is its log

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np


def parse_arguments() -> argparse.Namespace:
    """Read how many rows one request holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows-per-request", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Write the class and its probability for each row, and print a line per request."""
    arguments = parse_arguments()
    classifier = joblib.load(Path(os.environ["SM_MODEL_DIR"], "classifier.joblib"))
    print(f"model loaded: {type(classifier).__name__}, classes {classifier.classes_.tolist()}")
    for file in sorted(Path(os.environ["SM_CHANNEL_INPUT"]).iterdir()):
        table = np.loadtxt(file, delimiter=",")
        lines = []
        for start in range(0, len(table), arguments.rows_per_request):
            rows = table[start : start + arguments.rows_per_request]
            probabilities = classifier.predict_proba(rows)
            lines += [f"{row.argmax()},{row.max():.4f}" for row in probabilities]
            print(f"POST /invocations 200 {len(rows)} rows, surest {probabilities.max():.4f}")
        target = Path(os.environ["SM_OUTPUT_DIR"], f"{file.name}.out")
        target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

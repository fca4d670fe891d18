"""Tell what a model was made from, what came from a data set, and what differs between two models.

``python examples/lineage_of_a_model.py --demo`` needs no AWS account; without ``--demo``, give two
jobs of yours: ``python examples/lineage_of_a_model.py my-training-job last-years-job``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import mlflow_smwatch as smwatch

DEMO_A, DEMO_B = "wine-train", "wine-svm"
DEMO_PREPARATION = "wine-prepare"
SOURCES = {"data", "image", "code"}


@contextmanager
def emulated_account() -> Iterator[str]:
    """Run an emulated AWS account with recorded jobs in it; give a tracking URI beside it."""
    from mlflow_smwatch.demo.account import EmulatedAccount
    from mlflow_smwatch.demo.environment import emulated_environment
    from mlflow_smwatch.demo.record import load_recordings
    from mlflow_smwatch.demo.replay import replay

    names = {DEMO_PREPARATION, DEMO_A, DEMO_B}
    recordings = [each for each in load_recordings() if each.name in names]
    with (
        EmulatedAccount() as account,
        emulated_environment(account),
        tempfile.TemporaryDirectory() as folder,
    ):
        replay(account, recordings, datetime.now(tz=timezone.utc))
        yield f"sqlite:///{folder}/mlflow.db"


def mirror(jobs: Iterable[str], tracking_uri: str | None) -> None:
    """Mirror jobs without their metrics: lineage follows from what they read and write."""
    report = smwatch.sync(*jobs, tracking_uri=tracking_uri, metrics="off", artifacts="none")
    for failure in report.failed:
        print(f"not mirrored: {failure.arn}: {failure.error}")


def show(a: str, b: str, tracking_uri: str | None) -> None:
    """Answer three questions; MLflow alone is asked."""
    graph = smwatch.lineage(a, tracking_uri=tracking_uri)
    sources = [node for node in graph.upstream() if node.kind in SOURCES]
    print(f"{a} was made from:")
    for node in sources:
        print(f"  {node.kind:<5}  {node.id}")

    first = next((node.id for node in reversed(sources) if node.kind == "data"), a)
    runs = smwatch.lineage(first, direction="downstream", tracking_uri=tracking_uri).runs()
    print(f"from {first} came:")
    for node in runs:
        print(f"  {node.kind}  {node.name}  run {node.run_id}")

    difference = smwatch.lineage(tracking_uri=tracking_uri).diff(a, b)
    print(f"{a} and {b} have {len(difference.both)} sources in common; only {b} has:")
    for node in difference.only_b:
        print(f"  {node.kind:<5}  {node.id}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="names or ARNs of two jobs")
    parser.add_argument("--tracking-uri", help="MLflow tracking URI; default: MLflow's own choice")
    parser.add_argument("--demo", action="store_true", help="use an emulated AWS account")
    arguments = parser.parse_args()
    if arguments.demo:
        with emulated_account() as tracking_uri:
            mirror((DEMO_PREPARATION, DEMO_A, DEMO_B), tracking_uri)
            show(DEMO_A, DEMO_B, tracking_uri)
    elif len(arguments.jobs) == 2:
        mirror(arguments.jobs, arguments.tracking_uri)
        show(arguments.jobs[0], arguments.jobs[1], arguments.tracking_uri)
    else:
        parser.error("name two jobs, or give --demo")


if __name__ == "__main__":
    main()

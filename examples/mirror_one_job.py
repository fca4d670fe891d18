"""Mirror one SageMaker training job and show what its MLflow run holds.

``python examples/mirror_one_job.py --demo`` needs no AWS account; without ``--demo``, give the name
or ARN of a job of yours: ``python examples/mirror_one_job.py my-training-job``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import mlflow_smwatch as smwatch

DEMO_JOB = "digits-mlp-adam"


@contextmanager
def emulated_account() -> Iterator[str]:
    """Run an emulated AWS account with one recorded job in it; give a tracking URI beside it."""
    from mlflow_smwatch.demo.account import EmulatedAccount
    from mlflow_smwatch.demo.environment import emulated_environment
    from mlflow_smwatch.demo.record import load_recordings
    from mlflow_smwatch.demo.replay import replay

    recordings = [each for each in load_recordings() if each.name == DEMO_JOB]
    with (
        EmulatedAccount() as account,
        emulated_environment(account),
        tempfile.TemporaryDirectory() as folder,
    ):
        replay(account, recordings, datetime.now(tz=timezone.utc))
        yield f"sqlite:///{folder}/mlflow.db"


def show(job: str, tracking_uri: str | None) -> None:
    """Mirror a job and print its run."""
    run = smwatch.mirror(job, tracking_uri=tracking_uri, artifacts="none")
    print(f"{run.info.run_name}: {run.info.status}")
    for key, value in sorted(run.data.params.items()):
        print(f"  param   {key} = {value}")
    for key, last in sorted(run.data.metrics.items()):
        print(f"  metric  {key} = {last:g}")

    report = smwatch.sync(job, tracking_uri=tracking_uri, artifacts="none")
    print(f"once more: {report.points} new points, {dict(report.aws_calls)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", nargs="?", default=DEMO_JOB, help="name or ARN")
    parser.add_argument("--tracking-uri", help="MLflow tracking URI; default: MLflow's own choice")
    parser.add_argument("--demo", action="store_true", help="use an emulated AWS account")
    arguments = parser.parse_args()
    if arguments.demo:
        with emulated_account() as tracking_uri:
            show(DEMO_JOB, tracking_uri)
    else:
        show(arguments.job, arguments.tracking_uri)


if __name__ == "__main__":
    main()

"""``smwatch policy``: what it prints is enough for the mirror, and no more than it uses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts

import mlflow_smwatch
from mlflow_smwatch.aws.grants import GRANTS
from mlflow_smwatch.aws.queue import JobQueue
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.cli import main
from mlflow_smwatch.core.job_kinds import KINDS, USUAL_KINDS
from mlflow_smwatch.report import SyncReport
from tests.everything import (
    ARNS,
    put_everything,
    put_model_object,
    put_more_lineage,
    put_queue,
)
from tests.guarded import GuardedAccount
from tests.jobs import ACCOUNT, REGION

SEARCHED = ("TrainingJob", "PipelineExecution", "ExperimentTrial", "ExperimentTrialComponent")
NEVER = "smwatch-never-made"
_OF_TRIALS = {"sagemaker:DescribeTrial"}
RARE = {
    "training-job": _OF_TRIALS,
    "processing-job": _OF_TRIALS,
    "transform-job": _OF_TRIALS,
    "trial": {"sagemaker:ListTrials"},
    "trial-component": {
        f"sagemaker:Describe{noun}Job" for noun in ("Training", "Processing", "Transform")
    },
}
"""What these passes do not come to: the order of two trials of which ``Search`` lacks one, whether
there are trials where there is no component, and the job of a component of which it lacks both."""


def printed(*arguments: str) -> dict[str, Any]:
    """Give what the command prints."""
    done = CliRunner().invoke(main, ["policy", *arguments])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def actions_of(policy: dict[str, Any]) -> set[str]:
    """Give the actions that a policy allows."""
    given = [each["Action"] for each in policy["Statement"]]
    return {one for each in given for one in ([each] if isinstance(each, str) else each)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


class Use:
    """The account and two stores, and all ways in which a mirror uses the account."""

    def __init__(self, account: GuardedAccount, store: Path, folder: Path) -> None:
        self.account = account
        self.package = put_everything(account)
        self.stores = [f"sqlite:///{shutil.copy(store, folder / f'{n}.db')}" for n in range(3)]
        account.used.clear()

    def sync(self, store: int, *names: str, **options: Any) -> SyncReport:
        """Make a pass."""
        return mlflow_smwatch.sync(*names, tracking_uri=self.stores[store], **options)

    def by_all_ways(self, **options: Any) -> None:
        """Mirror what is there, by window and by name, what ``Search`` lacks, and what is not."""
        kinds = options.get("kinds", USUAL_KINDS)
        wanted = [each for word, each in ARNS.items() if word in kinds]
        require_calm(self.sync(0, **options))
        put_more_lineage(self.account)
        require_calm(self.sync(1, **options))
        self.account.lag(*SEARCHED)
        named = self.sync(2, *wanted, **options)
        require_calm(named)
        unknown = self.sync(2, NEVER, **options)
        assert [each.arn for each in unknown.failed] == [NEVER]
        assert "AWS has no" in unknown.failed[0].error
        assert unknown.warnings == []

    def queue(self, url: str) -> None:
        """Receive a message, keep it, delete it."""
        queue = JobQueue(connect(None, None, 2), url)
        messages = queue.receive(0)
        assert queue.keep(messages) == messages != ()
        queue.delete(messages)

    def look(self) -> None:
        """Look at the artifacts of a training job."""
        mlflow.set_tracking_uri(self.stores[0])
        client = MlflowClient()
        (run,) = client.search_runs(
            [each.experiment_id for each in client.search_experiments()],
            "tags.`sagemaker.name` = 'training'",
        )
        run_id = run.info.run_id
        (log,) = [
            each.path
            for each in list_artifacts(run_id=run_id, artifact_path="sagemaker/logs")
            if each.path.endswith(".log")
        ]
        assert list_artifacts(run_id=run_id, artifact_path="sagemaker/output/output")
        for path in (log, "sagemaker/model/model.tar.gz"):
            assert Path(download_artifacts(run_id=run_id, artifact_path=path)).stat().st_size


def require_calm(report: SyncReport) -> None:
    """Nothing failed, nothing was left out."""
    assert (report.failed, report.warnings) == ([], [])


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, store: Path, tmp_path: Path) -> Iterator[Use]:
    """Serve an account with everything in it; the environment leads to it."""
    monkeypatch.chdir(tmp_path)
    with GuardedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield Use(account, store, tmp_path)


@pytest.mark.slow
def test_with_every_option_it_is_enough_and_no_more(use: Use, tmp_path: Path) -> None:
    """A mirror of everything, with overlay, registry and queue, calls all of it and no other."""
    url = put_queue()
    put_model_object()
    where = ("--region", REGION, "--account", ACCOUNT)
    options = ("--artifacts", "overlay", "--register", "models", "--queue", url)
    use.account.policy = policy = printed(*options, *where)
    use.account.used.clear()
    overlay: dict[str, Any] = {"artifacts": "overlay", "artifact_base": str(tmp_path / "artifacts")}
    use.by_all_ways(**overlay, register="models")
    require_calm(use.sync(2, use.package, register="models"))
    verified = mlflow_smwatch.verify(tracking_uri=use.stores[0], **overlay)
    assert (list(verified.differences), verified.failed) == ([], [])
    use.queue(url)
    use.look()
    assert set(use.account.used) == actions_of(policy)


@pytest.mark.slow
@pytest.mark.parametrize("word", KINDS)
def test_for_one_kind_it_is_enough(use: Use, word: str) -> None:
    """Whatever it belongs to; and what is allowed is used."""
    use.account.policy = policy = printed("--kinds", word)
    use.by_all_ways(kinds=(word,))
    assert set(use.account.used) <= actions_of(policy)
    assert actions_of(policy) - set(use.account.used) <= RARE.get(word, set())


@pytest.mark.slow
@pytest.mark.parametrize("metrics", ["off", "cloudwatch", "logs"])
def test_for_each_source_of_metrics_it_is_enough(use: Use, metrics: str) -> None:
    """What is not read is not allowed."""
    use.account.policy = policy = printed("--metrics", metrics)
    use.by_all_ways(metrics=metrics)
    assert set(use.account.used) == actions_of(policy)


def test_without_search(use: Use) -> None:
    """What stands in for it is allowed; that it takes more calls is said."""
    use.account.policy = policy = printed("--without-search")
    report = use.sync(0)
    assert report.failed == []
    assert all("sagemaker:Search is denied" in each.warning for each in report.warnings)
    named = use.sync(1, *(ARNS[word] for word in USUAL_KINDS))
    assert named.failed == []
    assert set(use.account.used) - {"sagemaker:Search"} <= actions_of(policy)
    assert "sagemaker:Search" not in actions_of(policy)


def test_one_document_whatever_the_options() -> None:
    """``--json`` prints the same; roles have a policy for them and one for their caller."""
    assert printed("--json") == printed() != printed("--metrics", "off")
    role = f"arn:aws-cn:iam::{ACCOUNT}:role/smwatch"
    both = printed("--assume-role", role, "--kinds", "endpoint")
    assert set(both) == {"role", "caller"}
    assert both["caller"]["Statement"] == [
        {"Sid": "AssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    ]
    assert "arn:aws-cn:sagemaker:*:*:endpoint/*" in json.dumps(both["role"])
    assert list(both["role"]) == list(printed())
    assert "pricing:GetProducts" in actions_of(printed("--prices", "aws"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--account", "12"), "twelve digits"),
        (("--region", "earth"), "no AWS Region"),
        (("--queue", "smwatch"), "--queue"),
        (("--kinds", "jobs"), "--kinds"),
        (("--assume-role", "smwatch"), "--assume-role"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], reason: str) -> None:
    """Exit code 2, one line."""
    done = CliRunner().invoke(main, ["policy", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in done.stderr


def test_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither credentials nor a network: an endpoint that is none is not asked."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    every = {grant.action for grant in GRANTS}
    assert actions_of(printed()) < every

"""``smwatch doctor``: it names what is missing, and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.cli import NOTHING_DONE, SOME_FAILED, main
from mlflow_smwatch.core.findings import Finding
from mlflow_smwatch.doctor import DoctorReport, examine
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.policy import policy
from tests.cli.shapes import TEXT_OR_NONE, misfits
from tests.everything import put_everything, put_model_object
from tests.guarded import GuardedAccount
from tests.jobs import REGION
from tests.stores.servers import mlflow_server_on

SHAPE = {
    "ok": bool,
    "reachable": bool,
    "checks": [{"check": str, "status": str, "detail": str, "fix": TEXT_OR_NONE}],
}
QUEUE = f"https://sqs.{REGION}.amazonaws.com/123456789012/empty"
OVERLAY = SyncOptions(artifacts="overlay", register="models")
FULL = policy([OVERLAY], queue_url=QUEUE)
UNSEARCHED = policy([SyncOptions()], search=False)


def actions_of(document: dict[str, Any]) -> list[str]:
    """Give the actions of a policy."""
    given = [each["Action"] for each in document["Statement"]]
    return sorted(one for each in given for one in ([each] if isinstance(each, str) else each))


def without(document: dict[str, Any], action: str) -> dict[str, Any]:
    """Take one action out of a policy."""
    kept = []
    for each in document["Statement"]:
        actions = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        left = [one for one in actions if one != action]
        kept += [{**each, "Action": left}] if left else []
    return {**document, "Statement": kept}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedAccount]:
    """Serve an account with everything in it and an empty queue; the environment leads to it."""
    import boto3

    patch = pytest.MonkeyPatch()
    patch.chdir(tmp_path_factory.mktemp("doctor"))
    with GuardedAccount() as account:
        for name, value in account.environment.items():
            patch.setenv(name, value)
        put_everything(account)
        put_model_object()
        account_queue = boto3.client("sqs").create_queue(QueueName="empty")["QueueUrl"]
        patch.setenv("TEST_QUEUE", account_queue)
        yield account
    patch.undo()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store, which takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def account(served: GuardedAccount) -> Iterator[GuardedAccount]:
    """Give the account, and take back what a test does to it."""
    yield served
    served.policy = served.quotas = None
    served.faults.clear()


@pytest.fixture
def store(made: Path, tmp_path: Path) -> str:
    """Give a store of a test's own."""
    return f"sqlite:///{shutil.copy(made, tmp_path / 'mlflow.db')}"


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["doctor", *arguments])


def bad(report: DoctorReport) -> set[str]:
    """Give the checks that something is to be mended for."""
    return {each.check for each in report.checks if each.status == "bad"}


def found(report: DoctorReport, check: str) -> Finding:
    """Give the one finding of a check."""
    (one,) = [each for each in report.checks if each.check == check]
    return one


def everything(store: str, **options: Any) -> DoctorReport:
    """Check all that a mirror with every option takes."""
    chosen = SyncOptions(artifacts="overlay", register="models", tracking_uri=store, **options)
    return examine([chosen], queue_url=os.environ["TEST_QUEUE"])


def test_all_is_well(account: GuardedAccount, store: str) -> None:
    """With the printed policy: each action of it is asked for once, and nothing else is needed."""
    account.policy = FULL
    report = everything(store)
    assert bad(report) == set()
    assert {each.check for each in report.checks} >= set(actions_of(FULL))
    assert "arn:aws:sts::" in found(report, "credentials").detail
    assert found(report, "clock").detail == "right to a minute"
    asked = [each.operation for each in account.requests if each.operation.startswith("sqs:")]
    assert "sqs:ReceiveMessage" in asked


QUICK = (
    "sagemaker:ListEndpoints",
    "sagemaker:DescribeTrial",
    "sagemaker:BatchGetMetrics",
    "cloudwatch:GetMetricData",
    "logs:GetLogEvents",
    "s3:GetObject",
    "sqs:DeleteMessage",
)
MISSING = [
    pytest.param(action, marks=() if action in QUICK else pytest.mark.slow)
    for action in actions_of(FULL)
]


@pytest.mark.parametrize("action", MISSING)
def test_a_missing_action_is_named(account: GuardedAccount, store: str, action: str) -> None:
    """It alone, with the way out."""
    account.policy = without(FULL, action)
    report = everything(store)
    assert bad(report) == {action}
    assert not report.ok
    assert action in str(found(report, action).fix)


@pytest.mark.slow
@pytest.mark.parametrize("action", sorted({*actions_of(UNSEARCHED)} - {"s3:GetObject"}))
def test_a_missing_action_is_named_without_search(
    account: GuardedAccount, store: str, action: str
) -> None:
    """Of what stands in for ``Search``.

    Objects of one name are not asked for: S3 denies one that is not there to who may not list it.
    """
    account.policy = without(UNSEARCHED, action)
    report = examine([SyncOptions(tracking_uri=store)], search=False)
    assert bad(report) == {action}


def test_the_command(account: GuardedAccount, store: str) -> None:
    """A table with the way out below each line, or JSON; exit codes 0 and 1."""
    well = run("--tracking-uri", store, "--json", "--kinds", "endpoint", "--metrics", "off")
    assert well.exit_code == 0
    assert misfits(json.loads(well.stdout), SHAPE) == []
    account.policy = without(FULL, "sagemaker:DescribeEndpoint")
    lacking = run("--tracking-uri", store, "--kinds", "endpoint")
    assert lacking.exit_code == SOME_FAILED
    (line,) = [each for each in lacking.stdout.splitlines() if each.startswith("bad")]
    assert line.split()[:3] == ["bad", "sagemaker:DescribeEndpoint", "denied:"]
    assert "→ allow sagemaker:DescribeEndpoint" in lacking.stdout
    assert lacking.stdout.splitlines()[-1].endswith("1 bad")


def test_names_that_a_policy_is_narrowed_to(account: GuardedAccount, store: str) -> None:
    """A real job is asked for where a name that nothing has is denied."""
    chosen = SyncOptions(tracking_uri=store, kinds=("training-job", "processing-job"))
    made = policy([chosen])
    for each in made["Statement"]:
        if each["Sid"] == "DescribeJobs":
            kinds = ("training-job/t*", "training-job/c*", "processing-job/proc*")
            names = [f"arn:aws:sagemaker:*:*:{kind}" for kind in kinds]
            each["Resource"] = [*each["Resource"][2:], *names]
    account.policy = made
    report = examine([chosen])
    assert bad(report) == set()
    for action in ("sagemaker:DescribeTrainingJob", "sagemaker:DescribeProcessingJob"):
        assert found(report, action).detail.startswith("allowed for what there is")


@pytest.mark.parametrize(
    ("ahead_s", "status", "detail"),
    [
        (0, "ok", "right to a minute"),
        (120, "warn", "120 s ahead of AWS's"),
        (-900, "bad", "900 s behind AWS's"),
    ],
)
def test_the_clock(
    account: GuardedAccount, store: str, ahead_s: int, status: str, detail: str
) -> None:
    """Against that of AWS, also where AWS refuses the caller."""
    chosen = [SyncOptions(tracking_uri=store, kinds=("endpoint",))]

    def clock() -> datetime:
        return datetime.now(tz=timezone.utc).replace(microsecond=0) + timedelta(seconds=ahead_s)

    for code in (None, "SignatureDoesNotMatch"):
        if code:
            account.faults.fail("sts:GetCallerIdentity", times=None, code=code, status=403)
        one = found(examine(chosen, clock=clock), "clock")
        near = {detail, detail.replace("120", "119"), detail.replace("900", "901")}
        assert (one.status, one.detail in near, bool(one.fix)) == (status, True, status != "ok")


@pytest.mark.parametrize("code", ["HtmlPage", "EmptyBody", "MalformedBody"])
def test_an_answer_that_is_none(account: GuardedAccount, store: str, code: str) -> None:
    """A proxy's page instead of AWS's answer is something to mend, in one line."""
    account.faults.fail("sts:GetCallerIdentity", times=None, code=code)
    one = found(examine([SyncOptions(tracking_uri=store, kinds=("endpoint",))]), "credentials")
    assert (one.status, "\n" in one.detail) == ("bad", False)
    assert one.fix


@pytest.mark.parametrize(
    ("quota", "status"), [(50.0, "ok"), (10.0, "warn")], ids=["enough", "little"]
)
def test_quotas(account: GuardedAccount, store: str, quota: float, status: str) -> None:
    """Compared with the mirror's own rates; what counts something else is none."""
    account.quotas = {
        "Rate of GetMetricData requests": quota,
        "GetMetricData data points per second": 1.0,
        "GetLogEvents throttle limit in transactions per second": 25.0,
        "Number of alarms": 1.0,
    }
    report = examine([SyncOptions(tracking_uri=store, kinds=("endpoint",))])
    quotas = [each for each in report.checks if each.check == "quotas"]
    assert [each.status for each in quotas] == [status, "ok"]
    assert quotas[0].detail.startswith(f"cloudwatch:GetMetricData: {quota:g} calls a second")
    assert report.ok


@pytest.mark.usefixtures("account")
def test_a_queue_that_is_none(store: str) -> None:
    """Named by each of its actions, with the way out."""
    url = os.environ["TEST_QUEUE"].replace("/empty", "/nothing")
    report = examine([SyncOptions(tracking_uri=store, kinds=("endpoint",))], queue_url=url)
    assert "sqs:GetQueueAttributes" in bad(report)
    assert "URL" in str(found(report, "sqs:GetQueueAttributes").fix)


def test_messages_are_left_alone(account: GuardedAccount, store: str) -> None:
    """A message that waits is not received: that would count for it."""
    import boto3

    sqs, url = boto3.client("sqs"), os.environ["TEST_QUEUE"]
    sqs.send_message(QueueUrl=url, MessageBody="text")
    account.reset_calls()
    report = everything(store)
    assert account.calls["sqs:ReceiveMessage"] == 0
    assert found(report, "sqs:ReceiveMessage").detail.startswith("not asked")
    assert bad(report) == set()
    sqs.purge_queue(QueueUrl=url)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("change", "check", "status", "detail"),
    [
        (lambda uri: f"smwatch+{uri}", "plain URI", "ok", "mlflow db upgrade"),
        (lambda uri: uri.replace("mlflow.db", "none.db"), "mlflow", "warn", "no such database"),
        (lambda _: "./mlruns", "mlflow", "bad", "file store"),
        (lambda _: "http://127.0.0.1:9", "mlflow", "bad", "does not answer"),
    ],
    ids=["bulk", "not there", "files", "no server"],
)
def test_the_store(
    store: str,
    change: Callable[[str], str],
    check: str,
    status: str,
    detail: str,
) -> None:
    """What it is, and whether it can be used."""
    chosen = SyncOptions(tracking_uri=change(store), kinds=("endpoint",), metrics="off")
    report = examine([chosen])
    one = found(report, check)
    assert (one.status, detail in one.detail) == (status, True), one
    assert report.ok == (status != "bad")
    assert report.reachable
    assert one.status == "ok" or one.fix


@pytest.mark.usefixtures("account")
def test_a_run_on_the_overlay(store: str, tmp_path: Path) -> None:
    """A database tells where a sealed run's artifacts are."""
    assert found(everything(store), "overlay").detail.startswith("not told")
    base = str(tmp_path / "artifacts")
    options = {"tracking_uri": store, "kinds": ("training-job",), "metrics": "off"}
    mlflow_smwatch.sync("training", artifacts="overlay", artifact_base=base, **options)
    one = found(everything(store), "overlay")
    assert (one.status, one.detail) == ("ok", "runs in 'study' show what AWS has of jobs")


@pytest.mark.usefixtures("account")
def test_a_schema_that_is_not_known(store: str) -> None:
    """It works, and slower."""
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as connection:
        connection.execute("ALTER TABLE metrics ADD COLUMN a_later_addition TEXT")
    report = examine([SyncOptions(tracking_uri=store, kinds=("endpoint",), metrics="off")])
    one = found(report, "schema")
    assert (one.status, "table metrics" in one.detail) == ("warn", True)
    assert one.fix
    assert found(report, "database").detail.startswith("SQLite")


@pytest.mark.usefixtures("account")
def test_nothing_reachable(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither credentials nor MLflow: exit code 3; either of them: 1."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    done = run("--tracking-uri", "http://127.0.0.1:9", "--json")
    assert done.exit_code == NOTHING_DONE
    document = json.loads(done.stdout)
    assert (document["ok"], document["reachable"]) == (False, False)
    lacking = {each["check"]: each["fix"] for each in document["checks"] if each["status"] == "bad"}
    assert set(lacking) == {"credentials", "mlflow"}
    assert "aws configure" in lacking["credentials"]
    assert run("--tracking-uri", "sqlite:///not-there.db").exit_code == NOTHING_DONE
    assert run("--tracking-uri", store).exit_code == SOME_FAILED


@pytest.mark.usefixtures("account")
def test_variables_of_no_option(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is spelled wrongly is named; so is where options come from."""
    for name in os.environ:
        if name.startswith("SMWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SMWATCH_KIND", "endpoint")
    monkeypatch.setenv("SMWATCH_KINDS", "endpoint")
    monkeypatch.setenv("SMWATCH_SEAL_KEY", "key")
    done = run("--tracking-uri", store, "--metrics", "off")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()[:2]
    assert "--kinds by its variable" in first
    assert "--tracking-uri by the command line" in first
    assert second.split()[:3] == ["warn", "configuration", "SMWATCH_KIND:"]


@pytest.mark.usefixtures("account")
def test_a_profile_that_is_none(store: str) -> None:
    """Wrong usage: one line, exit code 2."""
    done = run("--profile", "none", "--tracking-uri", store)
    assert done.exit_code == 2
    assert "profile" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("account")
def test_a_server(tmp_path: Path) -> None:
    """Its version, and what it shows of jobs: it is asked as the mirror asks it."""
    with mlflow_server_on(f"sqlite:///{tmp_path}/server.db", tmp_path) as address:
        untold = found(everything(address), "overlay")
        assert (untold.status, untold.detail.partition(":")[0]) == ("ok", "not told")
        mlflow_smwatch.sync("training", tracking_uri=address, artifacts="overlay")
        report = everything(address)
    assert found(report, "server version").detail.startswith("MLflow 3.")
    assert "runs no mirror itself" in found(report, "server").detail
    assert found(report, "seal key").status == "warn"
    assert "SMWATCH_SEAL_KEY" in str(found(report, "seal key").fix)
    shown = found(report, "overlay")
    assert (shown.status, "shows no logs" in shown.detail) == ("bad", True), shown
    assert "--artifacts-destination" in shown.detail

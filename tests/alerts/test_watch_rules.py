"""``smwatch watch`` with rules: whom it tells, how often, and that nobody holds it up."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.alerts.receivers import deaf, hook, put_topic, until
from tests.cli.program import PROGRAM, environment
from tests.jobs import HOUR_MS, MINUTE_MS, REGION, job_answer, now_ms, put_log

RULES = """
[[rule]]
name = "idle"
kinds = ["training-job"]
name-matches = "live.*"
metric = "loss*"
below = 10
for = "5m"
repeat = "6h"
{notify}

[[rule]]
name = "failed"
status = ["FAILED", "Stopped"]
{notify}
"""
SECRET = "hush-hush"
SINCE_MS = now_ms() - 2 * HOUR_MS


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account for all tests here."""
    with EmulatedAccount() as account:
        yield account


@pytest.fixture
def store(account: EmulatedAccount, tmp_path: Path) -> MlflowClient:
    """Give a store, and an account without jobs but two."""
    put(account, "live")
    ended_ms = SINCE_MS - 24 * HOUR_MS
    old = job_answer("old", created_ms=ended_ms - HOUR_MS, ended_ms=ended_ms, status="Failed")
    account.put_training_job(old)
    return MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")


def put(account: EmulatedAccount, name: str, **changes: Any) -> None:
    """Put a job as it is now."""
    account.put_training_job(job_answer(name, created_ms=SINCE_MS, **changes))


def losses(account: EmulatedAccount, name: str, values: Sequence[float], minute: int) -> None:
    """Log a value a minute, from a minute of the job on."""
    start_ms = SINCE_MS + HOUR_MS + minute * MINUTE_MS
    events = [(start_ms + n * MINUTE_MS, f"value={value}") for n, value in enumerate(values)]
    put_log(account, name, events)


def rules(folder: Path, notify: str, more: str = "") -> None:
    """Write the configuration file."""
    (folder / "smwatch.toml").write_text(RULES.format(notify=notify) + more)


@contextmanager
def watching(account: EmulatedAccount, folder: Path, **variables: str) -> Iterator[list[str]]:
    """Run ``watch`` until the block ends; its stderr is complete then. It ends well and in time."""
    lines: list[str] = []
    with subprocess.Popen(
        (*PROGRAM, "watch", "--interval", "0.2", "--log-json", "--json", "--kinds", "training-job"),
        cwd=folder,
        env={
            **environment(folder, account.environment),
            "SMWATCH_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        encoding="utf-8",
    ) as program:
        try:
            yield lines
            began = time.monotonic()
            program.send_signal(signal.SIGTERM)
            out, _ = program.communicate(timeout=30)
            assert time.monotonic() - began < 15
        finally:
            if program.poll() is None:
                program.kill()
            lines += (folder / "stderr").read_text().splitlines()
    assert program.returncode == 0, lines
    lines.append(out)
    assert SECRET not in "\n".join(lines)


def run_of(client: MlflowClient, name: str) -> Any:
    """Give the run of a job; None where there is none yet."""
    experiment = client.get_experiment_by_name("sagemaker/training-jobs")
    if experiment is None:
        return None
    named = f"tags.`sagemaker.name` = '{name}'"
    found = client.search_runs([experiment.experiment_id], named)
    return found[0] if found else None


def tag(client: MlflowClient, rule: str, name: str = "live") -> str:
    """Give what a run says of a rule; the watch may still be making its store."""
    try:
        run = run_of(client, name)
    except Exception:  # noqa: BLE001 - no tables yet
        return ""
    return str(run.data.tags.get(f"smwatch.alert.{rule}", "")) if run else ""


def test_alarm_recovery_and_end(
    account: EmulatedAccount, store: MlflowClient, tmp_path: Path
) -> None:
    """Each is told once, to a web hook and a topic, across a restart; runs are marked with it."""
    topic = put_topic(account.environment, REGION)
    losses(account, "live", [50, 5, 5, 5, 5, 5, 5], 0)
    alarm = "ALARM: idle: training job live"
    with hook() as hooked:
        rules(tmp_path, 'notify = "ops"', f'[notify]\nops = ["{hooked.url}", "{topic.arn}"]\n')
        hooked.refusing = 1
        with watching(account, tmp_path) as lines:
            hooked.heard(alarm)
            topic.heard(alarm)
            until(lambda: tag(store, "idle").startswith("ALARM since "), lambda: lines)
            losses(account, "live", [5, 5], 7)
            until(lambda: len(history(store)) == 9, lambda: history(store))
        (body,) = [each["message"] for each in hooked.messages]
        assert body.startswith("loss below 10 for 5m (5 at 20")
        assert "/live, run " in body
        records = [json.loads(line) for line in lines[:-1]]
        (said,) = [each for each in records if "alert" in each]
        assert (said["rule"], said["alert"], said["series"]) == ("idle", "ALARM", "loss")
        assert json.loads(lines[-1])["aws_calls"]["sns:Publish"] == 1
        assert sum("takes no messages" in each for each in lines) == 1
        with watching(account, tmp_path):
            losses(account, "live", [5, 90, 90], 9)
            put(account, "new", status="Failed", ended_ms=now_ms(), FailureReason="no disk left")
            new = "ALARM: failed: training job new"
            hooked.heard(alarm, "OK: idle: training job live", new)
            topic.heard(alarm, "OK: idle: training job live", new)
            until(lambda: tag(store, "idle").startswith("OK since "), lambda: tag(store, "idle"))
            losses(account, "live", [1] * 7, 12)
            hooked.heard(alarm, "OK: idle: training job live", new, alarm)
            put(account, "live", status="Stopped", ended_ms=now_ms())
            ended = ("ENDED: idle: training job live", "ALARM: failed: training job live")
            hooked.heard(alarm, "OK: idle: training job live", new, alarm, *ended)
            until(lambda: "ended in ALARM" in tag(store, "idle"), lambda: tag(store, "idle"))
        (failed,) = [each["message"] for each in hooked.messages if each["title"] == new]
        assert "status Failed at " in failed
        assert ": no disk left (" in failed
        assert len(hooked.messages) == 6
        assert tag(store, "failed", "new").endswith(": status")
        assert tag(store, "failed", "old") == ""


def history(client: MlflowClient) -> list[float]:
    """Give the mirrored values of the job's loss."""
    run = run_of(client, "live")
    points = client.get_metric_history(run.info.run_id, "loss") if run else []
    return [each.value for each in sorted(points, key=lambda each: each.step)]


@pytest.mark.slow
def test_nobody_holds_the_mirror_up(
    account: EmulatedAccount, store: MlflowClient, tmp_path: Path
) -> None:
    """Neither who never answers nor who is not there; a third one is told at once."""
    values = [50.0, *[5.0] * 7]
    losses(account, "live-2", values, 0)
    put(account, "live-2")
    rules(tmp_path, "")
    with hook() as hooked, deaf() as mute:
        nobody = f"json://127.0.0.1:9/{SECRET}"
        whom = f"{mute} {nobody} {hooked.url}"
        variables = {"SMWATCH_NOTIFY": whom, "SMWATCH_NAME_CONTAINS": "live-2"}
        with watching(account, tmp_path, **variables) as lines:
            hooked.heard("ALARM: idle: training job live-2")
            before = account.calls["sagemaker:Search"]
            until(lambda: account.calls["sagemaker:Search"] >= before + 10, lambda: lines)
    report = json.loads(lines[-1])
    assert report["failed"] == []
    assert report["passes"] >= 5
    run = run_of(store, "live-2")
    points = store.get_metric_history(run.info.run_id, "loss")
    assert [each.value for each in points] == values
    assert "2 messages could not be delivered before the end" in "\n".join(lines)

"""What the README says can be done is done here; what it lists is all there is."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import mlflow.cli
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_smwatch.cli import NOTHING_DONE, SOME_FAILED, main
from mlflow_smwatch.cli.config import FILE
from mlflow_smwatch.core.errors import StopError, UsageError
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.docs.documents import PAGES, ROOT, Block, blocks, names, read, rows
from tests.jobs import DAY_MS, HOUR_MS, curve, job_answer, now_ms, put_log, put_loss, whole

README = read("README.md")
JOB = "my-training-job"
LONGEST_S = 120


def _marked(mark: str, language: str = "bash") -> Block:
    (found,) = [
        block for block in blocks(README) if (block.mark, block.language) == (mark, language)
    ]
    return found


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    """Serve an account with the job that the README names, three days old."""
    with EmulatedAccount() as account:
        begin_ms = now_ms() - 3 * DAY_MS
        answer = job_answer(JOB, created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS)
        account.put_training_job(answer, {"team": "vision"})
        put_loss(account, JOB, curve(whole(begin_ms), 30))
        put_log(account, JOB, [(begin_ms + 1000 * each, f"value={each}") for each in range(70)])
        yield account


@pytest.fixture
def env(account: EmulatedAccount, tmp_path: Path) -> dict[str, str]:
    """Lead to the account, with ``smwatch`` on the path; nothing else of AWS's or MLflow's."""
    program = tmp_path / "bin" / "smwatch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mlflow_smwatch "$@"\n')
    program.chmod(0o755)
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    alone = {"HOME": str(tmp_path), "PATH": path, "PYTHONPATH": str(ROOT)}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**kept, **alone, **quiet, **account.environment}


def _run(*command: str, cwd: Path, env: dict[str, str]) -> str:
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _mirrored(database: Path) -> Run:
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    ids = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(ids)
    return run


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """A new block must say how it is tested."""
    kinds = {("make", "bash"), ("install", "bash"), ("serve", "bash"), ("watch", "bash")}
    assert {(block.mark, block.language) for block in blocks(README)} == kinds | {
        ("run", "bash"),
        ("lineage", "bash"),
        ("overlay", "bash"),
        ("run", "python"),
        ("configuration", "toml"),
    }


@pytest.mark.slow
def test_the_commands_run(empty_database: Path, env: dict[str, str]) -> None:
    """The block of commands, as one shell script against the account."""
    script = f"set -eu\n{_marked('run').text}"
    out = _run("bash", "-c", script, cwd=empty_database.parent, env=env)
    assert f"created    {JOB}  FINISHED" in out
    assert "would be: 1 seen, 1 created" in out
    assert '"unchanged": 1' in out
    assert "1 jobs, 1 equal; 0 differences" in out
    run = _mirrored(empty_database)
    assert run.info.run_name == JOB
    assert run.data.tags["smwatch.metric_source"] == "logs"
    client = MlflowClient(tracking_uri=f"sqlite:///{empty_database}")
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(step, step) for step in range(70)]


@pytest.mark.slow
def test_a_run_shows_its_log(
    account: EmulatedAccount, empty_database: Path, env: dict[str, str]
) -> None:
    """The block that mirrors onto the overlay; its runs show their logs to whoever may read AWS."""
    env = {**env, "MLFLOW_TRACKING_URI": f"sqlite:///{empty_database}"}
    _run("bash", "-c", _marked("overlay").text, cwd=empty_database.parent, env=env)
    run_id = _mirrored(empty_database).info.run_id
    listing = f"import mlflow; print(mlflow.artifacts.list_artifacts(run_id='{run_id}'"
    program = f"{listing}, artifact_path='sagemaker/logs'))"
    assert "tail.txt" in _run(sys.executable, "-c", program, cwd=empty_database.parent, env=env)
    assert account.calls["logs:DescribeLogStreams"]


def _reading(job: str, uri: str) -> dict[str, Any]:
    """Describe a job, three days old, with one channel."""
    begin_ms = now_ms() - 3 * DAY_MS
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    channel = {"ChannelName": "train", "DataSource": source}
    return job_answer(
        job, created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS, InputDataConfig=[channel]
    )


@pytest.mark.slow
def test_the_questions_about_lineage_are_answered(
    account: EmulatedAccount, empty_database: Path, env: dict[str, str]
) -> None:
    """The block of three questions, as one script, once the jobs that it names are mirrored."""
    account.put_training_job(_reading(JOB, "s3://my-bucket/train/"))
    account.put_training_job(_reading("last-years-job", "s3://my-bucket/last-year/"))
    uri = f"sqlite:///{empty_database}"
    command = ("smwatch", "sync", "--metrics", "off", "--tracking-uri", uri)
    _run(*command, cwd=empty_database.parent, env=env)
    script = f"set -eu\n{_marked('lineage').text}"
    env = {**env, "MLFLOW_TRACKING_URI": uri}
    out = _run("bash", "-c", script, cwd=empty_database.parent, env=env)
    assert "data  train  s3://my-bucket/train/\n" in out
    assert f"└─ training-job  {JOB}" in out
    assert "only last-years-job: 1\n  data  last-year  s3://my-bucket/last-year/\n" in out


def test_the_watch_runs_and_stops(empty_database: Path, env: dict[str, str]) -> None:
    """With the file of options that is shown, until SIGTERM; then exit code 0."""
    folder = empty_database.parent
    (folder / FILE).write_text(_marked("configuration", "toml").text, encoding="utf-8")
    command = shlex.split(_marked("watch").text, comments=True)
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**env, "SMWATCH_REGION": env["AWS_DEFAULT_REGION"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as watch:
        assert watch.stdout is not None
        assert JOB in watch.stdout.readline()
        watch.send_signal(signal.SIGTERM)
        _, said = watch.communicate(timeout=LONGEST_S)
    assert watch.returncode == 0, said
    assert "watching every 30 s" in said
    assert _mirrored(empty_database).info.run_name == JOB


def test_the_python_runs(empty_database: Path, env: dict[str, str]) -> None:
    """The block of Python, as one program against the account."""
    text = _marked("run", "python").text
    out = _run(sys.executable, "-c", text, cwd=empty_database.parent, env=env)
    assert "'created': 1" in out
    assert "FINISHED {}" in out
    assert _mirrored(empty_database).info.run_name == JOB


def test_make_targets_exist() -> None:
    """The two commands, and every other target that a page names."""
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", pages, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_server_command_is_mlflows() -> None:
    """MLflow's own command line takes it, without being started."""
    name, *arguments = shlex.split(_marked("serve").text)[1:]
    group: click.Group = mlflow.cli.cli
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.make_context(name, arguments).params["backend_store_uri"]


def test_extras_exist() -> None:
    """Every extra that a page tells to install is one of setup.py's."""
    extras = set(re.findall(r'^    "(\w+)": \[', read("setup.py"), re.MULTILINE))
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"'(?:\.|mlflow-smwatch)\[(\w+)\]'", pages))
    assert {"postgresql", "mysql", "sagemaker"} <= named <= extras


def _options() -> dict[str, tuple[set[str], str, str]]:
    """Give each long option with its commands, variable and default, as click has them."""
    found: dict[str, tuple[set[str], str, str]] = {}
    for name, command in main.commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                commands = found.get(option.opts[-1], (set(), "", ""))[0] | {name}
                default = option.default if isinstance(option.default, (str, int)) else ""
                text = "off" if option.is_flag else str(default)
                found[option.opts[-1]] = (commands, str(option.envvar), text)
    return found


def test_every_option_is_listed() -> None:
    """With its commands, environment variable and default."""
    listed: dict[str, tuple[set[str], str]] = {}
    table = list(rows(README, "command", "option", "environment variable", "default"))
    options = _options()
    for commands, option, variable, default in table:
        long = next(part for part in option.replace("`", "").split() if part.startswith("--"))
        listed[long] = (set(commands.split(", ")), next(iter(sorted(names(variable)))))
        assert default.replace("`", "").startswith(options[long][2]), long
    assert listed == {name: each[:2] for name, each in options.items()}


def test_exit_codes() -> None:
    """The table has the codes that the command line uses."""
    table = {int(code): meaning for code, meaning in rows(README, "exit code", "meaning")}
    assert set(table) == {0, SOME_FAILED, click.UsageError.exit_code, NOTHING_DONE}
    assert "some jobs" in table[SOME_FAILED]
    assert "usage" in table[click.UsageError.exit_code]
    assert "nothing" in table[NOTHING_DONE]
    assert not issubclass(UsageError, StopError)


def _commands() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        spoken = [each for each in re.findall(r"`(smwatch [^`]+)`", text) if "[NAME" not in each]
        typed = [line for block in blocks(text) for line in block.text.splitlines()]
        for line in [*spoken, *(each for each in typed if each.startswith("smwatch "))]:
            yield pytest.param(shlex.split(line, comments=True)[1:], id=f"{page.name}: {line}")


@pytest.mark.parametrize("arguments", _commands())
def test_commands_of_all_pages_are_understood(arguments: list[str]) -> None:
    """Click takes each; nothing is started."""
    command: click.Command | None = main
    while isinstance(command, click.Group):
        if arguments[0].startswith("-"):
            assert arguments[0] in {"--version", "-h", "--help"}
            return
        command = command.commands.get(arguments[0])
        arguments = arguments[1:]
    assert command is not None
    command.make_context("smwatch", list(arguments))


def test_the_python_names_exist() -> None:
    """Every function of the package that a page calls is exported."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    module = importlib.import_module("mlflow_smwatch")
    for name in set(re.findall(r"(?:smwatch|mlflow_smwatch)\.(\w+)\(", pages)):
        assert name in module.__all__, name

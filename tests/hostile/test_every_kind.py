"""A pass over an account full of hostile texts: all is mirrored, none of it does anything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.entities import Run

import mlflow_smwatch
from mlflow_smwatch.core.job_kinds import USUAL_KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import Finished, environment
from tests.hostile import contents as hostile
from tests.hostile import rules
from tests.hostile.commands import __file__ as commands
from tests.hostile.texts import is_plain, is_storable
from tests.jobs import averages, curve
from tests.stores.contents import contents
from tests.stores.servers import mlflow_server_on
from tests.sync.conftest import Mirror, datasets
from tests.sync.every_kind import FOLLOWING, LISTS, everything, settled, sync, verified

WITHOUT_LINEAGE = ("trial", "pipeline-execution")


def run_all(folder: Path, account: EmulatedAccount, *commands_: tuple[str, ...]) -> list[Finished]:
    """Run commands one after the other, in one process."""
    ended = subprocess.run(
        (sys.executable, commands),
        cwd=folder,
        env=environment(folder, account.environment),
        input=json.dumps(commands_),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    return [Finished(code=code, out=out, err=err) for code, out, err in json.loads(ended.stdout)]


def stored(run: Run, name: str) -> str | None:
    """Read a document of a run."""
    path = Path(run.info.artifact_uri.removeprefix("file://"), "sagemaker", name)
    return path.read_text(encoding="utf-8") if path.exists() else None


def without_surrogates(text: str) -> str:
    """Write a text as a document holds it, to which NUL is an escape as any other."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def check_everything(mirror: Mirror) -> dict[str, Run]:
    """See that every run, document, page and note is inert; give the runs by resource."""
    runs = everything(mirror)
    for run in runs.values():
        rules.check_run(run)
        rules.check_note(run.data.tags["mlflow.note.content"])
        document, page = stored(run, "job.json"), stored(run, "lineage.html")
        assert document is not None
        assert isinstance(json.loads(document), dict)
        assert is_storable(document)
        if run.data.tags["sagemaker.kind"] not in WITHOUT_LINEAGE:
            assert page is not None, run.data.tags["sagemaker.kind"]
            rules.LineagePage(page)
            assert is_plain(page)
    return runs


def test_every_kind(mirror: Mirror) -> None:
    """All is mirrored as the rules of keys and values say; then nothing is written."""
    hostile.put_hostile_account(mirror.account)
    report = sync(mirror)
    assert report.failed == []
    assert report.jobs["created"] == len(USUAL_KINDS) + 1
    runs = check_everything(mirror)
    training = mirror.client.get_run(runs["training-job/training"].info.run_id)
    assert training.data.params == rules.params(hostile.HYPERPARAMETERS)
    assert training.data.tags["sagemaker.failure_reason"] == rules.value(hostile.REASON, 8000)
    tags = {f"sagemaker.tag.{name}": text for name, text in hostile.TAGS.items()}
    named = rules.keys(tags)
    expected = {named[name]: rules.value(text, 8000) for name, text in tags.items()}
    found = {k: v for k, v in training.data.tags.items() if k.startswith("sagemaker.tag.")}
    assert found == expected
    sources = {json.loads(each.source)["uri"] for each in datasets(training)}
    assert sources == set(hostile.PLACES[:20])
    described = json.loads(stored(training, "job.json") or "")
    whole = {
        without_surrogates(k): without_surrogates(v) for k, v in hostile.HYPERPARAMETERS.items()
    }
    assert described["HyperParameters"] == whole
    assert settled(mirror) == {}
    verified(mirror)


def test_points_of_hostile_metrics(mirror: Mirror) -> None:
    """40 definitions on 16 hosts: each series under its key, none lost, none twice."""
    hostile.put_hostile_account(mirror.account)
    mirror.sync("training", "logged")
    keys = rules.keys(hostile.METRICS)
    expected = {
        keys[name]: averages(curve(hostile.CREATED_MS, 2), hostile.CREATED_MS)
        for name in hostile.METRICS[:-1]
    }
    expected[keys[hostile.METRICS[-1]]] = [(hostile.ENDED_MS, 3600, 1e308)]
    series = mirror.series("training")
    hosts = {key for key in series if key.startswith("system/algo-")}
    assert len(hosts) == hostile.HOSTS
    assert {key: points for key, points in series.items() if key not in hosts} == expected


@pytest.fixture
def mirrored(mirror: Mirror) -> Mirror:
    """Mirror the hostile account."""
    hostile.put_hostile_account(mirror.account)
    assert sync(mirror).failed == []
    return mirror


@pytest.mark.slow
def test_what_commands_print(mirrored: Mirror, tmp_path: Path) -> None:
    """No command lets a control character through to a terminal, on stdout or on stderr."""
    client, uri = mirrored.client, mirrored.uri
    run_id = mirrored.run("logged").info.run_id
    client.set_tag(run_id, "sagemaker.name", rules.value(hostile.ALL, 5000))
    client.rename_experiment(mirrored.run("training").info.experiment_id, "\x1b]0;owned\x07\u202e")
    store = ("--tracking-uri", uri)
    formats = ("tree", "dot", "mermaid", "json", "html")
    commands_ = [
        ("sync", "training", "nobody-\x1b[2J", "x\nError: y", *store),
        ("sync", "-v", "logged", *store),
        ("sync", "--dry-run", *store),
        ("verify", *store),
        ("verify", "--json", *store),
        ("status", *store),
        ("status", "--json", *store),
        ("sync", "--region", "\x1b[31m", *store),
        ("sync", "--since", "\x1b[31m", *store),
        ("sync", "--tracking-uri", "sqlite:////nowhere/\x1b[31m.db"),
        *(("lineage", "training", "--format", form, *store) for form in formats),
        *(("lineage", thing, *store) for thing in ("\x1b[2J", "\u202ex", hostile.PLACES[0])),
        ("lineage", "training", "--diff", "processing", *store),
        ("lineage", "training", "--source", "aws", *store),
    ]
    finished = run_all(tmp_path, mirrored.account, *commands_)
    for command, ended in zip(commands_, finished, strict=True):
        assert is_plain(ended.out), (command, ended.out)
        assert is_plain(ended.err), (command, ended.err)
        assert "Traceback" not in ended.err, ended.err
        assert "please report" not in ended.err, ended.err
        if "json" in " ".join(command) and ended.code == 0:
            assert ended.out.isascii()
            assert ended.document
        forged = [line for line in ended.err.splitlines() if "also forged" in line]
        assert not any(line.startswith("Error: also") for line in forged)


def told(uri: str) -> dict[str, str]:
    """Write what a store holds of each job, NaN like NaN; ids of runs are left out."""
    found = contents(uri)
    for each in found.values():
        each["tags"].pop("mlflow.parentRunId", None)
    return {arn: json.dumps(each, sort_keys=True) for arn, each in found.items()}


def check_same_as(mirror: Mirror, uri: str) -> None:
    """See that a store of another kind holds what SQLite does, and that a second pass is idle."""
    for each in (mirror.uri, uri):
        report = mlflow_smwatch.sync(tracking_uri=each, artifacts="none")
        assert report.failed == []
        assert report.jobs["created"] == len(USUAL_KINDS) + 1
    assert told(uri) == told(mirror.uri)
    mirror.account.reset_calls()
    again = mlflow_smwatch.sync(tracking_uri=uri, artifacts="none")
    assert again.jobs["unchanged"] == len(USUAL_KINDS) + 1
    assert again.points == 0
    assert mirror.account.calls.keys() <= LISTS | FOLLOWING


@pytest.mark.slow
@pytest.mark.postgresql
def test_on_postgresql(mirror: Mirror, postgresql: str) -> None:
    """NUL and lone surrogates are none that this database is asked to hold."""
    hostile.put_hostile_account(mirror.account)
    check_same_as(mirror, f"postgresql://{postgresql}")


@pytest.mark.slow
def test_through_a_server(mirror: Mirror, tmp_path: Path) -> None:
    """What MLflow's server checks, and JSON carries, arrives the same."""
    hostile.put_hostile_account(mirror.account)
    folder = tmp_path / "server"
    folder.mkdir()
    with mlflow_server_on(f"sqlite:///{folder}/mlflow.db", folder) as address:
        check_same_as(mirror, address)

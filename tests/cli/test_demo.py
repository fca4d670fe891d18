from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.core.job_kinds import USUAL_KINDS
from mlflow_smwatch.core.tags import NOTE
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.environment import emulated_environment
from mlflow_smwatch.demo.show import served
from mlflow_smwatch.demo.workloads.experiments import EXPERIMENTS
from mlflow_smwatch.demo.workloads.families import (
    CHAIN,
    EXECUTION,
    PIPELINE_STEPS,
    TUNED,
    TUNING_JOB,
)
from tests.cli.program import PROGRAM, Finished, environment, run

LONGEST_S = 120
NOBODY = "http://127.0.0.1:9"
MISLEADING = {
    "HTTP_PROXY": NOBODY,
    "http_proxy": NOBODY,
    "AWS_PROFILE": "corp",
    "AWS_DEFAULT_PROFILE": "corp",
    "AWS_ENDPOINT_URL_SAGEMAKER": NOBODY,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_CONFIG_FILE": "config-of-the-user",
    "SMWATCH_REGION": "xx-nowhere-1",
    "SMWATCH_TRACKING_URI": NOBODY,
    "SMWATCH_NAME_CONTAINS": "nothing",
}


def demo(tmp_path: Path, *arguments: str) -> Finished:
    """Run the demo to its end, with nothing of AWS's in the environment."""
    return run("demo", *arguments, cwd=tmp_path, env=environment(tmp_path))


@contextmanager
def started(
    tmp_path: Path, *arguments: str, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the demo until the block ends, whatever happens in it."""
    with subprocess.Popen(
        (*PROGRAM, "demo", *arguments),
        cwd=tmp_path,
        env=environment(tmp_path, more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as program:
        try:
            yield program
        finally:
            if program.poll() is None:
                begun = psutil.Process(program.pid).children(recursive=True)
                program.kill()
                for each in begun:
                    each.kill()


def last_line(program: subprocess.Popen[str]) -> str:
    """Wait for the line that says that all is up."""
    assert program.stdout is not None
    line = program.stdout.readline().rstrip("\n")
    assert line or program.poll() is None, program.stderr and program.stderr.read()
    return line


def document(program: subprocess.Popen[str]) -> Any:
    """Wait for the document that says that all is up."""
    lines = iter(lambda: last_line(program), "}")
    return json.loads("".join(lines) + "}")


def stop(program: subprocess.Popen[str], number: int) -> str:
    """Send a signal, wait for the end of everything begun, and give what stdout had left."""
    begun = psutil.Process(program.pid).children(recursive=True)
    program.send_signal(number)
    out, err = program.communicate(timeout=LONGEST_S)
    assert program.returncode == 0, err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(begun, timeout=10)
    assert alive == []
    return out


def jobs_in(client: MlflowClient) -> list[Run]:
    """Read the runs of all jobs and what groups them, those of bookkeeping left out."""
    ids = [each.experiment_id for each in client.search_experiments()]
    runs: list[Run] = client.search_runs(ids, run_view_type=ViewType.ALL, max_results=1000)
    jobs = [each for each in runs if "sagemaker.arn" in each.data.tags]
    assert len(jobs) >= 39
    return jobs


def test_needs_a_folder_of_its_own(tmp_path: Path) -> None:
    """A database that no demo made is not touched."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mlflow.db").write_text("precious")
    done = demo(tmp_path, "--no-serve", "--dir", "mine")
    assert done.code == 2
    assert done.out == ""
    assert done.message == (
        f"{tmp_path}/mine/mlflow.db was not made by the demo: give another folder with --dir"
    )
    assert (tmp_path / "mine" / "mlflow.db").read_text() == "precious"


def test_mirror_only(tmp_path: Path) -> None:
    """``--no-serve`` prints the absolute tracking URI; all that it made lies in the folder."""
    done = demo(tmp_path, "--no-serve", "--dir", "deep/demo")
    assert done.code == 0, done.err
    assert done.out == f"sqlite:///{tmp_path}/deep/demo/mlflow.db\n"
    assert "emulated" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["demo"]
    client = MlflowClient(done.out.strip())
    experiments = client.search_experiments()
    labels = {each.name: each.tags[NOTE] for each in experiments if each.experiment_id != "0"}
    assert {"sagemaker/training-jobs", "sagemaker/tuning-jobs", "wine-cultivars"} <= set(labels)
    assert all(label.startswith("**Emulated account.**") for label in labels.values())
    assert labels["wine-cultivars"].endswith(EXPERIMENTS[1].description)
    folder = f"{tmp_path}/deep/demo/"
    for each in jobs_in(client):
        assert each.info.artifact_uri.removeprefix("file://").startswith(folder)
        paths = [file.path for file in client.list_artifacts(each.info.run_id, "sagemaker")]
        assert "sagemaker/job.json" in paths
        assert each.data.tags[NOTE].startswith("**Emulated.** SageMaker ")
        assert each.data.tags["sagemaker.tag.emulated"] == "true"


@pytest.mark.slow
def test_every_kind_is_where_it_belongs(tmp_path: Path) -> None:
    """Trials, tuning job and pipeline have their jobs under them; nothing is warned of."""
    done = demo(tmp_path, "--no-serve")
    assert done.code == 0, done.err
    runs = jobs_in(MlflowClient(done.out.strip()))
    names = {each.info.run_id: each.data.tags["sagemaker.name"] for each in runs}
    children: dict[str, set[str]] = {}
    for each in runs:
        if parent := each.data.tags.get("mlflow.parentRunId"):
            children.setdefault(names[parent], set()).add(names[each.info.run_id])
    assert children == {
        "learning-rate": set(EXPERIMENTS[0].trials["learning-rate"]),
        "tree-depth": set(EXPERIMENTS[0].trials["tree-depth"]),
        "feature-transforms": set(EXPERIMENTS[1].trials["feature-transforms"]),
        "standard-scaling": {each.name for each in CHAIN},  # the curve is in the first trial
        TUNING_JOB: {each.name for each in TUNED},
        EXECUTION: {each.name for each in PIPELINE_STEPS},
    }
    assert {each.data.tags["sagemaker.kind"] for each in runs} == set(USUAL_KINDS)
    assert [
        each.data.tags["smwatch.warning"] for each in runs if "smwatch.warning" in each.data.tags
    ] == []
    named = {each.data.tags["sagemaker.name"]: each for each in runs}
    assert len(named) == len(runs)
    metrics = named["wine-score"].data.metrics
    assert {key.rpartition("/")[2] for key in metrics} == {
        "cpu_utilization_percentage",
        "system_memory_usage_percentage",
    }
    assert all(key.startswith("system/i-0") for key in metrics)
    assert "system/algo-1/disk_usage_percentage" in named["wine-prepare"].data.metrics
    assert set(named["breast-cancer-stumps"].data.metrics) == {
        *("auc", "auc/min", "auc/max", "auc/avg", "auc/stddev")
    }


@pytest.mark.slow
def test_the_users_own_environment_is_out_of_sight(tmp_path: Path) -> None:
    """Proxies, profiles and endpoints lead nowhere, and least of all to a real account."""
    (tmp_path / "config-of-the-user").write_text(
        "[default]\nignore_configured_endpoint_urls = true\nregion = xx-nowhere-1\n"
    )
    done = run(
        *("demo", "--no-serve", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path, MISLEADING),
    )
    assert done.code == 0, done.err
    uri = f"sqlite:///{tmp_path}/smwatch-demo/mlflow.db"
    assert done.document == {"tracking_uri": uri}
    assert jobs_in(MlflowClient(uri))


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the block the user's own variables are what they were."""
    for name, value in MISLEADING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "intranet.example,localhost")
    monkeypatch.delenv("no_proxy", raising=False)
    before = dict(os.environ)
    with EmulatedAccount() as account:
        with emulated_environment(account):
            expected = {
                **account.environment,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            }
            assert {k: v for k, v in os.environ.items() if k.startswith("AWS_")} == expected
            for name in ("NO_PROXY", "no_proxy"):
                assert os.environ[name] == "intranet.example,localhost,127.0.0.1"
        assert dict(os.environ) == before


def test_a_server_that_ends_at_once(tmp_path: Path) -> None:
    """What is wrong with it stands in its log, and the message says where that is."""
    message = rf"^the MLflow server did not start; see {tmp_path}/mlflow-server\.log$"
    with pytest.raises(StopError, match=message), served("nonsense://", tmp_path):
        pass
    assert "nonsense" in (tmp_path / "mlflow-server.log").read_text()


@pytest.mark.slow
def test_mirror_only_twice(tmp_path: Path) -> None:
    """A second demo in the same folder replaces the first: nothing is doubled."""
    counts = []
    for _ in range(2):
        done = demo(tmp_path, "--no-serve")
        assert done.code == 0, done.err
        assert done.out == f"sqlite:///{tmp_path}/smwatch-demo/mlflow.db\n"
        runs = jobs_in(MlflowClient(done.out.strip()))
        counts.append(len(runs))
        assert len({each.data.tags["sagemaker.arn"] for each in runs}) == len(runs)
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_account_only(tmp_path: Path) -> None:
    """``--account-only`` prints the endpoint, answers AWS tools, and ends on SIGINT with 0."""
    with started(tmp_path, "--account-only") as program:
        endpoint = last_line(program)
        client = boto3.client(
            "sagemaker",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
        jobs = client.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
        assert len(jobs) >= 12
        assert stop(program, signal.SIGINT) == ""
    assert list(tmp_path.iterdir()) == []  # not even MLflow's own notes for its telemetry


@pytest.mark.slow
def test_account_only_as_json(tmp_path: Path) -> None:
    """The document leads AWS tools there, and stderr says that nothing of it is real."""
    with started(tmp_path, "--account-only", "--json", more=MISLEADING) as program:
        found = document(program)
        assert found.keys() == {"endpoint", "environment"}
        assert found["environment"]["AWS_ENDPOINT_URL"] == found["endpoint"]
        with urllib.request.urlopen(found["endpoint"], timeout=LONGEST_S) as answer:
            assert answer.status == 200
        assert program.stderr is not None
        assert program.stderr.readline().startswith("emulated AWS account")
        assert stop(program, signal.SIGINT) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "options"), [(signal.SIGINT, ()), (signal.SIGTERM, ("--json",))]
)
def test_served(tmp_path: Path, number: int, options: tuple[str, ...]) -> None:
    """The last line is the page's URL; the page is served; a signal ends all that was begun."""
    with started(tmp_path, "--dir", "shown", *options, more=MISLEADING) as program:
        if options:
            found = document(program)
            assert found.keys() == {"url", "tracking_uri"}
            assert found["tracking_uri"] == f"sqlite:///{tmp_path}/shown/mlflow.db"
        url = found["url"] if options else last_line(program)
        address, hash_mark, page = url.partition("#")
        assert address.startswith("http://127.0.0.1:")
        assert hash_mark
        assert page.startswith("/experiments/")
        assert page.endswith("/runs?workflowType=machine_learning")
        with urllib.request.urlopen(address, timeout=LONGEST_S) as answer:
            assert answer.status == 200
            assert b"<title>MLflow</title>" in answer.read()
        with urllib.request.urlopen(f"{address}health", timeout=LONGEST_S) as answer:
            assert answer.read() == b"OK"
        assert stop(program, number) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["shown"]


@pytest.mark.slow
def test_interrupted_early(tmp_path: Path) -> None:
    """Ctrl-C before everything is up is no traceback, and leaves no process behind."""
    with started(tmp_path, "--dir", "shown") as program:
        assert program.stderr is not None
        assert "emulated AWS account" in program.stderr.readline()
        begun = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=LONGEST_S)
    assert out == ""
    assert "Traceback" not in err
    assert psutil.wait_procs(begun, timeout=10)[1] == []
    assert program.returncode != 0


@pytest.mark.slow
def test_without_what_it_needs(tmp_path: Path) -> None:
    """Where the extra is not installed, the command that installs it is named."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "moto.py").write_text("raise ModuleNotFoundError('gone', name='moto')\n")
    env = environment(tmp_path)
    env["PYTHONPATH"] = os.pathsep.join((str(hidden), env["PYTHONPATH"]))
    done = run("demo", "--no-serve", cwd=tmp_path, env=env)
    assert done.code == 3
    assert done.message == "the demo needs moto: pip install 'mlflow-smwatch[demo]'"

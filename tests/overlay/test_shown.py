from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

from tests.jobs import HOUR_MS, NAMESPACE, now_ms
from tests.kinds import processing_job, transform_job, tuning_job
from tests.overlay.conftest import (
    BUCKET,
    CREATED_MS,
    DESCRIBE,
    ENDED_MS,
    LINES,
    LOG,
    MODEL,
    MODEL_BYTES,
    STREAM,
    TAIL,
    Shown,
    put_job,
    put_logs,
    put_objects,
    sealed_run,
)

EVENTS = "logs:GetLogEvents"
STREAMS = "logs:DescribeLogStreams"
LIST = "s3:ListObjectsV2"


def test_what_a_job_has_is_listed(shown: Shown) -> None:
    """The root costs nothing, each folder two calls at most."""
    put_job(shown.account, "listed")
    put_logs(shown.account, "listed", "line")
    put_objects({"out/listed/output/model.tar.gz": b"12345"})
    run = shown.run("listed")
    shown.calls()
    assert shown.listed(run) == {"sagemaker": -1}
    assert shown.calls() == {}
    assert shown.listed(run, "sagemaker/logs") == {LOG: None, TAIL: None}
    assert shown.calls() == {DESCRIBE: 1, STREAMS: 1}
    assert shown.listed(run, "sagemaker") == {
        "sagemaker/job.json": None,
        "sagemaker/lineage.html": None,
        "sagemaker/logs": -1,
        "sagemaker/model": -1,
        "sagemaker/output": -1,
    }
    assert shown.calls() == {}
    assert shown.listed(run, "sagemaker/model") == {MODEL: 5}
    assert shown.listed(run, "sagemaker/output") == {"sagemaker/output/output": -1}
    assert shown.listed(run, "sagemaker/output/output") == {
        "sagemaker/output/output/model.tar.gz": 5
    }
    assert shown.calls() == {LIST: 3}
    assert shown.listed(run, LOG) == shown.listed(run, MODEL) == {}


def test_the_tail_is_two_calls_and_says_how_to_get_the_rest(shown: Shown) -> None:
    """One call where the job is known; its first line names the whole log."""
    put_job(shown.account, "tailed")
    put_logs(shown.account, "tailed", *(f"line {n}" for n in range(1200)))
    run = shown.run("tailed")
    head, *lines = shown.text(run, TAIL).splitlines()
    assert shown.calls() == {DESCRIBE: 1, EVENTS: 1}
    assert "last 1,000 lines" in head
    assert LOG in head
    assert [line.partition(" ")[2] for line in lines] == [f"line {n}" for n in range(200, 1200)]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)


def test_the_whole_log_is_downloaded_page_by_page(shown: Shown) -> None:
    """However many pages AWS makes of it, empty ones as well."""
    shown.account.faults.page_size(EVENTS, 300)
    shown.account.faults.empty_pages(EVENTS)
    run = shown.run("job")
    assert shown.text(run, LOG).splitlines() == [f"line {n}" for n in range(LINES)]


def test_an_odd_log_can_be_read(shown: Shown) -> None:
    """The tail shows what can be shown; the log is what was written; both are UTF-8."""
    put_job(shown.account, "odd")
    messages = ("\x1b[31mred\x1b[0m", "10%\r20%\r30%", "a\nb", "nul\x00 bell\x07", "\u202eright")
    put_logs(shown.account, "odd", *messages)
    run = shown.run("odd")
    tail = [line.partition(" ")[2] for line in shown.text(run, TAIL).splitlines()[1:]]
    assert tail == ["red", "10%", "20%", "30%", "a", "b", r"nul\x00 bell\x07", r"\u202eright"]
    written = "".join(f"{message}\n" for message in messages).replace("\0", "\ufffd")
    assert shown.content(run, LOG).decode() == written


def test_a_model_is_downloaded_from_s3(shown: Shown) -> None:
    """To where MLflow is asked to, under its own path."""
    run = shown.run("job")
    assert shown.content(run, MODEL) == MODEL_BYTES
    target = shown.base.parent / "target"
    target.mkdir()
    repository: Any = shown.repository(run)
    found = repository.download_artifacts("sagemaker/output", str(target))
    assert found == str(target / "sagemaker/output")
    files = {str(each.relative_to(found)) for each in target.rglob("*") if each.is_file()}
    assert files == {f"output/{name}" for name in ("model.tar.gz", "model.tar.gz.old", *OUTPUT)}


OUTPUT = ("output.tar.gz",)


def test_a_large_object_comes_in_ranges(shown: Shown) -> None:
    """Several GETs, one file."""
    put_job(shown.account, "large")
    body = bytes(range(256)) * (17 * 1024 * 4)
    put_objects({"out/large/output/model.tar.gz": body})
    run = shown.run("large")
    shown.calls()
    assert shown.content(run, MODEL) == body
    assert shown.calls()["s3:GetObject"] == 3


def test_the_document_and_the_lineage_are_made_where_none_is_stored(shown: Shown) -> None:
    """A description that is stored wins."""
    put_job(shown.account, "told", Environment={"API_TOKEN": "secret"})
    run = shown.run("told")
    document = json.loads(shown.text(run, "sagemaker/job.json"))
    assert document["TrainingJobName"] == "told"
    assert document["Environment"] == {"API_TOKEN": "***"}
    assert "<svg" in shown.text(run, "sagemaker/lineage.html")
    shown.client.log_text(run.info.run_id, "stored", "sagemaker/job.json")
    assert shown.text(run, "sagemaker/job.json") == "stored"
    listed = shown.listed(run, "sagemaker")
    assert listed["sagemaker/job.json"] == len("stored")
    assert "sagemaker/logs" in listed
    assert list(shown.listed(run)) == ["sagemaker"]


def test_a_page_of_lineage_is_drawn_though_an_older_one_is_stored(shown: Shown) -> None:
    """The stored one is for those who cannot have a new one."""
    path = "sagemaker/lineage.html"
    put_job(shown.account, "drawn", ModelArtifacts=None, OutputDataConfig=None)
    run = shown.run("drawn")
    shown.client.log_text(run.info.run_id, "stored", path)
    shown.account.faults.deny(DESCRIBE)
    assert shown.text(run, path) == "stored"
    assert shown.listed(run, "sagemaker")[path] == len("stored")
    shown.account.faults.clear()
    assert "<svg" in shown.text(run, path)
    assert shown.listed(run, "sagemaker")[path] is None
    repository: Any = shown.repository(run)
    whole = Path(repository.download_artifacts("sagemaker"))
    assert "<svg" in (whole / "lineage.html").read_text()
    unsealed = shown.run("drawn", key=None)
    shown.client.log_text(unsealed.info.run_id, "its own", path)
    assert shown.text(unsealed, path) == "its own"


def test_what_is_stored_is_the_repositorys_own(shown: Shown) -> None:
    """All that MLflow does with a plain repository it does with this one."""
    run = shown.run("job")
    run_id, client = run.info.run_id, shown.client
    client.log_text(run_id, "a", "notes/a.txt")
    client.log_text(run_id, "b", "sagemaker/own.txt")
    assert shown.listed(run) == {"notes": -1, "sagemaker": -1}
    assert shown.listed(run, "notes") == {"notes/a.txt": 1}
    assert shown.listed(run, "sagemaker")["sagemaker/own.txt"] == 1
    assert shown.text(run, "notes/a.txt") == "a"
    stored = shown.base / run_id / "artifacts/notes/a.txt"
    repository: Any = shown.repository(run)
    assert repository.download_artifacts("notes/a.txt") == str(stored)
    shown.calls()
    whole = Path(repository.download_artifacts("", str(shown.base.parent)))
    assert (whole / "sagemaker/own.txt").read_text() == "b"
    assert not (whole / "sagemaker/logs").exists()
    assert shown.calls() == {}
    repository.delete_artifacts("notes")
    assert not stored.exists()


def test_the_folder_sagemaker_is_downloaded_with_all_that_it_shows(shown: Shown) -> None:
    """What is stored, and what is read through."""
    put_job(shown.account, "whole", ModelArtifacts=None, OutputDataConfig=None)
    put_logs(shown.account, "whole", "line")
    run = shown.run("whole")
    shown.client.log_text(run.info.run_id, "stored", "sagemaker/job.json")
    shown.client.log_text(run.info.run_id, "planted", "sagemaker/logs/planted.log")
    repository: Any = shown.repository(run)
    folder = Path(repository.download_artifacts("sagemaker"))
    found = {str(each.relative_to(folder.parent)) for each in folder.rglob("*") if each.is_file()}
    assert found == {"sagemaker/job.json", "sagemaker/lineage.html", LOG, TAIL}
    assert (folder / "job.json").read_text() == "stored"


def test_mlflows_own_ways_to_a_file_lead_there(shown: Shown) -> None:
    """By run and path, by URI, and from a URI that lies within the run's artifacts."""
    import mlflow.artifacts

    run = shown.run("job")
    ask: dict[str, Any] = {"tracking_uri": shown.uri}
    by_run = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=MODEL, **ask)
    by_uri = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{run.info.artifact_uri}/{MODEL}", **ask
    )
    assert Path(by_run).read_bytes() == Path(by_uri).read_bytes() == MODEL_BYTES
    found = mlflow.artifacts.list_artifacts(
        run_id=run.info.run_id, artifact_path="sagemaker/model", **ask
    )
    assert [each.path for each in found] == [MODEL]


def test_other_kinds_show_what_they_have(shown: Shown) -> None:
    """Outputs by their names, streams in folders; a kind without any of it shows two files."""
    account = shown.account
    outputs = {"train": f"s3://{BUCKET}/split/train", "../x": f"s3://{BUCKET}/split/other/"}
    life: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
    account.put_job("processing-job", processing_job("p", outputs=outputs, **life))
    account.put_job("transform-job", transform_job("t", target=f"s3://{BUCKET}/scored", **life))
    account.put_job("tuning-job", tuning_job("h", **life))
    put_objects({"split/train/a.csv": b"1", "split/train-2/b": b"2", "scored/x.out": b"3"})
    events = [(CREATED_MS, "line")]
    account.put_log_events("/aws/sagemaker/TransformJobs", "t/i-1/data-log", events, publish=False)
    processing = sealed_run(shown, "processing-job/p")
    assert shown.listed(processing, "sagemaker/output") == {
        "sagemaker/output/output-2": -1,
        "sagemaker/output/train": -1,
    }
    train = {"sagemaker/output/train/a.csv": 1}
    assert shown.listed(processing, "sagemaker/output/train") == train
    transform = sealed_run(shown, "transform-job/t")
    assert shown.listed(transform, "sagemaker/output") == {"sagemaker/output/x.out": 1}
    assert shown.listed(transform, "sagemaker/logs") == {"sagemaker/logs/i-1": -1}
    assert "sagemaker/logs/i-1/data-log.log" in shown.listed(transform, "sagemaker/logs/i-1")
    assert shown.text(transform, "sagemaker/logs/i-1/data-log.log") == "line\n"
    tuning = sealed_run(shown, "hyper-parameter-tuning-job/h")
    made = {"sagemaker/job.json": None, "sagemaker/lineage.html": None}
    assert shown.listed(tuning, "sagemaker") == made


def test_two_viewers_do_not_double_the_calls(shown: Shown) -> None:
    """At the same time, or within a few seconds."""
    put_job(shown.account, "viewed")
    put_logs(shown.account, "viewed", "line")
    run = shown.run("viewed")

    def look(_: int) -> str:
        shown.listed(run, "sagemaker/logs")
        return shown.text(run, TAIL)

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(look, range(16)))
    assert {text.partition("\n")[2] for text in texts} == {texts[0].partition("\n")[2]}
    assert shown.calls() == {DESCRIBE: 1, STREAMS: 1, EVENTS: 1}


DENIALS = [
    (DESCRIBE, "sagemaker/logs", "PERMISSION_DENIED", DESCRIBE),
    (STREAMS, "sagemaker/logs", "PERMISSION_DENIED", STREAMS),
    (EVENTS, TAIL, "PERMISSION_DENIED", EVENTS),
    (LIST, "sagemaker/model", "PERMISSION_DENIED", "s3:ListBucket"),
    ("s3:*Object", MODEL, "PERMISSION_DENIED", "s3:GetObject"),
]


@pytest.mark.parametrize(("denied", "path", "code", "named"), DENIALS)
def test_what_is_denied_is_named(
    shown: Shown, denied: str, path: str, code: str, named: str
) -> None:
    """In one line; what is stored can be listed all the same."""
    name = re.sub(r"\W", "-", f"d-{denied}")
    put_job(shown.account, name)
    run = shown.run(name)
    shown.client.log_text(run.info.run_id, "stored", "sagemaker/job.json")
    shown.account.faults.deny(denied)
    with pytest.raises(MlflowException, match=named) as caught:
        shown.text(run, path) if "." in path else shown.listed(run, path)
    assert caught.value.error_code == code
    assert "\n" not in str(caught.value)
    assert shown.listed(run) == {"sagemaker": -1}
    assert "sagemaker/job.json" in shown.listed(run, "sagemaker")
    assert shown.text(run, "sagemaker/job.json") == "stored"


def test_what_is_gone_is_said(shown: Shown) -> None:
    """Logs that expired, a model that was removed."""
    put_job(shown.account, "gone")
    run = shown.run("gone")
    for path in (TAIL, LOG, MODEL, "sagemaker/output/none.txt", "sagemaker/logs/none"):
        with pytest.raises(MlflowException) as caught:
            shown.text(run, path)
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST", path


def test_streams_that_cannot_stand_in_a_path_are_left_out(shown: Shown) -> None:
    """A name may lead upwards, or be like that of the end of another."""
    put_job(shown.account, "named")
    for stream in ("..", "a/../b", "a//b", STREAM):
        put_logs(shown.account, "named", "line", stream=stream)
    run = shown.run("named")
    assert shown.listed(run, "sagemaker/logs") == {LOG: None, TAIL: None}


def test_a_running_job_is_read_up_to_now(shown: Shown) -> None:
    """What was logged since shows a few seconds later."""
    account = shown.account
    put_job(account, "live", status="InProgress", ModelArtifacts=None, TrainingEndTime=None)
    put_logs(account, "live", "first")
    run = shown.run("live")
    assert shown.text(run, LOG) == "first\n"
    account.put_log_events(
        "/aws/sagemaker/TrainingJobs", f"live/{STREAM}", [(now_ms(), "later")], publish=False
    )
    shortly = threading.Event()
    for _ in range(100):  # for five seconds it is the same for all
        if shown.text(run, LOG).endswith("later\n"):
            return
        shortly.wait(0.2)
    pytest.fail("nothing came")


def test_two_who_download_a_log_read_it_once(shown: Shown) -> None:
    """At the same time, or one just after the other; each has a file of his own."""
    put_job(shown.account, "wanted")
    put_logs(shown.account, "wanted", "line")
    run = shown.run("wanted")
    shown.calls()
    with ThreadPoolExecutor(4) as viewers:
        texts = set(viewers.map(lambda _: shown.text(run, LOG), range(4)))
    assert len(texts) == 1
    assert shown.calls()["logs:GetLogEvents"] == 2  # the second shows that the first was the last


def test_streams_of_an_earlier_job_of_that_name_are_left_out(shown: Shown) -> None:
    """A job may be deleted, and its name used again."""
    put_job(shown.account, "again")
    before = [(CREATED_MS - 2 * HOUR_MS, "of the other job")]
    shown.account.put_log_events(NAMESPACE, "again/algo-1-1600000000", before, publish=False)
    put_logs(shown.account, "again", "line")
    assert shown.listed(shown.run("again"), "sagemaker/logs") == {LOG: None, TAIL: None}


def test_it_lies_on_s3_as_well(shown: Shown) -> None:
    """A repository in S3 stays one; what it signs of the job is the object itself."""
    experiment = shown.experiment(f"smwatch+s3://{BUCKET}/mlflow")
    run = shown.run("job", experiment=experiment)
    run_id, repository = run.info.run_id, shown.repository(run)
    assert isinstance(repository, S3ArtifactRepository)
    shown.client.log_text(run_id, "own", "sagemaker/own.txt")
    shown.client.log_text(run_id, "planted", MODEL)
    listed = shown.listed(run, "sagemaker")
    assert {"sagemaker/own.txt", "sagemaker/job.json", "sagemaker/model"} <= set(listed)
    assert shown.listed(run, "sagemaker/model") == {MODEL: len(MODEL_BYTES)}
    assert shown.text(run, "sagemaker/own.txt") == "own"
    assert shown.text(run, TAIL).endswith(f" line {LINES - 1}\n")
    signed: Any = repository
    for path, body in ((MODEL, MODEL_BYTES), ("sagemaker/own.txt", b"own")):
        answer = signed.get_download_presigned_url(path)
        assert answer.file_size == len(body)
        with urllib.request.urlopen(answer.url) as response:
            assert response.read() == body
    with pytest.raises(MlflowException, match="made when it is downloaded"):
        signed.get_download_presigned_url(TAIL)
    signed.delete_artifacts()
    assert shown.content(run, MODEL) == MODEL_BYTES


WITHOUT_AWS = """
import sys

sys.modules["sagemaker_mlflow"] = None  # another plugin, which brings boto3
from mlflow import MlflowClient

client, run_id = MlflowClient(tracking_uri=sys.argv[1]), sys.argv[2]
client.log_text(run_id, "own", "notes/own.txt")
found = [each.path for each in client.list_artifacts(run_id)]
print(found, {"boto3", "botocore"} & set(sys.modules))
"""


def test_storing_and_opening_import_nothing_of_aws(shown: Shown) -> None:
    """What costs no call costs no client either."""
    command = (sys.executable, "-W", "ignore", "-c", WITHOUT_AWS, shown.uri)
    done = subprocess.run(
        (*command, shown.run("job").info.run_id), capture_output=True, text=True, check=True
    )
    assert done.stdout == "['notes', 'sagemaker'] set()\n"


def test_looking_at_it_imports_nothing_of_aws_before_it_is_used() -> None:
    """The module that MLflow loads is next to empty."""
    program = (
        "import sys, mlflow_smwatch.plugins.artifact_repository;"
        "print({'boto3', 'botocore', 'mlflow', 'sqlalchemy'} & set(sys.modules))"
    )
    command = (sys.executable, "-W", "error", "-c", program)
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"

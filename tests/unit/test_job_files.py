from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_files import JobFiles, S3Place, job_files, parts_of
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.shown_paths import (
    FILES,
    TREES,
    LogName,
    ShownPath,
    is_segment,
    run_path,
    shown_path,
)
from tests.jobs import job_answer
from tests.kinds import processing_job, transform_job, tuning_job
from tests.unit.answers import TRIAL_COMPONENT, arn

CREATED_MS = 1_769_860_800_000
LIFE: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": CREATED_MS + 1000}
RUN = "0123456789abcdef" * 2

segments = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(is_segment)


def files_of(kind: str, answer: dict[str, Any]) -> JobFiles:
    """Give what a described job has."""
    stem = {"training-job": "TrainingJob", "processing-job": "ProcessingJob"}
    stems = {**stem, "transform-job": "TransformJob", "endpoint": "Endpoint"}
    stem_of_it = stems.get(kind, "HyperParameterTuningJob")
    name = answer[f"{stem_of_it}Name"]
    resource = KINDS[kind].resource_type
    return job_files(job_of(KINDS[kind], {f"{stem_of_it}Arn": arn(f"{resource}/{name}"), **answer}))


def training(**changes: Any) -> JobFiles:
    """Give what a training job has whose output lies in the folder ``out``."""
    fields: dict[str, Any] = {
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/out/job/output/model.tar.gz"},
        **changes,
    }
    return files_of("training-job", job_answer("job", **LIFE, **fields))


def place(key: str) -> S3Place:
    """Give a place in the bucket."""
    return S3Place(bucket="bucket", key=key)


def test_a_training_job_has_logs_model_and_output() -> None:
    """Its streams and its output end at its name."""
    files = training()
    assert (files.log_group, files.stream_prefix) == ("/aws/sagemaker/TrainingJobs", "job/")
    model = place("out/job/output/model.tar.gz")
    assert files.place("model", ("model.tar.gz",)) == model
    assert files.place("model", ()) is None
    assert files.place("model", ("model.tar.gz.old",)) is None
    assert files.place("output", ()) == place("out/job/")
    assert files.place("output", ("a", "b")) == place("out/job/a/b")


def test_a_model_that_is_not_compressed_is_a_folder() -> None:
    """As CompressionType says."""
    config = {"S3OutputPath": "s3://bucket/out/", "CompressionType": "NONE"}
    model = {"S3ModelArtifacts": "s3://bucket/out/job/output/model"}
    files = training(OutputDataConfig=config, ModelArtifacts=model)
    assert files.place("model", ()) == place("out/job/output/model/")
    assert files.place("model", ("a", "b")) == place("out/job/output/model/a/b")


@pytest.mark.parametrize("status", ["InProgress", "Failed"])
def test_without_a_model_none_is_shown(status: str) -> None:
    """As long as the job goes on, or where it failed."""
    ended_ms = None if status == "InProgress" else LIFE["ended_ms"]
    model = {"S3ModelArtifacts": "s3://bucket/out/job/output/model.tar.gz"}
    answer = job_answer(
        "job", created_ms=CREATED_MS, ended_ms=ended_ms, status=status, ModelArtifacts=model
    )
    assert files_of("training-job", answer).parts == ("logs",)


def test_only_a_training_jobs_model_is_shown() -> None:
    """Whoever makes a trial component writes into it what he likes."""
    answer = {**TRIAL_COMPONENT, "Status": {"PrimaryStatus": "Completed"}}
    component = job_of(KINDS["trial-component"], answer)
    assert component.model_artifact
    assert job_files(component).parts == ()


def test_outputs_go_by_their_names() -> None:
    """Where those cannot stand in a path, by their number."""
    outputs = {"train": "s3://bucket/a", "x/y": "s3://bucket/b/", "..": "s3://bucket/c"}
    files = files_of("processing-job", processing_job("p", outputs=outputs, **LIFE))
    assert dict(files.outputs) == {
        "train": place("a/"),
        "output-2": place("b/"),
        "output-3": place("c/"),
    }
    assert files.place("output", ()) is None
    assert files.place("output", ("none",)) is None
    assert files.place("output", ("train", "x")) == place("a/x")


@pytest.mark.parametrize("target", ["s3://bucket", "s3://bucket/", "file:///etc/", "s3:///x"])
def test_a_whole_bucket_is_never_shown(target: str) -> None:
    """Nor what is no place in S3."""
    files = files_of("transform-job", transform_job("t", target=target, **LIFE))
    assert files.parts == ("logs",)


def test_an_endpoint_has_a_group_of_its_own() -> None:
    """All streams in it are its own; what it captures is its output."""
    answer = {
        "EndpointName": "e",
        "EndpointStatus": "InService",
        "CreationTime": job_answer("x", **LIFE)["CreationTime"],
        "DataCaptureConfig": {"EnableCapture": True, "DestinationS3Uri": "s3://bucket/seen"},
    }
    files = files_of("endpoint", answer)
    assert (files.log_group, files.stream_prefix) == ("/aws/sagemaker/Endpoints/e", "")
    assert files.place("output", ()) == place("seen/e/")


def test_what_a_kind_may_have_is_what_its_jobs_have() -> None:
    """Before AWS is asked, and after."""
    assert parts_of(KINDS["training-job"]) == training().parts == TREES
    tuning = files_of("tuning-job", tuning_job("h", **LIFE))
    assert parts_of(KINDS["tuning-job"]) == tuning.parts == ()


@given(st.sampled_from(TREES), st.lists(segments, max_size=4).map(tuple))
def test_a_path_that_is_written_is_read_again(part: str, names: tuple[str, ...]) -> None:
    """Whatever its names."""
    path = ShownPath(part, names)
    assert shown_path(str(path)) == shown_path(f"{path}/") == path


@given(st.text(max_size=30))
def test_what_is_read_leads_nowhere_else(text: str) -> None:
    """Any text is refused, or belongs to others, or is the path of a part."""
    try:
        path = shown_path(f"sagemaker/{text}")
    except UsageError:
        return
    if path is not None:
        assert path.part in {"", *FILES, *TREES}
        assert all(is_segment(name) for name in path.names)
        key = S3Place(bucket="b", key="a/").below(*path.names).key
        assert key.startswith("a/")
        assert ".." not in key.split("/")


@given(st.sampled_from([".", "..", "a/b", "a\\b", "a\0b"]), st.integers(1, 4))
def test_no_encoding_hides_a_segment(name: str, times: int) -> None:
    """However often it was encoded."""
    for _ in range(times):
        name = quote(name, safe="").replace(".", "%2e")
    assert not is_segment(name)


@given(st.lists(segments, min_size=1, max_size=3).map("/".join), st.booleans())
def test_a_stream_has_two_entries_of_its_own(stream: str, whole: bool) -> None:
    """Which are told apart, whatever its name ends with."""
    name = LogName(stream, whole)
    assert LogName.parse(tuple(str(name).split("/"))) == name
    assert LogName.parse(("algo-1",)) is None
    assert LogName.parse((".log",)) is None


@pytest.mark.parametrize(
    ("text", "root", "rest"),
    [
        (f"/base/1/{RUN}/artifacts", f"/base/1/{RUN}/artifacts", ""),
        (f"1/{RUN}/artifacts/", f"1/{RUN}/artifacts", ""),
        (f"1/{RUN}/artifacts/a/b", f"1/{RUN}/artifacts", "a/b"),
        (f"{RUN}/artifacts/x/{'0' * 32}/artifacts/y", f"{RUN}/artifacts", None),
    ],
)
def test_the_first_run_in_a_path_is_its_run(text: str, root: str, rest: str | None) -> None:
    """What lies below may be called anything."""
    found = run_path(text)
    assert found is not None
    assert (found.run_id, found.root) == (RUN, root)
    assert rest is None or found.rest == rest


@pytest.mark.parametrize(
    "text",
    ["", f"/{RUN}", f"/{RUN}/artifacts-2", f"/x{RUN}/artifacts", f"/{RUN.upper()}/artifacts"],
)
def test_other_paths_have_no_run(text: str) -> None:
    """Nor those that look almost like one."""
    assert run_path(text) is None

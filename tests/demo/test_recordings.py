"""The committed recordings are real, complete and small."""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import itertools
import re
from collections.abc import Mapping

import pytest

from mlflow_smwatch.demo.record import record
from mlflow_smwatch.demo.recording import (
    RecordedHost,
    Recording,
    dump_recording,
    load_recording,
    load_recordings,
    pack_archive,
    unpack_archive,
)
from mlflow_smwatch.demo.workloads.catalog import WORKLOADS
from mlflow_smwatch.demo.workloads.families import CHAIN, PIPELINE_STEPS, TUNED
from mlflow_smwatch.demo.workloads.workload import Workload

RECORDINGS = {recording.name: recording for recording in load_recordings()}
each_recording = pytest.mark.parametrize("name", sorted(RECORDINGS))


def values_of(recording: Recording, host: RecordedHost) -> Mapping[str, list[float]]:
    """Find the values of a host's metrics by the job's own definitions."""
    found = {
        definition.name: [re.search(definition.regex, line.text) for line in host.lines]
        for definition in recording.workload.metric_definitions
    }
    return {name: [float(match[1]) for match in hits if match] for name, hits in found.items()}


def test_every_workload_of_the_catalogue_is_recorded_as_it_stands_there() -> None:
    """A changed workload needs a new recording."""
    assert {recording.workload.name: recording.workload for recording in RECORDINGS.values()} == {
        workload.name: workload for workload in WORKLOADS
    }


def test_recordings_are_small() -> None:
    """All recordings together stay below 1 MB."""
    folder = importlib.resources.files("mlflow_smwatch.demo") / "recordings"
    assert 0 < sum(len(file.read_bytes()) for file in folder.iterdir()) < 1_000_000


@each_recording
def test_dumping_and_loading_gives_the_same_recording_and_the_same_bytes(name: str) -> None:
    """Gzip carries no time, JSON no random order."""
    data = dump_recording(RECORDINGS[name])
    assert load_recording(data) == RECORDINGS[name]
    assert dump_recording(load_recording(data)) == data


@each_recording
def test_hosts_are_named_like_sagemaker_and_each_one_printed(name: str) -> None:
    """What runs on n instances has hosts algo-1 to algo-n with lines in order of time."""
    recording = RECORDINGS[name]
    count = recording.workload.instance_count
    assert [host.name for host in recording.hosts] == [f"algo-{n + 1}" for n in range(count)]
    for host in recording.hosts:
        offsets = [line.offset_ms for line in host.lines]
        assert offsets
        assert offsets == sorted(offsets)
        assert offsets[-1] <= recording.duration_ms


@each_recording
def test_samples_are_percentages(name: str) -> None:
    """Memory and disk stay within 100 %; CPU is the sum over cores."""
    for host in RECORDINGS[name].hosts:
        assert host.samples
        assert any(sample.cpu > 0 for sample in host.samples)
        for sample in host.samples:
            assert sample.cpu >= 0
            assert 0 < sample.memory <= 100
            assert 0 < sample.disk <= 100


@each_recording
def test_every_definition_finds_values_on_every_host(name: str) -> None:
    """No metric of a recording is empty."""
    recording = RECORDINGS[name]
    for host in recording.hosts:
        assert all(values_of(recording, host).values())


@each_recording
def test_stretched_jobs_last_minutes_to_hours(name: str) -> None:
    """One-minute periods mean something: 5 minutes to 8 hours."""
    recording = RECORDINGS[name]
    stretched_s = recording.duration_ms / 1000 * recording.workload.time_scale
    assert 5 * 60 <= stretched_s <= 8 * 3600


@each_recording
def test_text_is_as_cloudwatch_holds_it(name: str) -> None:
    """Neither control characters nor paths of the recording computer are left."""
    lines = itertools.chain.from_iterable(host.lines for host in RECORDINGS[name].hosts)
    text = "\n".join(line.text for line in lines)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    assert not re.search(r"/(home|root|tmp|Users)/", text)


def test_jobs_with_many_epochs_have_hundreds_of_points_of_each_metric() -> None:
    """The network of 400 epochs learnt something, too."""
    recording = RECORDINGS["digits-mlp-adam"]
    values = values_of(recording, recording.hosts[0])
    assert {name: len(points) for name, points in values.items()} == {
        "loss": 400,
        "val_loss": 400,
        "accuracy": 400,
        "val_accuracy": 400,
    }
    assert values["loss"][-1] < values["loss"][0] / 10
    assert values["val_accuracy"][-1] > 0.95


def test_data_parallel_hosts_share_their_weights_and_not_their_losses() -> None:
    """After averaging all hosts score the same on the validation data."""
    recording = RECORDINGS["digits-mlp-3-hosts"]
    values = [values_of(recording, host) for host in recording.hosts]
    assert values[0]["val_accuracy"] == values[1]["val_accuracy"] == values[2]["val_accuracy"]
    assert values[0]["loss"] != values[1]["loss"]
    assert values[1]["loss"] != values[2]["loss"]


def test_failed_job_carries_the_exception_as_sagemaker_words_it() -> None:
    """The reason is made of the traceback that stands in the log."""
    recording = RECORDINGS["wine-svm-failed"]
    assert recording.outcome == "failed"
    reason = recording.failure_reason or ""
    start = 'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: '
    assert reason.startswith(start)
    assert len(reason) <= 1024
    texts = [line.text for line in recording.hosts[0].lines]
    assert "Traceback (most recent call last):" in texts
    assert "ValueError: Input X contains NaN." in texts


def test_stopped_job_ended_half_way_after_sigterm() -> None:
    """The script answers SIGTERM by saving what it has."""
    recording = RECORDINGS["digits-mlp-stopped"]
    assert recording.outcome == "stopped"
    assert recording.model
    points = len(values_of(recording, recording.hosts[0])["loss"])
    assert 10 < points < int(recording.workload.hyperparameters["epochs"])
    assert recording.hosts[0].lines[-1].text.startswith("SIGTERM received")


def test_odd_names_and_no_definitions_are_there() -> None:
    """Names with a colon, blanks, brackets, a percent sign and Chinese characters."""
    odd = RECORDINGS["iris-softmax-odd-names"].workload.metric_definitions
    assert [entry.name for entry in odd] == ["validation:auc", "loss (train) %", "损失"]
    assert RECORDINGS["diabetes-forest-no-definitions"].workload.metric_definitions == ()


def test_gpu_figures_are_said_to_be_synthetic() -> None:
    """Whoever claims a GPU says so."""
    for recording in RECORDINGS.values():
        claims_gpu = recording.workload.instance_type.startswith("ml.g")
        assert (recording.workload.gpu_figures == "synthetic") == claims_gpu


def test_archives_of_equal_files_are_equal() -> None:
    """No time of day gets into an archive, and what is in it comes out again."""
    assert pack_archive({"a": b"1"}) == pack_archive({"a": b"1"})
    assert pack_archive({"a": b"1"}) != pack_archive({"a": b"2"})
    assert unpack_archive(pack_archive({"a": b"1", "b": b""})) == {"a": b"1", "b": b""}


@pytest.mark.parametrize("chain", [CHAIN, PIPELINE_STEPS], ids=["by-hand", "pipeline"])
def test_a_chain_passes_on_what_it_wrote(chain: tuple[Workload, ...]) -> None:
    """All rows are in one of three tables; each row of the last is scored with the model."""
    prepared, trained, scored = (RECORDINGS[workload.name] for workload in chain)
    tables = {path: text.splitlines() for path, text in prepared.outputs.items()}
    assert list(tables) == ["test/test.csv", "train/train.csv", "validation/validation.csv"]
    assert [line.count(",") for lines in tables.values() for line in lines[:1]] == [12, 13, 13]
    left_out = next(line.text for line in prepared.hosts[0].lines if "left out" in line.text)
    assert sum(map(len, tables.values())) == 178 - int(left_out.split()[2])
    read = [line.text for line in trained.hosts[0].lines[:2]]
    rows = {name: len(tables[f"{name}/{name}.csv"]) for name in ("train", "validation")}
    assert read == [f"{name}: {count} rows" for name, count in rows.items()]
    assert list(unpack_archive(base64.b64decode(trained.model or ""))) == ["classifier.joblib"]
    (scores,) = scored.outputs.values()
    assert len(scores.splitlines()) == len(tables["test/test.csv"])
    assert {line.partition(",")[0] for line in scores.splitlines()} == {"0", "1", "2"}


def test_tuned_settings_differ_and_so_do_their_results() -> None:
    """At least eight settings were tried, and one is better than all others."""
    recordings = [RECORDINGS[workload.name] for workload in TUNED]
    settings = {tuple(each.workload.hyperparameters.items()) for each in recordings}
    assert len(settings) == len(recordings) >= 8
    last = sorted(values_of(each, each.hosts[0])["validation:accuracy"][-1] for each in recordings)
    assert last[-2] < last[-1] <= 1


@pytest.fixture
def recorder_needs() -> None:
    """Skip where the libraries for making recordings are not installed."""
    pytest.importorskip("psutil")
    pytest.importorskip("sklearn")


@pytest.mark.usefixtures("recorder_needs")
def test_recorder_runs_one_process_per_host() -> None:
    """Two hosts of two epochs: all lines are there, and a model."""
    workload = RECORDINGS["digits-mlp-2-hosts"].workload
    recording = record(dataclasses.replace(workload, hyperparameters={"epochs": 2}))
    assert recording.outcome == "completed"
    assert recording.failure_reason is None
    assert recording.model
    for host in recording.hosts:
        assert [len(points) for points in values_of(recording, host).values()] == [2, 2, 2]


@pytest.mark.usefixtures("recorder_needs")
def test_recorder_ends_all_hosts_once_one_has_failed() -> None:
    """The hosts refuse their hyperparameters, or are terminated: no host waits for another."""
    workload = RECORDINGS["digits-mlp-3-hosts"].workload
    recording = record(dataclasses.replace(workload, hyperparameters={"epochs": "many"}))
    assert recording.outcome == "failed"
    assert "ExitCode 2" in (recording.failure_reason or "")
    assert "invalid int value: 'many'" in (recording.failure_reason or "")


@pytest.mark.usefixtures("recorder_needs")
def test_recorder_hands_a_chain_on() -> None:
    """What the first step wrote is read by the second, and its model by the third."""
    known: dict[str, Recording] = {}
    for workload in CHAIN:
        few = {"processing-job": {"trees": 20}, "training-job": {"epochs": 2}}
        short = dataclasses.replace(workload, hyperparameters=few.get(workload.kind, {}))
        known[workload.name] = record(short, known)
    assert [each.outcome for each in known.values()] == ["completed"] * 3
    assert not known["wine-train"].outputs
    rows = known["wine-prepare"].outputs["test/test.csv"].count("\n")
    assert known["wine-score"].outputs["test.csv.out"].count("\n") == rows
    assert known["wine-prepare"].model is known["wine-score"].model is None

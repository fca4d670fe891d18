"""The replayed account is what boto3 would see of a real one."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.recording import Recording, load_recordings
from mlflow_smwatch.demo.replay import advance, replay
from mlflow_smwatch.demo.replayed_kinds import DATA_LOG, REPLAYED_KINDS
from mlflow_smwatch.demo.workloads.experiments import EXPERIMENTS, trials_of
from mlflow_smwatch.demo.workloads.families import CHAIN, PIPELINE_STEPS, TUNED, TUNING_JOB
from mlflow_smwatch.demo.workloads.schedule import (
    host_name,
    life_of,
    lines_of,
    place,
    utilisation_of,
)
from mlflow_smwatch.demo.workloads.workload import Workload

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
RECORDINGS = {recording.name: recording for recording in load_recordings()}
TRAINED = {name for name, each in RECORDINGS.items() if each.workload.kind == "training-job"}
ON_HOSTS = {name for name, each in RECORDINGS.items() if REPLAYED_KINDS[each.workload.kind].folder}
TRAINING = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Run an account that holds all recordings as of NOW, and stays there.

    There can be only one at a time: tests that start their own come last in this module.
    """
    with EmulatedAccount() as running:
        running.clock.set(NOW)
        replay(running, RECORDINGS.values(), NOW)
        yield running


@pytest.fixture(scope="module")
def clients(account: EmulatedAccount) -> AccountClients:
    """Return boto3 clients of the account."""
    return AccountClients.of(account)


@pytest.fixture(scope="module")
def jobs(clients: AccountClients) -> Mapping[str, dict[str, Any]]:
    """Describe every job that ListTrainingJobs shows."""
    pages = clients.sagemaker.get_paginator("list_training_jobs").paginate()
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    return {name: clients.sagemaker.describe_training_job(TrainingJobName=name) for name in names}


def events_of(clients: AccountClients, name: str) -> Mapping[str, list[str]]:
    """Read a job's log streams, keyed by what comes after the job's name, less the time."""
    group = REPLAYED_KINDS[RECORDINGS[name].workload.kind].folder
    answer = clients.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
    streams = [stream["logStreamName"] for stream in answer["logStreams"]]
    messages = {}
    for stream in streams:
        events = clients.logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True
        )["events"]
        host = re.sub(r"-\d{10}(?=/|$)", "", stream.removeprefix(f"{name}/"))
        messages[host] = [event["message"] for event in events]
    return messages


def values_of(
    clients: AccountClients,
    metric: str,
    dimension: tuple[str, str],
    since: datetime,
    until: datetime,
    namespace: str = TRAINING,
) -> list[float]:
    """Read a metric's averages per minute over a job's life."""
    answer = clients.cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": metric,
                        "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
                    },
                    "Period": 60,
                    "Stat": "Average",
                },
            }
        ],
        StartTime=since,
        EndTime=until + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


def life(job: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Tell when a training job was created and last modified."""
    return job["CreationTime"], job["LastModifiedTime"]


def test_at_least_twelve_jobs_with_the_statuses_of_their_recordings(
    jobs: Mapping[str, dict[str, Any]],
) -> None:
    """Every recorded training is a job; all but the running one have ended as they did."""
    assert set(jobs) == TRAINED
    assert len(jobs) >= 12
    expected = {name: RECORDINGS[name].outcome.capitalize() for name in TRAINED}
    expected["digits-mlp-running"] = "InProgress"
    assert {name: job["TrainingJobStatus"] for name, job in jobs.items()} == expected
    counts = Counter(expected.values())
    assert counts == {"Completed": len(jobs) - 3, "Failed": 1, "Stopped": 1, "InProgress": 1}


def test_times_lie_in_the_past_and_one_job_is_older_than_15_days(
    jobs: Mapping[str, dict[str, Any]],
) -> None:
    """Created, started, ended and modified follow one another."""
    for name, job in jobs.items():
        assert job["CreationTime"] < job["TrainingStartTime"] <= job["LastModifiedTime"] <= NOW
        if name != "digits-mlp-running":
            assert job["LastModifiedTime"] == job["TrainingEndTime"]
    ages = {name: NOW - job["LastModifiedTime"] for name, job in jobs.items()}
    assert [name for name, age in ages.items() if age > timedelta(days=15)] == [
        "wine-softmax-last-month"
    ]


def test_failed_and_stopped_jobs_say_so(jobs: Mapping[str, dict[str, Any]]) -> None:
    """FailureReason is the recorded one; a stopped job went through Stopping."""
    assert jobs["wine-svm-failed"]["FailureReason"] == RECORDINGS["wine-svm-failed"].failure_reason
    stopped = [step["Status"] for step in jobs["digits-mlp-stopped"]["SecondaryStatusTransitions"]]
    assert stopped == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    ended = [step["Status"] for step in jobs["digits-mlp-adam"]["SecondaryStatusTransitions"]]
    assert ended == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_request_is_the_sdks(jobs: Mapping[str, dict[str, Any]]) -> None:
    """Hyperparameters are JSON-encoded; definitions and channels are there."""
    job = jobs["digits-mlp-adam"]
    parameters = job["HyperParameters"]
    assert parameters["solver"] == '"adam"'
    assert parameters["epochs"] == "400"
    assert parameters["sagemaker_program"] == '"digits_mlp.py"'
    assert parameters["sagemaker_submit_directory"].startswith('"s3://')
    assert "DB_PASSWORD" in job["Environment"]
    channels = [channel["ChannelName"] for channel in job["InputDataConfig"]]
    assert channels == ["training", "validation"]
    odd = jobs["iris-softmax-odd-names"]["AlgorithmSpecification"]["MetricDefinitions"]
    assert [entry["Name"] for entry in odd] == ["validation:auc", "loss (train) %", "损失"]
    algorithm = jobs["diabetes-forest-no-definitions"]["AlgorithmSpecification"]
    assert "MetricDefinitions" not in algorithm


def test_processing_and_transform_jobs_have_ended(clients: AccountClients) -> None:
    """They have their own times and places; a transform job's model is the training job's."""
    processed = clients.sagemaker.describe_processing_job(ProcessingJobName="wine-prepare")
    trained = clients.sagemaker.describe_training_job(TrainingJobName="wine-train")
    scored = clients.sagemaker.describe_transform_job(TransformJobName="wine-score")
    for noun, job in (("Processing", processed), ("Transform", scored)):
        assert job[f"{noun}JobStatus"] == "Completed"
        assert job["CreationTime"] < job[f"{noun}StartTime"] < job[f"{noun}EndTime"] < NOW
    outputs = {
        each["OutputName"]: each["S3Output"]["S3Uri"]
        for each in processed["ProcessingOutputConfig"]["Outputs"]
    }
    read = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in trained["InputDataConfig"]
    }
    assert read == {name: outputs[name] for name in ("train", "validation")}
    source = scored["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert source == outputs["test"]
    model = clients.sagemaker.describe_model(ModelName=scored["ModelName"])
    artifact = trained["ModelArtifacts"]["S3ModelArtifacts"]
    assert model["PrimaryContainer"]["ModelDataUrl"] == artifact
    assert {"--scaling", "standard"} < set(processed["AppSpecification"]["ContainerArguments"])


@pytest.mark.parametrize(
    ("job", "path"),
    [("wine-prepare", "train/train.csv"), ("wine-score", "test.csv.out")],
)
def test_what_a_job_wrote_is_there(clients: AccountClients, job: str, path: str) -> None:
    """The recorded files lie under the output."""
    found = clients.s3.get_object(Bucket=clients.bucket, Key=f"{job}/output/{path}")
    assert found["Body"].read().decode() == RECORDINGS[job].outputs[path]


@pytest.mark.parametrize(("before", "after"), [(n, n + 1) for n in range(2)])
@pytest.mark.parametrize("chain", [CHAIN, PIPELINE_STEPS], ids=["by-hand", "pipeline"])
def test_a_chain_is_in_order(chain: tuple[Workload, ...], before: int, after: int) -> None:
    """No job begins before what it reads is there."""
    jobs = [place(RECORDINGS[workload.name], NOW) for workload in chain]
    assert jobs[before].finished + timedelta(seconds=20) < jobs[after].created


def test_children_name_their_tuning_job(jobs: Mapping[str, dict[str, Any]]) -> None:
    """TuningJobArn is in the answers on those and on no others."""
    parents = {name: job["TuningJobArn"] for name, job in jobs.items() if "TuningJobArn" in job}
    assert set(parents) == {workload.name for workload in TUNED}
    (parent,) = set(parents.values())
    assert parent.endswith(f":hyper-parameter-tuning-job/{TUNING_JOB}")


def test_experiments_have_descriptions_trials_and_tags(clients: AccountClients) -> None:
    """Two experiments of two trials each."""
    for experiment in EXPERIMENTS:
        described = clients.sagemaker.describe_experiment(ExperimentName=experiment.name)
        assert described["Description"] == experiment.description
        tags = clients.sagemaker.list_tags(ResourceArn=described["ExperimentArn"])["Tags"]
        found = {tag["Key"]: tag["Value"] for tag in tags}
        assert found == {"emulated": "true", **experiment.tags}
        trials = clients.sagemaker.list_trials(ExperimentName=experiment.name)["TrialSummaries"]
        assert {trial["TrialName"] for trial in trials} == set(experiment.trials)
        assert len(trials) >= 2


def test_jobs_name_their_trials(jobs: Mapping[str, dict[str, Any]]) -> None:
    """Those in a trial were created with it."""
    for name, job in jobs.items():
        config = job.get("ExperimentConfig")
        found = [(config["ExperimentName"], config["TrialName"])] if config else []
        assert tuple(found) == trials_of(name)


def test_an_analysis_is_a_trial_component_in_two_trials(clients: AccountClients) -> None:
    """Its parameters, artifacts and whole series are there."""
    name = "wine-learning-curve"
    component = clients.sagemaker.describe_trial_component(TrialComponentName=name)
    assert component["Status"]["PrimaryStatus"] == "Completed"
    assert component["Parameters"]["splits"] == {"NumberValue": 8.0}
    assert set(component["InputArtifacts"]) == {"raw"}
    assert set(component["OutputArtifacts"]) == {"report"}
    listed = clients.sagemaker.list_trials(TrialComponentName=name)["TrialSummaries"]
    assert {each["TrialName"] for each in listed} == {"feature-transforms", "standard-scaling"}
    query = {
        "MetricName": "accuracy",
        "ResourceArn": component["TrialComponentArn"],
        "MetricStat": "Last",
        "Period": "IterationNumber",
        "XAxisType": "IterationNumber",
    }
    (series,) = clients.metrics.batch_get_metrics(MetricQueries=[query])["MetricQueryResults"]
    lines = [line.text for line in RECORDINGS[name].hosts[0].lines]
    values = [float(re.findall(r"accuracy=([0-9.]+);", line)[0]) for line in lines]
    assert (series["XAxisValues"], series["MetricValues"]) == (list(range(len(values))), values)


def test_another_analysis_has_summaries_alone(clients: AccountClients) -> None:
    """Thirty values are one summary; there is no series."""
    name = "breast-cancer-stumps"
    component = clients.sagemaker.describe_trial_component(TrialComponentName=name)
    (metric,) = component["Metrics"]
    assert (metric["MetricName"], metric["Count"]) == ("auc", 30)
    assert metric["Min"] < metric["Avg"] < metric["Max"] <= 1
    assert metric["Min"] < metric["Last"] < metric["Max"]


@pytest.mark.parametrize("name", sorted(ON_HOSTS - {"digits-mlp-running"}))
def test_log_streams_hold_every_recorded_line(clients: AccountClients, name: str) -> None:
    """One stream per host, complete and in order, whatever its age; transform jobs two."""
    job = place(RECORDINGS[name], NOW)
    expected = {
        host_name(job, host): [text for _, text in lines_of(job, host)]
        for host in job.recording.hosts
    }
    if job.kind == "transform-job":
        (instance,) = expected
        assert re.fullmatch(r"i-0[0-9a-f]{16}", instance)
        expected[f"{instance}/data-log"] = [DATA_LOG]
    assert events_of(clients, name) == expected


@pytest.mark.parametrize("name", sorted(ON_HOSTS - {"wine-softmax-last-month"}))
def test_hosts_have_one_datum_of_each_metric_a_minute(clients: AccountClients, name: str) -> None:
    """What every host used is as recorded, minute by minute; transform jobs tell no disk."""
    job = place(RECORDINGS[name], NOW)
    until = min(NOW, job.finished)
    namespace = REPLAYED_KINDS[job.kind].folder or ""
    for host in job.recording.hosts:
        due = [figures for minute, figures in utilisation_of(job, host) if minute <= NOW]
        dimension = ("Host", f"{name}/{host_name(job, host)}")
        for metric in ("CPUUtilization", "DiskUtilization"):
            seen = values_of(clients, metric, dimension, job.created, until, namespace)
            is_there = (job.kind, metric) != ("transform-job", "DiskUtilization")
            assert seen == [figures[metric] for figures in due if is_there]


def test_gpu_figures_are_labelled_synthetic(
    clients: AccountClients, jobs: Mapping[str, dict[str, Any]]
) -> None:
    """The tag says so, and so does the log; nobody else has any."""
    arn = jobs["digits-mlp-gpu"]["TrainingJobArn"]
    tags = {
        tag["Key"]: tag["Value"] for tag in clients.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    }
    assert tags["gpu-figures"] == "synthetic"
    assert tags["emulated"] == "true"
    assert tags["time-scale"] == "1 recorded second = 240 s"
    assert "synthetic" in events_of(clients, "digits-mlp-gpu")["algo-1"][0]
    for name, job in jobs.items():
        seen = values_of(clients, "GPUUtilization", ("Host", f"{name}/algo-1"), *life(job))
        assert bool(seen) == (name == "digits-mlp-gpu")


def test_account_derives_algorithm_metrics_from_the_logs(
    clients: AccountClients, jobs: Mapping[str, dict[str, Any]]
) -> None:
    """The last loss of the log is the final metric; CloudWatch has its minutes."""
    job = jobs["digits-mlp-adam"]
    final = {entry["MetricName"]: entry["Value"] for entry in job["FinalMetricDataList"]}
    assert final["loss"] == pytest.approx(0.000362, abs=0.001)
    minutes = values_of(clients, "loss", ("TrainingJobName", "digits-mlp-adam"), *life(job))
    assert 60 < len(minutes) <= 136
    assert minutes[0] > minutes[-1]


@pytest.mark.parametrize("name", ["digits-mlp-adam", "digits-mlp-stopped"])
def test_model_artifact_is_where_the_job_says(
    clients: AccountClients, jobs: Mapping[str, dict[str, Any]], name: str
) -> None:
    """The link leads to a real archive of the trained weights."""
    _, _, rest = jobs[name]["ModelArtifacts"]["S3ModelArtifacts"].partition("://")
    bucket, _, key = rest.partition("/")
    packed = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["weights.joblib"]


def test_failed_job_has_no_model(clients: AccountClients) -> None:
    """Nothing lies under the output of a failed job."""
    answer = clients.s3.list_objects_v2(Bucket=clients.bucket, Prefix="wine-svm-failed/output/")
    assert answer["KeyCount"] == 0


def test_running_job_moves_on_and_ends() -> None:
    """Advancing in steps gives the same logs as the recording has, each line once."""
    recording = RECORDINGS["digits-mlp-running"]
    with EmulatedAccount() as account:
        clients = AccountClients.of(account)
        account.clock.set(NOW)
        (live,) = replay(account, [recording], NOW)
        counts = [len(events_of(clients, live.name)["algo-1"])]
        for minutes in (1, 1, 2, 7, 60):
            now = live.written_until + timedelta(minutes=minutes)
            account.clock.set(now)
            live = advance(account, live, now)
            counts.append(len(events_of(clients, live.name)["algo-1"]))
        job = clients.sagemaker.describe_training_job(TrainingJobName=live.name)
    assert 100 < counts[0] < counts[1] < counts[2] < counts[3] < counts[4] < counts[5]
    assert counts[-1] == len(recording.hosts[0].lines)
    assert live.is_over
    assert job["TrainingJobStatus"] == "Completed"
    assert job["LastModifiedTime"] == pytest.approx(
        live.job.finished, abs=timedelta(milliseconds=1)
    )


def test_advance_of_an_ended_job_changes_nothing() -> None:
    """The demo need not know which of its jobs still run."""
    with EmulatedAccount() as account:
        account.clock.set(NOW)
        (live,) = replay(account, [RECORDINGS["digits-mlp-running"]], NOW)
        later = NOW + timedelta(days=1)
        account.clock.set(later)
        ended = advance(account, live, later)
        assert advance(account, ended, later + timedelta(hours=1)) == ended


@pytest.mark.parametrize("recording", RECORDINGS.values(), ids=list(RECORDINGS))
def test_life_is_in_order(recording: Recording) -> None:
    """No step comes before the one that it follows."""
    job = place(recording, NOW)
    moments = [job.created, *(step.at for step in life_of(job))]
    assert moments == sorted(moments)
    assert moments[-1] == job.finished


def test_replay_needs_neither_scikit_learn_nor_psutil() -> None:
    """Those are for recording."""
    code = (
        "import sys, mlflow_smwatch.demo.replay;"
        "sys.exit(bool({'sklearn', 'psutil', 'numpy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
    )

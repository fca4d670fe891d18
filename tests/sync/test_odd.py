from __future__ import annotations

import hashlib
import json
from pathlib import Path

import mlflow.artifacts
import pytest

from tests.jobs import (
    HOUR_MS,
    averages,
    billed,
    curve,
    final_metrics,
    job_answer,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import DISCOVERY, DOCUMENTS, METRICS, Mirror, datasets, models


def document(mirror: Mirror, job: str = "job") -> str:
    """Give the text of a run's ``sagemaker/job.json``."""
    path = mlflow.artifacts.download_artifacts(
        run_id=mirror.run(job).info.run_id,
        artifact_path="sagemaker/job.json",
        tracking_uri=mirror.uri,
    )
    return Path(path).read_text(encoding="utf-8")


def test_long_failure_reason_is_cut_in_the_tag_only(mirror: Mirror) -> None:
    """10,000 characters become 8,000 in the tag; the whole stands in ``sagemaker/job.json``."""
    created_ms = now_ms() - 2 * HOUR_MS
    text = "".join(f"line {number} of the trace\n" for number in range(500))[:10_000]
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            status="Failed",
            FailureReason=text,
        )
    )
    assert mirror.sync().failed == []
    run = mirror.run("job")
    assert run.data.tags["sagemaker.failure_reason"] == text[:8000]
    assert run.info.status == "FAILED"
    assert json.loads(document(mirror))["FailureReason"] == text
    assert mirror.sync().jobs["unchanged"] == 1


def test_many_long_hyperparameters(mirror: Mirror) -> None:
    """100 of the longest names and values that SageMaker takes: all are params, none is lost."""
    created_ms = now_ms() - 2 * HOUR_MS
    given = {f"{'n' * 250}-{number:04}": f"{number}" + "v" * 2490 for number in range(99)}
    given["json"] = json.dumps("é" * 7000, ensure_ascii=False)
    mirror.account.put_training_job(
        job_answer(
            "job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS, HyperParameters=given
        )
    )
    put_loss(mirror.account, "job", curve(created_ms, 5))
    assert mirror.sync().failed == []
    params = mirror.run("job").data.params
    assert len(params) == 100
    assert params["json"] == "é" * 6000
    assert all(len(key) <= 250 for key in params)
    values = {value for key, value in params.items() if key != "json"}
    assert values == {value for key, value in given.items() if key != "json"}
    assert json.loads(document(mirror))["HyperParameters"] == given
    assert len(mirror.series("job")["loss"]) == 5
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def test_odd_metric_names_keep_their_points(mirror: Mirror) -> None:
    """Characters that MLflow refuses become ``_``; names that collide get a number, sorted."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    keys = {
        "validation:auc": "validation:auc",
        "loss (train) %": "loss _train_ _",
        "损失": "损失",
        "a!b": "a_b",
        "a?b": "a_b_2",
        "a_b": "a_b_3",
        "/top//deep/": "_top/_deep_",
        "up/../down": "up/__/down",
        "x" * 255: f"{'x' * 241}_{hashlib.sha256(b'x' * 255).hexdigest()[:8]}",
    }
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=tuple(keys))
    )
    expected = {}
    for number, (name, key) in enumerate(keys.items()):
        samples = curve(created_ms, 3, first=float(number))
        put_loss(mirror.account, "job", samples, name)
        expected[key] = averages(samples, created_ms)
    assert mirror.sync().failed == []
    assert mirror.series("job") == expected
    assert mirror.sync().jobs["unchanged"] == 1


def test_metric_named_like_the_mirrors_own_keys(mirror: Mirror) -> None:
    """Metric names are settled first: a utilisation or duration of the same key gets a number."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    ended_ms = created_ms + HOUR_MS
    cpu, billable = "system/algo-1/cpu_utilization_percentage", "sagemaker/billable_seconds"
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=ended_ms,
            metrics=(cpu, billable),
            BillableTimeInSeconds=60,
        )
    )
    metric, host = curve(created_ms, 3), curve(created_ms, 5, first=500.0)
    put_loss(mirror.account, "job", metric, cpu)
    put_loss(mirror.account, "job", metric, billable)
    put_host(mirror.account, "job", host)
    mirror.sync()
    assert mirror.points("job") == {
        cpu: averages(metric, created_ms),
        f"{cpu}_2": averages(host, created_ms),
        billable: averages(metric, created_ms),
        f"{billable}_2": [(ended_ms, 0, 60.0)],
        "sagemaker/cost_usd": billed(ended_ms, 60.0)["sagemaker/cost_usd"],
    }
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def test_a_key_once_given_stays(mirror: Mirror) -> None:
    """A name that appears later and would sort first does not take the key of another."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, metrics=("a?b",)))
    put_loss(mirror.account, "job", curve(created_ms, 3), "a?b")
    mirror.sync()
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            metrics=("a?b",),
            FinalMetricDataList=final_metrics({"a!b": 7.0}, created_ms),
        )
    )
    mirror.sync()
    assert mirror.series("job") == {
        "a_b": averages(curve(created_ms, 3), created_ms),
        "a_b_2": [(created_ms, 0, 7.0)],
    }


def test_watermark_over_the_limit_of_a_tag_is_continued(mirror: Mirror) -> None:
    """40 long definitions and 16 hosts: the watermark goes on in further tags and is read back."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    names = tuple(f"{'metric' * 40}{number:02}" for number in range(40))
    hosts = [f"algo-{number}" for number in range(1, 17)]

    def put(count: int, ended_ms: int | None) -> None:
        mirror.account.put_training_job(
            job_answer("job", created_ms=created_ms, ended_ms=ended_ms, metrics=names, hosts=16)
        )
        for name in names:
            put_loss(mirror.account, "job", curve(created_ms, count)[-1:], name)
        for host in hosts:
            put_host(mirror.account, "job", curve(created_ms, count)[-1:], host=host)

    put(1, None)
    mirror.sync_to(created_ms + 5 * 60_000)
    tags = mirror.run("job").data.tags
    parts = [key for key in tags if key == "smwatch.state" or key.startswith("smwatch.state.")]
    assert len(parts) >= 2
    assert all(len(tags[key]) <= 8000 for key in parts)
    assert sum(mirror.watermark("job").points.values()) == 56
    put(10, created_ms + HOUR_MS)
    report = mirror.sync()
    assert report.points == 56
    assert mirror.is_final("job")
    assert sum(mirror.watermark("job").points.values()) == 112
    expected = averages([curve(created_ms, 10)[0], curve(created_ms, 10)[-1]], created_ms)
    assert set(mirror.series("job")) == {
        *names,
        *(f"system/{host}/cpu_utilization_percentage" for host in hosts),
    }
    assert all(points == expected for points in mirror.series("job").values())
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before
    assert mirror.account.calls == DISCOVERY


def test_text_that_no_store_holds(mirror: Mirror) -> None:
    """NUL and lone surrogates become U+FFFD in params, tags and the document."""
    created_ms = now_ms() - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            status="Failed",
            FailureReason="before\x00after\ud800end",
            HyperParameters={"odd": "a\x00b", "sur": "c\udfffd", "json": '"x\\u0000y\\ud83d"'},
        ),
        tags={"tag": "t\x00t"},
    )
    report = mirror.sync()
    assert report.failed == []
    run = mirror.run("job")
    assert run.data.tags["sagemaker.failure_reason"] == "before\ufffdafter\ufffdend"
    assert run.data.params == {"odd": "a\ufffdb", "sur": "c\ufffdd", "json": "x\ufffdy\ufffd"}
    assert run.data.tags["sagemaker.tag.tag"] == "t\ufffdt"
    assert "smwatch.warning" not in run.data.tags
    assert json.loads(document(mirror))["TrainingJobName"] == "job"
    assert mirror.sync().jobs["unchanged"] == 1


def test_secrets_reach_neither_tags_nor_params_nor_the_document(mirror: Mirror) -> None:
    """Values under telling names, and texts that look like keys, are ``***`` everywhere."""
    created_ms = now_ms() - 2 * HOUR_MS
    key = "AKIAIOSFODNN7EXAMPLE"
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            status="Failed",
            HyperParameters={"api_token": "hunter2-a", "tokenizer": "bert", "num_keys": "4"},
            Environment={"DB_PASSWORD": "hunter2-b", "MODE": "fast"},
            FailureReason=f"could not sign in with {key}",
        ),
        tags={"owner": f"see {key}", "password": "hunter2-c"},
    )
    mirror.sync()
    run = mirror.run("job")
    text = json.dumps([run.data.params, run.data.tags]) + document(mirror)
    assert "hunter2-a" not in text
    assert "hunter2-b" not in text
    assert key not in text
    assert run.data.params == {"api_token": "***", "tokenizer": "bert", "num_keys": "4"}
    described = json.loads(document(mirror))
    assert described["Environment"] == {"DB_PASSWORD": "***", "MODE": "fast"}
    raw = mirror.database.read_bytes()
    assert b"hunter2-a" not in raw
    assert b"hunter2-b" not in raw
    assert key.encode() not in raw


def test_job_without_points_and_definitions(mirror: Mirror) -> None:
    """A job with neither definitions nor points is mirrored, final, with instance series asked."""
    created_ms = now_ms() - 2 * HOUR_MS
    bare = job_answer("bare", created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=())
    del bare["AlgorithmSpecification"]["MetricDefinitions"]
    mirror.account.put_training_job(bare)
    with_host = job_answer("host", created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=())
    mirror.account.put_training_job(with_host)
    put_host(mirror.account, "host", curve(created_ms, 4))
    report = mirror.sync()
    assert report.jobs["created"] == 2
    assert mirror.points("bare") == {}
    assert mirror.is_final("bare")
    assert mirror.run("bare").data.tags["smwatch.metric_source"] == "none"
    assert mirror.series("host") == {
        "system/algo-1/cpu_utilization_percentage": averages(curve(created_ms, 4), created_ms)
    }
    assert mirror.account.calls == {**DISCOVERY, METRICS: 1}


def test_job_that_failed_before_it_had_resources(mirror: Mirror) -> None:
    """The least that AWS tells of a job is enough for a run."""
    created_ms = now_ms() - 2 * HOUR_MS
    least = job_answer("job", created_ms=created_ms, status="Failed", metrics=())
    for key in ("AlgorithmSpecification", "ResourceConfig", "RoleArn", "LastModifiedTime"):
        del least[key]
    mirror.account.put_training_job(least)
    report = mirror.sync("job")
    assert report.failed == []
    run = mirror.run("job")
    assert run.info.status == "FAILED"
    assert "sagemaker.image" not in run.data.tags


def test_fifty_resource_tags_and_a_thousand_points(mirror: Mirror) -> None:
    """All 50 tags of a job, its params and 2,000 points stand within MLflow's batch limits."""
    created_ms = whole(now_ms()) - 40 * HOUR_MS
    tags = {f"key {number}/{'k' * 100}": "v" * 256 for number in range(50)}
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + 34 * HOUR_MS,
            HyperParameters={f"p{number}": str(number) for number in range(100)},
        ),
        tags=tags,
    )
    put_loss(mirror.account, "job", curve(created_ms, 2000))
    report = mirror.sync()
    assert report.failed == []
    assert report.points == 2000
    run = mirror.run("job")
    assert len(mirror.series("job")["loss"]) == 2000
    kept = {key: value for key, value in run.data.tags.items() if key.startswith("sagemaker.tag.")}
    assert kept == {f"sagemaker.tag.{key}": value for key, value in tags.items()}
    assert len(run.data.params) == 100


def test_facts_that_are_gone_lose_their_tags(mirror: Mirror) -> None:
    """A resource tag that was removed or changed in AWS is removed or changed in MLflow."""
    created_ms = now_ms() - 2 * HOUR_MS
    answer = job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    mirror.account.put_training_job(answer, tags={"gone": "1", "stage": "test"})
    mirror.sync()
    mirror.account.put_training_job(answer, tags={"stage": "live"})
    report = mirror.sync()
    tags = mirror.run("job").data.tags
    assert report.jobs["updated"] == 1
    assert "sagemaker.tag.gone" not in tags
    assert tags["sagemaker.tag.stage"] == "live"
    assert mirror.account.calls == DISCOVERY
    assert mirror.sync().jobs["unchanged"] == 1


def test_inputs_and_model(mirror: Mirror) -> None:
    """Channels are dataset inputs, the artifact is one model, also after a second pass."""
    created_ms = now_ms() - 2 * HOUR_MS
    channels = [
        {
            "ChannelName": name,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://d/{name}/"}},
        }
        for name in ("train", "test")
    ]
    uri = "s3://models/job/output/model.tar.gz"
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            InputDataConfig=channels,
            ModelArtifacts={"S3ModelArtifacts": uri},
        )
    )
    mirror.sync()
    run = mirror.run("job")
    names = {each.name: json.loads(each.source) for each in datasets(run)}
    assert names == {"train": {"uri": "s3://d/train/"}, "test": {"uri": "s3://d/test/"}}
    (model_id,) = models(run)
    model = mirror.client.get_logged_model(model_id)
    assert (model.name, str(model.status)) == ("job", "READY")
    assert uri in model.params.values()
    assert uri in model.tags.values()
    assert run.data.tags["sagemaker.model_artifact"] == uri
    assert mirror.sync().jobs["unchanged"] == 1
    assert models(mirror.run("job")) == [model_id]


@pytest.mark.parametrize("artifacts", ["none", "link"])
def test_document_is_stored_on_demand(mirror: Mirror, artifacts: str) -> None:
    """``artifacts="none"`` stores no file, ``link`` the description and the lineage."""
    created_ms = now_ms() - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    mirror.sync(artifacts=artifacts)
    found = mirror.client.list_artifacts(mirror.run("job").info.run_id, "sagemaker")
    assert [each.path for each in found] == (DOCUMENTS if artifacts == "link" else [])

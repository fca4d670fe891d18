"""A training job in which every text tries to run a script in the page that shows it."""

from __future__ import annotations

from typing import Any

from tests.jobs import HOUR_MS, Samples, curve, job_answer, now_ms

NAME = "hostile-texts"
MARK = "scriptWasRun"
IMAGE = f'<img src=x onerror="window.{MARK}=1">'
SCRIPT = f"<script>window.{MARK}=1</script>"
LINK = f"[link](javascript:window.{MARK}=1)"
TEXTS = IMAGE + SCRIPT + LINK


def hostile_job() -> tuple[dict[str, Any], dict[str, str], Samples]:
    """Make a failed job's DescribeTrainingJob answer, its resource tags, and a metric's samples."""
    created_ms = now_ms() - 2 * HOUR_MS
    answer = job_answer(
        NAME,
        created_ms=created_ms,
        ended_ms=created_ms + HOUR_MS,
        status="Failed",
        metrics=(IMAGE,),
        FailureReason=TEXTS,
        HyperParameters={IMAGE: TEXTS, "sagemaker_program": TEXTS, "plain": TEXTS},
        InputDataConfig=[
            {
                "ChannelName": "training",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{TEXTS}"}
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://b/{TEXTS}"},
        ModelArtifacts={"S3ModelArtifacts": f"s3://b/{TEXTS}/model.tar.gz"},
    )
    return answer, {"note": TEXTS, LINK: TEXTS}, curve(created_ms, 30)

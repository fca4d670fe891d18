"""An account in which every text that AWS leaves free is hostile, one job of each kind."""

from __future__ import annotations

from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.hostile.texts import TEXTS, one_line
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    NAMESPACE,
    Events,
    curve,
    final_metrics,
    job_answer,
    moment,
    now_ms,
    put_host,
    put_loss,
    whole,
)

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
LIFE: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
ALL = " ".join(TEXTS)
REASON = ALL[:1024]
LINES = tuple(dict.fromkeys(map(one_line, TEXTS)))
"""Each text as AWS takes it where it wants one line."""
HYPERPARAMETERS = {
    **{each[:256]: (each * 100)[:2500] for each in LINES},
    **{f"{'x' * 250}{n:02}": "é" * 2500 for n in range(100 - len(LINES))},
}
TAGS = {
    **{each[:128]: each[:256] for each in LINES},
    **{f"{'t' * 120}{n}": "" for n in range(50 - len(LINES))},
}
METRICS = tuple(dict.fromkeys(each[:255] for each in LINES))[:40]
HOSTS = 16
ENVIRONMENT = {f"VARIABLE_{n}": each[:256] for n, each in enumerate(TEXTS)}
PLACES = [f"s3://bucket/{each}"[:1024] for each in LINES]
STREAMS = (
    "algo-1-1700000000",
    "../../etc/shadow",
    "%2e%2e%2fetc-1700000000",
    "..",
    "<script>-1",
    "\u202e-2",
    "\x1b[2J-3",
    "a\nb-4",
    f"algo-9-{'9' * 60}",
)
LOGGED = "value=(\\S+)"
EXECUTION = "abcdefghijkl"
RUNAWAY = r"(a+)+$|(?=.)(x+x+)+y=(.*)"


def put_hostile_account(account: EmulatedAccount) -> None:
    """Fill an empty account."""
    _put_training(account)
    _put_logged(account)
    _put_experiment(account)
    _put_processing(account)
    _put_transform_and_endpoint(account)
    _put_groups(account)


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {"ChannelName": name, "DataSource": source}


def _put_training(account: EmulatedAccount) -> None:
    """Put a job of 40 definitions on 16 hosts, its points in CloudWatch."""
    answer = job_answer(
        "training",
        **LIFE,
        status="Failed",
        metrics=METRICS,
        hosts=HOSTS,
        FailureReason=REASON,
        HyperParameters=HYPERPARAMETERS,
        Environment=ENVIRONMENT,
        InputDataConfig=[_channel(f"..{n}", uri) for n, uri in enumerate(PLACES[:20])],
        OutputDataConfig={"S3OutputPath": PLACES[0]},
        ModelArtifacts={"S3ModelArtifacts": PLACES[1]},
        CheckpointConfig={"S3Uri": PLACES[2]},
        TensorBoardOutputConfig={"S3OutputPath": PLACES[3]},
        FinalMetricDataList=final_metrics({METRICS[-1]: 1e308}, ENDED_MS),
        SecondaryStatusTransitions=[
            {
                "Status": "Training",
                "StartTime": moment(CREATED_MS),
                "EndTime": moment(ENDED_MS),
                "StatusMessage": ALL,
            }
        ],
    )
    answer["AlgorithmSpecification"]["TrainingImage"] = LINES[0]
    answer["AlgorithmSpecification"]["ContainerArguments"] = list(LINES)
    account.put_training_job(answer, TAGS)
    for metric in METRICS[:-1]:
        put_loss(account, "training", curve(CREATED_MS, 2), metric)
    for host in range(1, HOSTS + 1):
        put_host(account, "training", curve(CREATED_MS, 2), host=f"algo-{host}")


def log_lines() -> Events:
    """Give lines that hold a value beside each text, and values that are none."""
    lines = [f"{each} value={n} {each}" for n, each in enumerate(TEXTS)]
    lines += [f"value={each}" for each in ("1e999", "-1e999", "nan", "1e400x", "", "१", "1_0")]
    lines.append("a" * 5000)
    return [(CREATED_MS + n * 1000, line) for n, line in enumerate(lines)]


def _put_logged(account: EmulatedAccount) -> None:
    """Put a job whose metrics are in logs of hostile names, with definitions that do not work."""
    answer = job_answer("logged", **LIFE, HyperParameters={})
    names = (*METRICS[:6], "loss", "loss\t", "loss ")
    regexes = (RUNAWAY, "(", "no group", "([\x1b])")
    answer["AlgorithmSpecification"]["MetricDefinitions"] = [
        *({"Name": name, "Regex": LOGGED} for name in names),
        *({"Name": f"broken {n}", "Regex": regex} for n, regex in enumerate(regexes)),
    ]
    account.put_training_job(answer)
    for stream in STREAMS:
        account.put_log_events(NAMESPACE, f"logged/{stream}", log_lines(), publish=False)


def _put_experiment(account: EmulatedAccount) -> None:
    """Put an experiment, a trial, and a component that is no job's."""
    store = account.experiments
    store.put_experiment("study", description=ALL[:3000], tags=TAGS)
    store.put_trial("trial", "study", created=moment(CREATED_MS), tags=TAGS)
    artifacts = {
        each[:64]: {"MediaType": "text/plain", "Value": uri}
        for each, uri in zip(LINES, PLACES, strict=True)
    }
    component = {
        "TrialComponentName": "component",
        "Status": {"PrimaryStatus": "Failed", "Message": one_line(ALL)[:1024]},
        "CreationTime": moment(CREATED_MS),
        "LastModifiedTime": moment(ENDED_MS),
        "EndTime": moment(ENDED_MS),
        "Parameters": {each[:320]: {"StringValue": each} for each in LINES},
        "InputArtifacts": dict(list(artifacts.items())[:30]),
        "OutputArtifacts": dict(list(artifacts.items())[10:40]),
        "Metrics": [
            {
                "MetricName": name,
                "Last": 1.0,
                "Min": -1e308,
                "Max": float("inf"),
                "Avg": float("nan"),
                "StdDev": 0.0,
                "Count": 5,
                "TimeStamp": moment(ENDED_MS),
            }
            for name in METRICS
        ],
    }
    store.put_trial_component(component, trials=["trial"])


def _put_processing(account: EmulatedAccount) -> None:
    answer = kinds.processing_job(
        "processing",
        **LIFE,
        status="Failed",
        inputs=dict(zip(LINES, PLACES, strict=True)),
        outputs=dict(zip(reversed(LINES), PLACES, strict=True)),
        FailureReason=REASON,
        ExitMessage=REASON,
        Environment=ENVIRONMENT,
        AppSpecification={
            "ImageUri": "".join(LINES[1].split()),
            "ContainerArguments": list(LINES),
            "ContainerEntrypoint": list(LINES),
        },
    )
    account.put_job("processing-job", answer, TAGS)


def _put_transform_and_endpoint(account: EmulatedAccount) -> None:
    made: dict[str, Any] = {"created_ms": CREATED_MS}
    account.put_model(kinds.model("model", image=LINES[0], data=PLACES[0], **made))
    transform = kinds.transform_job(
        "transform", **LIFE, source=PLACES[1], target=PLACES[2], FailureReason=REASON
    )
    account.put_job("transform-job", {**transform, "Environment": ENVIRONMENT}, TAGS)
    for name in STREAMS:
        stream = f"transform/{name}"
        account.put_log_events("/aws/sagemaker/TransformJobs", stream, log_lines()[:3])
    account.put_endpoint_config(kinds.endpoint_config("config", **made))
    endpoint = kinds.endpoint("endpoint", status="Failed", **made)
    capture = {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 1,
        "DestinationS3Uri": PLACES[3],
        "KmsKeyId": "",
    }
    endpoint |= {"FailureReason": REASON, "DataCaptureConfig": capture}
    account.put_job("endpoint", endpoint, TAGS)


def _put_groups(account: EmulatedAccount) -> None:
    tuning = kinds.tuning_job(
        "tuning", **LIFE, objective=METRICS[0], tuned=LINES[:30], FailureReason=REASON
    )
    definition = tuning["TrainingJobDefinition"]
    definition["StaticHyperParameters"] = HYPERPARAMETERS
    definition["InputDataConfig"] = [_channel("a", uri) for uri in PLACES[:20]]
    ranges = tuning["HyperParameterTuningJobConfig"]["ParameterRanges"]
    ranges["CategoricalParameterRanges"] = [
        {"Name": each, "Values": list(LINES)} for each in LINES[:30]
    ]
    account.put_job("tuning-job", tuning, TAGS)
    automl = kinds.automl_job(
        "automl", **LIFE, status="Failed", source=PLACES[4], target=PLACES[5], FailureReason=REASON
    )
    account.put_job("automl-job", automl, TAGS)
    execution = kinds.pipeline_execution(
        EXECUTION,
        **LIFE,
        status="Failed",
        FailureReason=one_line(REASON),
        PipelineExecutionDescription=one_line(ALL)[:3000],
        PipelineParameters=[{"Name": f"P{n}", "Value": each} for n, each in enumerate(TEXTS)],
    )
    step = kinds.pipeline_step(
        "step",
        started_ms=CREATED_MS,
        ended_ms=CREATED_MS + MINUTE_MS,
        status="Failed",
        FailureReason=REASON,
        metadata={"TrainingJob": {"Arn": kinds.kind_arn("training-job/training")}},
    )
    account.put_job("pipeline-execution", execution, steps=[step])
    lineage = account.lineage
    dataset = lineage.put_artifact(PLACES[6], properties={LINES[0]: LINES[1]})
    context = lineage.put_context("context", PLACES[7])
    lineage.associate(dataset, kinds.kind_arn("experiment-trial-component/component"))
    lineage.associate(dataset, context)

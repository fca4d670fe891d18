"""An answer of each kind → its job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job import Channel, Job, SummaryMetric
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.lineage import CONTRIBUTED_TO, IO, PRODUCED
from mlflow_smwatch.core.mappers.answers import written
from tests.unit.answers import (
    ANSWERS,
    CREATED_MS,
    ENDED_MS,
    FURTHER_KEYS,
    IMAGE,
    MODIFIED_MS,
    ROLE,
    arn,
)

Flow = tuple[str, str]

MODEL_FILE = "s3://bucket/out/train/output/model.tar.gz"
TRAIN, PREPARE, SCORE = (
    arn("training-job/train"),
    arn("processing-job/prepare"),
    arn("transform-job/score"),
)
TUNE, AUTO, LIVE = (
    arn("hyper-parameter-tuning-job/tune"),
    arn("automl-job/auto"),
    arn("endpoint/live"),
)
EXECUTION, BY_HAND = (
    arn("pipeline/nightly/execution/abc"),
    arn("experiment-trial-component/by-hand"),
)
CLASSIFIER, PACKAGED, CONFIG = (
    arn("model/classifier"),
    arn("model/packaged"),
    arn("endpoint-config/live-2"),
)
PACKAGE = arn("model-package/churn/3")


def job(word: str, **changes: Any) -> Job:
    """Make the job of a kind; what is changed to None is left out."""
    answer = {**ANSWERS[word][1], **changes}
    return job_of(KINDS[word], {key: each for key, each in answer.items() if each is not None})


def flows(made: Job) -> set[Flow]:
    """Give source and target of each edge of a job."""
    return {(edge.source, edge.target) for edge in made.lineage.edges}


def kinds_of_nodes(made: Job) -> dict[str, str]:
    """Give the kind of each node of a job's lineage."""
    return {node.id: node.kind for node in made.lineage.nodes}


FIELDS: dict[str, dict[str, Any]] = {
    "training-job": {
        "name": "train",
        "ended_ms": ENDED_MS,
        "modified_ms": MODIFIED_MS,
        "instance_count": 2,
        "hosts": ("algo-1", "algo-2"),
        "code": "s3://bucket/code.tar.gz",
        "commit": "0a1b2c3d",
        "channels": (Channel(name="train", uri="s3://bucket/train"),),
        "component_known": True,
        "kinship": Kinship(
            experiment="churn",
            trial="first",
            trials=("first", "second"),
            component="train-aws-training-job",
            component_arn=arn("experiment-trial-component/train-aws-training-job"),
            tuning_job="tune",
        ),
    },
    "processing-job": {
        "name": "prepare",
        "status": "Failed",
        "failure_reason": "no such column",
        "ended_ms": ENDED_MS,
        "image": IMAGE,
        "role_arn": ROLE,
        "instance_type": "ml.m5.xlarge",
        "instance_count": 2,
        "hosts": ("algo-1", "algo-2"),
        "billable_s": None,
        "phases": (),
        "params": (),
        "hyperparameters": (),
        "output": "s3://bucket/train",
        "code": "s3://bucket/prepare.py",
        "channels": (
            Channel(name="raw", uri="s3://bucket/raw"),
            Channel(name="code", uri="s3://bucket/prepare.py"),
        ),
        "component_known": False,
        "kinship": Kinship(experiment="churn", trial="first", trials=("first",), automl_job="auto"),
    },
    "transform-job": {
        "name": "score",
        "ended_ms": ENDED_MS,
        "modified_ms": ENDED_MS,
        "image": IMAGE,
        "hosts": (),
        "instance_type": "ml.c5.large",
        "output": "s3://bucket/scores",
        "channels": (Channel(name="input", uri="s3://bucket/new"),),
        "facts": (("model", "classifier"),),
        "kinship": Kinship(pipeline_execution=EXECUTION),
    },
    "tuning-job": {
        "name": "tune",
        "ended_ms": ENDED_MS,
        "image": IMAGE,
        "role_arn": ROLE,
        "hosts": (),
        "instance_type": "ml.m5.large",
        "hyperparameters": (("epochs", "5"), ("sagemaker_program", '"train.py"')),
        "params": (
            ("tuning/strategy", "Bayesian"),
            ("tuning/max_training_jobs", "20"),
            ("tuning/max_parallel_training_jobs", "2"),
            ("objective/metric", "auc"),
            ("objective/type", "Maximize"),
            ("range/depth", "2..8"),
            ("range/lr", "0.001..0.1 (Logarithmic)"),
            ("range/opt", "[adam, sgd]"),
            ("range/alpha", "auto, near 0.5"),
        ),
        "facts": (
            ("best_training_job", "tune-007"),
            ("best_objective", "0.75"),
            ("training_jobs.Completed", "19"),
            ("training_jobs.InProgress", "0"),
            ("training_jobs.NonRetryableError", "1"),
            ("objectives.Failed", "1"),
            ("objectives.Pending", "0"),
            ("objectives.Succeeded", "19"),
        ),
        "children": (arn("training-job/tune-001"), arn("training-job/tune-007")),
    },
    "automl-job": {
        "name": "auto",
        "secondary_status": "MaxCandidatesReached",
        "ended_ms": ENDED_MS,
        "output": "s3://bucket/automl/",
        "channels": (
            Channel(name="training", uri="s3://bucket/table"),
            Channel(name="validation", uri="s3://bucket/check"),
        ),
        "params": (("problem_type", "Tabular"), ("objective/metric", "F1")),
        "facts": (("best_candidate", "auto-best"), ("best_objective", "0.5")),
        "children": (
            arn("processing-job/auto-split"),
            arn("training-job/auto-train"),
            arn("training-job/auto-other"),
        ),
    },
    "endpoint": {
        "name": "live",
        "status": "InService",
        "ended_ms": None,
        "instance_type": "ml.m5.large, ml.c5.large",
        "instance_count": 3,
        "output": "s3://bucket/captured",
        "params": (),
        "facts": (
            ("endpoint_config", "live-2"),
            ("variant.blue.model", "classifier"),
            ("variant.blue.instance_type", "ml.m5.large"),
            ("variant.blue.initial_instance_count", "2"),
            ("variant.blue.weight", "0.75"),
            ("variant.green.model", "packaged"),
            ("variant.green.instance_type", "ml.c5.large"),
            ("variant.green.initial_instance_count", "1"),
            ("variant.green.weight", "1"),
            ("variant.green.containers", '["container-1", "container-2"]'),
        ),
    },
    "notebook-instance": {
        "name": "Explore",
        "status": "InService",
        "ended_ms": None,
        "modified_ms": MODIFIED_MS,
        "role_arn": ROLE,
        "instance_type": "ml.t3.medium",
        "instance_count": 1,
        "params": (),
        "facts": (
            ("notebook_url", "explore.notebook.eu-west-1.sagemaker.aws"),
            ("lifecycle_config", "install"),
            ("code_repository", "https://github.com/example/notebooks"),
            ("platform", "notebook-al2-v3"),
            ("volume_size_gb", "20"),
        ),
    },
    "pipeline-execution": {
        "name": "abc",
        "title": "Nightly of Monday",
        "failure_reason": "one step failed",
        "ended_ms": MODIFIED_MS,
        "params": (("mode", "fast"), ("rows", "5")),
        "facts": (
            ("pipeline", "nightly"),
            ("jobs", json.dumps([TRAIN, arn("processing-job/check")])),
        ),
        "kinship": Kinship(experiment="churn"),
        "children": (TRAIN, arn("processing-job/check")),
    },
    "trial": {
        "name": "first",
        "title": "First try",
        "status": "",
        "ended_ms": None,
        "commit": "fedcba9",
        "kinship": Kinship(experiment="churn"),
    },
    "trial-component": {
        "name": "by-hand",
        "title": "By hand",
        "status": "Failed",
        "failure_reason": "out of patience",
        "ended_ms": ENDED_MS,
        "component_known": True,
        "params": (("epochs", "3"), ("lr", "0.1"), ("optimizer", "adam")),
        "summaries": (
            SummaryMetric(name="auc", timestamp_ms=ENDED_MS, count=1, last=0.75),
            SummaryMetric(
                name="loss",
                timestamp_ms=ENDED_MS,
                count=4,
                last=0.5,
                minimum=0.25,
                maximum=2.0,
                average=1.0,
                deviation=0.125,
            ),
        ),
        "kinship": Kinship(
            experiment="churn",
            trial="first",
            trials=("first",),
            component="by-hand",
            component_arn=BY_HAND,
        ),
    },
}

FLOWS: dict[str, set[Flow]] = {
    "training-job": {
        ("s3://bucket/train", TRAIN),
        (IMAGE, TRAIN),
        ("s3://bucket/code.tar.gz", TRAIN),
        (TRAIN, MODEL_FILE),
        (TRAIN, "s3://bucket/out/train/"),
        (TRAIN, "s3://bucket/checkpoints"),
    },
    "processing-job": {
        ("s3://bucket/raw", PREPARE),
        ("s3://bucket/prepare.py", PREPARE),
        (IMAGE, PREPARE),
        (PREPARE, "s3://bucket/train"),
    },
    "transform-job": {
        ("s3://bucket/new", SCORE),
        (CLASSIFIER, SCORE),
        (MODEL_FILE, CLASSIFIER),
        (IMAGE, CLASSIFIER),
        (SCORE, "s3://bucket/scores/"),
    },
    "tuning-job": {("s3://bucket/train", TUNE), (IMAGE, TUNE)},
    "automl-job": {
        ("s3://bucket/table", AUTO),
        ("s3://bucket/check", AUTO),
        (AUTO, "s3://bucket/automl/auto/"),
        (AUTO, "s3://bucket/auto/best.tar.gz"),
    },
    "endpoint": {
        (CONFIG, LIVE),
        (CLASSIFIER, CONFIG),
        (PACKAGED, CONFIG),
        (MODEL_FILE, CLASSIFIER),
        (IMAGE, CLASSIFIER),
        (PACKAGE, PACKAGED),
        ("s3://bucket/plain/", PACKAGED),
        (IMAGE, PACKAGED),
        (LIVE, "s3://bucket/captured/live/"),
    },
    "notebook-instance": set(),
    "pipeline-execution": {(EXECUTION, CLASSIFIER), (EXECUTION, PACKAGE)},
    "trial": set(),
    "trial-component": {
        ("s3://bucket/train", BY_HAND),
        (IMAGE, BY_HAND),
        ("registry/other", BY_HAND),
        (BY_HAND, "s3://bucket/model.tar.gz"),
        (BY_HAND, "s3://bucket/plot.png"),
    },
}

NODE_KINDS = {
    "s3://bucket/train": "data",
    IMAGE: "image",
    "s3://bucket/code.tar.gz": "code",
    "s3://bucket/prepare.py": "code",
    MODEL_FILE: "model-data",
    "s3://bucket/model.tar.gz": "model-data",
    "s3://bucket/auto/best.tar.gz": "model-data",
    "s3://bucket/out/train/": "output",
    "s3://bucket/checkpoints": "checkpoint",
    "s3://bucket/captured/live/": "output",
    CLASSIFIER: "model",
    CONFIG: "endpoint-config",
    PACKAGE: "model-package",
}


@pytest.mark.parametrize("word", KINDS)
def test_every_kind(word: str) -> None:
    """An answer becomes a job, field by field."""
    made = job(word)
    assert made.kind is KINDS[word]
    assert str(made.arn) in json.dumps(ANSWERS[word][1], default=str)
    assert made.created_ms == CREATED_MS
    assert {name: getattr(made, name) for name in FIELDS[word]} == FIELDS[word]


@pytest.mark.parametrize("word", KINDS)
def test_inputs_and_outputs(word: str) -> None:
    """Edges point the way data flows; ends are of the right kind."""
    made = job(word)
    assert flows(made) == FLOWS[word]
    for edge in made.lineage.edges:
        assert edge.origin == IO
        writes = edge.source == str(made.arn)
        assert edge.type == (PRODUCED if writes else CONTRIBUTED_TO)
    found = kinds_of_nodes(made)
    assert {node: NODE_KINDS.get(node, kind) for node, kind in found.items()} == found


@pytest.mark.parametrize("said", [PACKAGE, "churn"])
@pytest.mark.parametrize(("word", "key"), [("endpoint", "Models"), ("transform-job", "Model")])
def test_what_model_packages_are_made_of(word: str, key: str, said: str) -> None:
    """Model data and image of each container, however the model names the package."""
    packed = {
        "ModelPackageArn": PACKAGE,
        "InferenceSpecification": {
            "Containers": [
                {"Image": IMAGE, "ModelDataUrl": MODEL_FILE},
                {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://bucket/plain/"}}},
            ]
        },
    }
    model = {
        "ModelArn": PACKAGED,
        "PrimaryContainer": {"ModelPackageName": said},
        "ModelPackages": [packed],
    }
    made = job(word, **{key: [model] if key == "Models" else model})
    assert {flow for flow in flows(made) if {*flow} & {PACKAGE, PACKAGED}} == {
        (MODEL_FILE, PACKAGE),
        (IMAGE, PACKAGE),
        ("s3://bucket/plain/", PACKAGE),
        (PACKAGE, PACKAGED),
        (PACKAGED, CONFIG if word == "endpoint" else SCORE),
    }
    found = kinds_of_nodes(made)
    assert (found[PACKAGE], found[MODEL_FILE]) == ("model-package", "model-data")


@pytest.mark.parametrize("word", KINDS)
def test_the_document_holds_the_whole_answer(word: str) -> None:
    """What other operations told too."""
    assert json.loads(job(word).document).keys() == ANSWERS[word][1].keys()


REQUIRED = [
    (word, field)
    for word, (_, answer) in ANSWERS.items()
    for field in answer
    if field == "CreationTime"
    or (field.endswith(("JobName", "JobArn", "JobStatus")) and word.endswith("job"))
    or field in {"EndpointName", "EndpointArn", "EndpointStatus"}
    or (
        field.startswith("NotebookInstance")
        and field.endswith(("Name", "Arn", "Status"))
        and "Lifecycle" not in field
    )
    or field in {"TrialName", "TrialArn", "TrialComponentName", "TrialComponentArn"}
    or (field.startswith("PipelineExecution") and field.endswith(("Status", "Arn")))
]
OPTIONAL = {
    ("training-job", "TuningJobArn"),
    ("processing-job", "AutoMLJobArn"),
    ("transform-job", "PipelineExecutionArn"),
}


@pytest.mark.parametrize(("word", "field"), sorted({*REQUIRED} - OPTIONAL))
def test_what_every_job_has(word: str, field: str) -> None:
    """A job without it is an error of that job."""
    with pytest.raises(JobError, match=field):
        job(word, **{field: None})


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to each field of an answer."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        yield (*path, key)
        if isinstance(each, (dict, list)):
            yield from paths(each, (*path, key))


def changed(value: Any, path: tuple[Any, ...], odd: object) -> Any:
    """Put something odd in the place of a field."""
    if not path:
        return odd
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], odd)
    return copy


ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    "arn:odd",
    0,
    1.5,
    True,
    [],
    {},
    [None],
    ["x"],
    [{}],
    {"x": None},
)


@pytest.mark.parametrize("word", KINDS)
def test_odd_answers(word: str) -> None:
    """Any field may be absent or of another type: there is a job, or an error of that job."""
    answer = ANSWERS[word][1]
    failed = 0
    for path in paths(answer):
        for odd in ODD:
            try:
                made = job_of(KINDS[word], changed(answer, path, odd))
            except JobError:
                failed += 1
                continue
            assert made.name
            assert all(isinstance(value, str) for _, value in (*made.params, *made.facts))
    required = sum(1 for kind, _ in {*REQUIRED} - OPTIONAL if kind == word)
    assert 0 < failed <= required * len(ODD)


def test_trials_come_from_the_component() -> None:
    """A job that was taken out of its trial has none, and no experiment."""
    config = {"ExperimentName": "churn", "TrialName": "first"}
    left = job(
        "training-job",
        ExperimentConfig=config,
        TrialComponent={"TrialComponentName": "c", "Parents": []},
    )
    assert left.kinship == Kinship(component="c", tuning_job="tune")
    assert left.component_known
    unknown = job("training-job", ExperimentConfig=config, TrialComponent=None)
    assert (unknown.kinship.experiment, unknown.kinship.trials) == ("churn", ("first",))
    assert not unknown.component_known


@pytest.mark.parametrize("value", ["0a1b2c3", "F" * 40])
def test_a_commit_comes_from_a_resource_tag(value: str) -> None:
    """A tag that is named like a commit and looks like one; the component's goes before."""
    tags = [{"Key": "Git-Commit", "Value": value}]
    assert job("processing-job", Tags=tags).commit == value
    assert job("training-job", Tags=tags).commit == "0a1b2c3d"
    assert job("processing-job", Tags=[{"Key": "git-commit", "Value": "main"}]).commit is None


def test_several_definitions_of_a_tuning_job() -> None:
    """The first is the job's own; the others begin with their name."""
    first = {
        **ANSWERS["tuning-job"][1]["TrainingJobDefinition"],
        "DefinitionName": "one",
        "TuningObjective": {"MetricName": "auc", "Type": "Maximize"},
    }
    ranges = {"IntegerParameterRanges": [{"Name": "k", "MinValue": "1", "MaxValue": "2"}]}
    second = {
        **first,
        "DefinitionName": "two",
        "StaticHyperParameters": {"epochs": "6"},
        "HyperParameterRanges": ranges,
        "InputDataConfig": [
            {"ChannelName": "x", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/x"}}}
        ],
    }
    made = job(
        "tuning-job",
        TrainingJobDefinition=None,
        TrainingJobDefinitions=[first, second],
        HyperParameterTuningJobConfig={"Strategy": "Random"},
    )
    assert made.hyperparameters[0] == ("epochs", "5")
    assert made.params == (
        ("tuning/strategy", "Random"),
        ("objective/metric", "auc"),
        ("objective/type", "Maximize"),
        ("two/objective/metric", "auc"),
        ("two/objective/type", "Maximize"),
        ("two/range/k", "1..2"),
        ("two/epochs", "6"),
    )
    assert ("s3://b/x", TUNE) in flows(made)


def test_a_component_without_a_status_is_complete() -> None:
    """Its end is its EndTime, else when it was modified last."""
    made = job("trial-component", Status=None, EndTime=None)
    assert (made.status, made.ended_ms, made.failure_reason) == ("Completed", MODIFIED_MS, None)
    running = job("trial-component", Status={"PrimaryStatus": "InProgress"}, EndTime=None)
    assert running.ended_ms is None


def test_of_two_summaries_of_one_name_the_latest_counts() -> None:
    """One metric is one series."""
    metrics = ANSWERS["trial-component"][1]["Metrics"]
    undated = {"MetricName": "loss", "Last": 9.0, "Count": 1}
    (summary,) = job("trial-component", Metrics=[undated, metrics[0]]).summaries
    assert (summary.last, summary.timestamp_ms) == (9.0, MODIFIED_MS)


def test_no_data_are_captured_where_that_is_off() -> None:
    """Although a destination is named."""
    capture = {"EnableCapture": False, "DestinationS3Uri": "s3://bucket/captured"}
    made = job("endpoint", DataCaptureConfig=capture)
    assert made.output is None
    assert not [flow for flow in flows(made) if flow[0] == LIVE]


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (3.0, "3"), (1e-05, "1e-05"), (1e22, "1e+22"), (-2, "-2")]
)
def test_numbers_are_written_exactly(value: float, text: str) -> None:
    """In the shortest text that reads as the same number."""
    assert written(value) == text
    assert float(text) == value


def test_lineage_does_not_depend_on_the_order_of_fields() -> None:
    """A job is equal to itself."""
    answer = ANSWERS["training-job"][1]
    backwards = dict(reversed(answer.items()))
    assert replace(job_of(KINDS["training-job"], backwards)) == job("training-job")


def service() -> ServiceModel:
    """Load botocore's model of SageMaker."""
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def unknown_fields(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Give the fields of a value that its shape does not have."""
    if shape.type_name == "list":
        for each in value:
            yield from unknown_fields(shape.member, each, path)
    elif shape.type_name == "map":
        for key, each in value.items():
            yield from unknown_fields(shape.value, each, f"{path}.{key}")
    elif shape.type_name == "structure":
        for key, each in value.items():
            if key in shape.members:
                yield from unknown_fields(shape.members[key], each, f"{path}.{key}")
            else:
                yield f"{path}.{key}"


def test_answers_are_such_as_aws_gives() -> None:
    """Every field is in botocore's model."""
    model = service()
    for word, (shape, answer) in ANSWERS.items():
        own = model.shape_for(shape)
        for key, value in answer.items():
            if key in own.members:
                assert not list(unknown_fields(own.members[key], value, f"{word}.{key}"))
            else:
                further = model.shape_for(FURTHER_KEYS[key])
                entries = value if isinstance(value, list) else [value]
                for entry in entries:
                    assert not list(unknown_fields(further, entry, f"{word}.{key}"))

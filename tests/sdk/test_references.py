"""Objects shaped as those of the SDKs stand for exactly one job, or are refused with a reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.sdk.references import is_experiment, reference_of, trials_of

ROOT = "arn:aws:sagemaker:eu-west-1:123456789012:"


class Unassigned:
    """As sagemaker-core marks what it does not know."""


def thing(class_name: str, **attributes: Any) -> Any:
    """Make an object of a class of this name."""
    made = type(class_name, (), {})()
    vars(made).update(attributes)
    return made


def session(**attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(boto_region_name="eu-west-1", local_mode=False, **attributes)


def v2_job(class_name: str) -> Any:
    """Make a job as version 2 returns it: a session and a name."""
    return thing(class_name, sagemaker_session=session(), job_name="job")


TAKEN = [
    pytest.param(thing("Estimator", latest_training_job=v2_job("_TrainingJob")), "training-job"),
    pytest.param(thing("Processor", latest_job=v2_job("ProcessingJob")), "processing-job"),
    pytest.param(
        thing("Transformer", latest_transform_job=v2_job("_TransformJob")), "transform-job"
    ),
    pytest.param(thing("Tuner", latest_tuning_job=v2_job("_TuningJob")), "tuning-job"),
    pytest.param(thing("AutoML", latest_auto_ml_job=v2_job("AutoMLJob")), "automl-job"),
    pytest.param(thing("AutoMLV2", latest_auto_ml_job="job"), "automl-job", id="attached AutoML"),
    pytest.param(
        thing(
            "SFTTrainer",
            latest_training_job=None,
            _latest_training_job=thing(
                "TrainingJob",
                training_job_name="job",
                training_job_arn=Unassigned(),
                tuning_job_arn=f"{ROOT}hyper-parameter-tuning-job/other",
                auto_ml_job_arn=f"{ROOT}automl-job/other",
            ),
        ),
        "training-job",
    ),
    pytest.param(
        thing("ProcessingJob", processing_job_name="job", training_job_arn=f"{ROOT}training-job/x"),
        "processing-job",
    ),
    pytest.param(thing("TransformJob", transform_job_name="job", model_name="m"), "transform-job"),
    pytest.param(
        thing("HyperParameterTuningJob", hyper_parameter_tuning_job_name="job"), "tuning-job"
    ),
    pytest.param(thing("AutoMLJobV2", auto_ml_job_name="job"), "automl-job"),
    pytest.param(thing("Endpoint", endpoint_name="job", endpoint_config_name="c"), "endpoint"),
    pytest.param(thing("Predictor", endpoint_name="job"), "endpoint"),
    pytest.param(thing("Trial", trial_name="job", experiment_name="study"), "trial"),
    pytest.param(thing("TrialComponent", trial_component_name="job"), "trial-component"),
    pytest.param(
        thing("Run", _trial_component=thing("_TrialComponent", trial_component_name="job")),
        "trial-component",
    ),
    pytest.param(
        thing("_PipelineExecution", arn=f"{ROOT}pipeline/p/execution/job"), "pipeline-execution"
    ),
    pytest.param(
        thing("PipelineExecution", pipeline_execution_arn=f"{ROOT}pipeline/p/execution/job"),
        "pipeline-execution",
    ),
]


@pytest.mark.parametrize(("given", "kind"), TAKEN)
def test_what_an_object_stands_for(given: Any, kind: str) -> None:
    """One job, of one kind, whatever other jobs the object names."""
    reference = reference_of(given)
    assert (reference.kind.word, reference.name) == (kind, "job")


def test_a_subclass_is_what_its_base_is() -> None:
    """A user's own class counts as that of the SDK."""
    own = type("Mine", (type(thing("Trial")),), {})()
    own.trial_name = "t"
    assert reference_of(own).kind.word == "trial"


@pytest.mark.parametrize(
    ("given", "region"),
    [
        (thing("E", sagemaker_session=session(), latest_training_job="job"), "eu-west-1"),
        (thing("TrainingJob", training_job_name="j", _region="eu-west-1"), "eu-west-1"),
        (
            thing("Trial", trial_name="t", sagemaker_boto_client=SimpleNamespace(meta=session())),
            None,
        ),
        (
            thing(
                "Trial",
                trial_name="t",
                sagemaker_boto_client=SimpleNamespace(
                    meta=SimpleNamespace(region_name="eu-west-1")
                ),
            ),
            "eu-west-1",
        ),
        (
            thing(
                "TrainingJob",
                training_job_name="j",
                training_job_arn=f"{ROOT}training-job/j",
                _region="us-east-1",
            ),
            "eu-west-1",
        ),
        (thing("Trial", trial_name="t"), None),
    ],
)
def test_the_region(given: Any, region: str | None) -> None:
    """That of the ARN, else of the session; none where nobody says it."""
    assert reference_of(given).region == region


def test_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that was chosen for the session: boto3 finds the others by itself."""
    monkeypatch.setenv("AWS_PROFILE", "usual")
    found = [
        reference_of(
            thing("TrainingJob", job_name="j", sagemaker_session=SimpleNamespace(boto_session=each))
        ).profile
        for each in (
            SimpleNamespace(profile_name="mine"),
            SimpleNamespace(profile_name="usual"),
            SimpleNamespace(profile_name="default"),
        )
    ]
    assert found == ["mine", None, None]


class Job:
    """A plain class: what it is, only the place where it stands can tell."""

    def __init__(self, **texts: str) -> None:
        vars(self).update(texts)


class Fitted:
    """An estimator of nobody's: a method, and a list of what it has started."""

    def __init__(self, *jobs: object) -> None:
        self.jobs = list(jobs)

    def fit(self) -> None:
        """Start a job."""


class Run(Fitted):
    """A processor of nobody's."""

    fit = None  # type: ignore[assignment]

    def run(self) -> None:
        """Start a job."""


TUNED = f"{ROOT}hyper-parameter-tuning-job/other"
BY_SHAPE = [
    (thing("E", latest_training_job=SimpleNamespace(job_name="job")), "training-job"),
    (thing("E", latest_training_job=SimpleNamespace(name="job")), "training-job"),
    (thing("E", latest_training_job=Job(name="job")), "training-job"),
    (thing("E", latest_training_job=Job(job_name="job", tuning_job_arn=TUNED)), "training-job"),
    (thing("E", _latest_training_job=Job(training_job_name="job")), "training-job"),
    (
        thing(
            "ModelTrainer",
            latest_training_job=None,
            _latest_training_job=SimpleNamespace(
                training_job_name=Unassigned(),
                training_job_arn=f"{ROOT}training-job/job",
                auto_ml_job_arn=f"{ROOT}automl-job/other",
            ),
        ),
        "training-job",
    ),
    (thing("P", latest_job=SimpleNamespace(job_name="job")), "processing-job"),
    (thing("P", latest_job=Job(processing_job_name="job")), "processing-job"),
    (thing("T", latest_transform_job=SimpleNamespace(name="job")), "transform-job"),
    (thing("T", latest_transform_job=Job(job_name="job")), "transform-job"),
    (thing("T", latest_tuning_job=SimpleNamespace(name="job")), "tuning-job"),
    (thing("T", latest_tuning_job=Job(job_name="job")), "tuning-job"),
    (thing("AutoML", latest_auto_ml_job=SimpleNamespace(job_name="job")), "automl-job"),
    (thing("AutoML", latest_job=Job(auto_ml_job_name="job")), "automl-job"),
    (Fitted(Job(job_name="other"), Job(job_name="job")), "training-job"),
    (Fitted(Job(transform_job_name="job")), "transform-job"),
    (Run(Job(name="job")), "processing-job"),
    (Fitted(v2_job("ProcessingJob")), "processing-job"),
    (SimpleNamespace(training_job_name="job", tuning_job_arn=TUNED), "training-job"),
    (SimpleNamespace(training_job_arn=f"{ROOT}training-job/job"), "training-job"),
    (SimpleNamespace(processing_job_name="job", training_job_arn=TUNED), "processing-job"),
    (SimpleNamespace(transform_job_name="job"), "transform-job"),
    (SimpleNamespace(hyper_parameter_tuning_job_name="job"), "tuning-job"),
    (SimpleNamespace(auto_ml_job_name="job"), "automl-job"),
    (SimpleNamespace(endpoint_name="job", endpoint_config_name="c"), "endpoint"),
    (
        SimpleNamespace(pipeline_execution_arn=f"{ROOT}pipeline/p/execution/job"),
        "pipeline-execution",
    ),
    (SimpleNamespace(trial_name="job", experiment_name="study"), "trial"),
    (SimpleNamespace(trial_component_name="job"), "trial-component"),
    (thing("Tracker", trial_component=Job(trial_component_name="job")), "trial-component"),
]


@pytest.mark.parametrize(("given", "kind"), BY_SHAPE)
def test_objects_of_other_classes(given: Any, kind: str) -> None:
    """Where the class is nobody's, the place tells the kind, and what is a text tells the job."""
    reference = reference_of(given)
    assert (reference.kind.word, reference.name) == (kind, "job")


class Starter:
    """As an estimator before its first job."""

    latest_training_job = None

    def fit(self) -> None:
        """Start a job."""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Starter(), r"has not started a job: call \.fit\(\) before"),
        (Starter, "does not stand for a job: mirror takes a job name; an ARN; an estimator"),
        (Fitted(), "has not started a job"),
        (Fitted(Job()), "has not started a job"),
        (Mock(), "unittest.mock.Mock"),
        (Mock(latest_training_job=Mock(job_name=Mock())), "unittest.mock.Mock"),
        (thing("E", latest_training_job=None, training_job_name="j"), "does not stand for a job"),
        (Job(name="j", job_name="j"), "does not stand for a job"),
        (type("Own", (), {"training_job_name": "j"}), "does not stand for a job"),
        (
            SimpleNamespace(training_job_name="j", processing_job_name="k"),
            "does not stand for a job",
        ),
        (17, "builtins.int does not stand for a job"),
        (None, "does not stand for a job"),
        (thing("TrainingJob", training_job_name=Unassigned()), "has no name yet"),
        (thing("MultiTurnRLTrainer", _latest_job=thing("AgentRFTJob")), "are not mirrored"),
        (
            thing("E", latest_training_job="j", sagemaker_session=SimpleNamespace(local_mode=True)),
            "local mode",
        ),
        (
            thing("T", latest_transform_job="j", _latest_transform_job_is_local=True),
            "local mode",
        ),
        (
            thing("E", latest_training_job="j", sagemaker_session=thing("PipelineSession")),
            "nothing is started before",
        ),
    ],
)
def test_refusals(given: Any, reason: str) -> None:
    """Each says why, and what to do."""
    with pytest.raises(UsageError, match=reason):
        reference_of(given)


def test_an_experiment_stands_for_its_trials() -> None:
    """They are listed by the object itself."""
    trials = [thing("TrialSummary", trial_name=name) for name in ("one", "two")]
    experiment = thing("Experiment", experiment_name="study", list_trials=lambda: iter(trials))
    assert is_experiment(experiment)
    assert is_experiment(thing("Own", experiment_name="study", list_trials=list))
    assert not is_experiment(thing("Trial", experiment_name="study"))
    assert not is_experiment(Mock())
    assert [each.name for each in trials_of(experiment)] == ["one", "two"]


def test_an_experiment_that_cannot_list() -> None:
    """It is refused with the way out."""
    with pytest.raises(UsageError, match="mirror them one by one"):
        trials_of(thing("Experiment", experiment_name="study"))

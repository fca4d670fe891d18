"""SageMaker SDK object → which job it stands for, without importing the SDK.

The objects are told by the names of their classes and attributes, which are those of the SageMaker
Python SDK 2 and 3 (``sagemaker``), of sagemaker-core and of sagemaker-experiments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL,
    TRIAL_COMPONENT,
    TUNING_JOB,
    JobKind,
    kind_of,
    name_in,
)

TAKEN = (
    "a job name; an ARN; an estimator, model trainer, processor, transformer, tuner or AutoML"
    " object that has started a job; a job, endpoint, pipeline execution, trial component, trial or"
    " experiment of sagemaker, sagemaker-core or sagemaker-experiments"
)

_RESOURCES: dict[str, tuple[JobKind, str]] = {
    "TrainingJob": (TRAINING_JOB, "training_job"),
    "_TrainingJob": (TRAINING_JOB, "training_job"),
    "ProcessingJob": (PROCESSING_JOB, "processing_job"),
    "TransformJob": (TRANSFORM_JOB, "transform_job"),
    "_TransformJob": (TRANSFORM_JOB, "transform_job"),
    "HyperParameterTuningJob": (TUNING_JOB, "hyper_parameter_tuning_job"),
    "_TuningJob": (TUNING_JOB, "hyper_parameter_tuning_job"),
    "AutoMLJob": (AUTOML_JOB, "auto_ml_job"),
    "AutoMLJobV2": (AUTOML_JOB, "auto_ml_job"),
    "Endpoint": (ENDPOINT, "endpoint"),
    "PipelineExecution": (PIPELINE_EXECUTION, "pipeline_execution"),
    "_PipelineExecution": (PIPELINE_EXECUTION, "pipeline_execution"),
    "TrialComponent": (TRIAL_COMPONENT, "trial_component"),
    "_TrialComponent": (TRIAL_COMPONENT, "trial_component"),
    "Trial": (TRIAL, "trial"),
    "_Trial": (TRIAL, "trial"),
    "TrialSummary": (TRIAL, "trial"),
}
"""Class → kind, and how its attributes for name and ARN begin."""

_LATEST: tuple[tuple[str, JobKind], ...] = (
    ("latest_training_job", TRAINING_JOB),
    ("_latest_training_job", TRAINING_JOB),
    ("latest_tuning_job", TUNING_JOB),
    ("latest_transform_job", TRANSFORM_JOB),
    ("latest_auto_ml_job", AUTOML_JOB),
    ("latest_job", PROCESSING_JOB),
    ("_trial_component", TRIAL_COMPONENT),
    ("endpoint_name", ENDPOINT),
)
"""Attribute of what starts jobs → kind of the job that stands there, as object or by name."""

_STARTERS = ("fit", "train", "tune", "run", "transform", "start")
_EXPERIMENTS = frozenset({"Experiment", "_Experiment"})
_PIPELINE_SESSIONS = frozenset({"PipelineSession", "LocalPipelineSession"})
_SESSION = "sagemaker_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReference:
    """Which job is meant.

    Attributes
    ----------
    kind
        Its kind.
    name
        Its name.
    arn
        Its ARN, where the object knows it.
    region, profile
        The AWS Region and profile that the object uses, where it says so.
    """

    kind: JobKind
    name: str
    arn: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def title(self) -> str:
        """The job in a sentence."""
        return f"{self.kind.noun} {self.name}"


def reference_of(thing: object, *owners: object) -> JobReference:
    """Tell which job an object of a SageMaker SDK stands for.

    Parameters
    ----------
    thing
        The object.
    *owners
        Objects that have the session where the object has none, the nearest first.

    Returns
    -------
    JobReference

    Raises
    ------
    UsageError
        When it stands for no job of AWS: it has not started one, it runs on this machine, it is
        something else.
    """
    job = latest_of(thing)
    found = _named(job) if job is not None else None
    if found is None and isinstance(job, str):
        found = _by_text(job, _kind_of_latest(thing))
    if found is None:
        raise UsageError(_why_not(thing, job))
    _require_remote(job, thing, *owners)
    return _placed(found, job, thing, *owners)


def latest_of(thing: object) -> object | None:
    """Return the job that an object has started last, or the object itself if it is a job.

    Parameters
    ----------
    thing
        The object.

    Returns
    -------
    object or None
        The job, or its name; None where there is none.
    """
    if _resource(thing) is not None:
        return thing
    return next((job for _, job in _latest(thing)), None)


def trials_of(experiment: object) -> tuple[JobReference, ...]:
    """Ask AWS, by the object's own means, which trials an experiment has.

    Parameters
    ----------
    experiment
        Of sagemaker-experiments, sagemaker or sagemaker-core.

    Returns
    -------
    tuple of JobReference
    """
    list_trials = getattr(experiment, "list_trials", None)
    trials = list_trials() if callable(list_trials) else _listed_beside(experiment)
    return tuple(reference_of(trial, experiment) for trial in trials)


def is_experiment(thing: object) -> bool:
    """Whether an object is an experiment of SageMaker."""
    return not _EXPERIMENTS.isdisjoint(_class_names(thing)) and hasattr(thing, "experiment_name")


def _listed_beside(experiment: object) -> Iterable[object]:
    """List the trials of an experiment of sagemaker-core, whose class Trial does that."""
    trials = getattr(sys.modules[type(experiment).__module__], "Trial", None)
    if trials is None:
        message = f"{_described(experiment)} cannot list its trials: mirror them one by one"
        raise UsageError(message)
    found: Iterable[object] = trials.get_all(
        experiment_name=getattr(experiment, "experiment_name", None),
        session=getattr(experiment, "_session", None),
        region=getattr(experiment, "_region", None),
    )
    return found


def _class_names(thing: object) -> tuple[str, ...]:
    return tuple(each.__name__ for each in type(thing).__mro__)


def _resource(thing: object) -> tuple[JobKind, str] | None:
    known = (_RESOURCES.get(name) for name in _class_names(thing))
    return next((each for each in known if each is not None), None)


def _latest(thing: object) -> Iterator[tuple[JobKind, object]]:
    for attribute, kind in _LATEST:
        job = getattr(thing, attribute, None)
        is_job = isinstance(job, str) or (job is not None and _resource(job) is not None)
        if is_job:
            yield kind, job


def _kind_of_latest(thing: object) -> JobKind:
    return next(kind for kind, _ in _latest(thing))


def _named(job: object) -> JobReference | None:
    """Read name and ARN of a job's own object."""
    resource = _resource(job)
    if resource is None:
        return None
    kind, stem = resource
    arn = _text(job, f"{stem}_arn", "arn")
    if arn is not None and is_arn(arn):
        return _by_text(arn, kind)
    name = _text(job, f"{stem}_name", "job_name", "name")
    return JobReference(kind=kind, name=name) if name else None


def _by_text(text: str, kind: JobKind) -> JobReference:
    if not is_arn(text):
        return JobReference(kind=kind, name=text)
    arn = Arn.parse(text)
    return JobReference(
        kind=kind_of(arn) or kind, name=name_in(arn), arn=text, region=arn.region or None
    )


def _text(thing: object, *attributes: str) -> str | None:
    """Return the first of some attributes that is a text; what is not set is none."""
    values = (getattr(thing, attribute, None) for attribute in attributes)
    return next((each for each in values if isinstance(each, str) and each), None)


def _require_remote(*things: object) -> None:
    for thing in things:
        session = getattr(thing, _SESSION, None)
        if getattr(session, "local_mode", False) is True or _is_true(
            thing, "_latest_transform_job_is_local"
        ):
            message = "this job runs on this machine (local mode): AWS knows nothing of it"
            raise UsageError(message)
        if session is not None and not _PIPELINE_SESSIONS.isdisjoint(_class_names(session)):
            message = "with a pipeline session nothing is started before the pipeline is"
            raise UsageError(message)


def _is_true(thing: object, attribute: str) -> bool:
    return getattr(thing, attribute, False) is True


def _placed(found: JobReference, *things: object) -> JobReference:
    """Add Region and profile of the nearest session."""
    regions = (each for thing in things for each in _regions(thing))
    profiles = (_profile(thing) for thing in things)
    return replace(
        found,
        region=found.region or next((each for each in regions if each), None),
        profile=next((each for each in profiles if each), None),
    )


def _regions(thing: object) -> Iterator[str | None]:
    """Give the Region of a session of sagemaker, of sagemaker-core and of a boto3 client."""
    yield _text(getattr(thing, _SESSION, None), "boto_region_name")
    yield _text(thing, "_region")
    yield _text(getattr(thing, "_session", None), "region_name")
    client = getattr(thing, "sagemaker_boto_client", None)
    yield _text(getattr(client, "meta", None), "region_name")


def _profile(thing: object) -> str | None:
    """Return the profile of a session that was made for one; ``default`` is boto3's word for none.

    A profile that the environment names is found by the mirror as well, in the usual order.
    """
    session = getattr(getattr(thing, _SESSION, None), "boto_session", None)
    profile = _text(session or getattr(thing, "_session", None), "profile_name")
    usual = {"default", os.environ.get("AWS_PROFILE"), os.environ.get("AWS_DEFAULT_PROFILE")}
    return None if profile in usual else profile


def _why_not(thing: object, job: object | None) -> str:
    what = _described(thing)
    if job is not None:
        return f"this {what} has no name yet: nothing was started"
    if getattr(thing, "_latest_job", None) is not None:
        return f"the job of this {what} is one of DescribeJob's: these are not mirrored"
    starters = [name for name in _STARTERS if callable(getattr(thing, name, None))]
    if starters and not isinstance(thing, type):
        return (
            f"this {what} has not started a job: call .{starters[0]}() before; mirror takes {TAKEN}"
        )
    return f"{what} does not stand for a job: mirror takes {TAKEN}"


def _described(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"

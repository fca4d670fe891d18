"""SageMaker SDK object → which job it stands for, without importing the SDK.

The objects are told by the names of their classes and attributes, which are those of the SageMaker
Python SDK 2 and 3 (``sagemaker``), of sagemaker-core and of sagemaker-experiments. Where the class
is another (a wrapper, a stand-in, a later version's), the attributes that hold a text tell.
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

_JOBS: tuple[tuple[str, JobKind, str], ...] = (
    ("training_job", TRAINING_JOB, "TrainingJob _TrainingJob"),
    ("processing_job", PROCESSING_JOB, "ProcessingJob"),
    ("transform_job", TRANSFORM_JOB, "TransformJob _TransformJob"),
    ("hyper_parameter_tuning_job", TUNING_JOB, "HyperParameterTuningJob _TuningJob"),
    ("auto_ml_job", AUTOML_JOB, "AutoMLJob AutoMLJobV2"),
    ("endpoint", ENDPOINT, "Endpoint"),
    ("pipeline_execution", PIPELINE_EXECUTION, "PipelineExecution _PipelineExecution"),
    ("trial_component", TRIAL_COMPONENT, "TrialComponent _TrialComponent"),
    ("trial", TRIAL, "Trial _Trial TrialSummary"),
)
"""How the attributes for name and ARN begin (the stem), the kind, its classes."""

_STEMS = {stem: kind for stem, kind, _ in _JOBS}
_RESOURCES = {name: stem for stem, _, classes in _JOBS for name in classes.split()}

_LATEST: dict[str, str] = {
    "latest_training_job": "training_job",
    "_latest_training_job": "training_job",
    "latest_tuning_job": "hyper_parameter_tuning_job",
    "latest_transform_job": "transform_job",
    "latest_auto_ml_job": "auto_ml_job",
    "latest_job": "processing_job",
    "_trial_component": "trial_component",
    "trial_component": "trial_component",
}
"""Attribute of what starts jobs → what stands there, as object or by name."""

_STARTED_BY = {
    "fit": "training_job",
    "train": "training_job",
    "tune": "hyper_parameter_tuning_job",
    "run": "processing_job",
    "transform": "transform_job",
}
"""Method of what starts jobs → what stands in its list ``jobs``, if nothing else tells."""

_STARTERS = (*_STARTED_BY, "start")
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
    stem, job = _found(thing)
    found = _read(job, stem)
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
    return _found(thing)[1]


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
    """Whether an object is an experiment of SageMaker, or lists trials as one does."""
    if _EXPERIMENTS.isdisjoint(_class_names(thing)):
        is_named = _text(thing, "experiment_name") is not None
        return is_named and callable(getattr(thing, "list_trials", None))
    return hasattr(thing, "experiment_name")


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


def _found(thing: object) -> tuple[str, object | None]:
    """Find the job that an object is or has started last, and how that job's attributes begin."""
    stem = _stem_of_class(thing)
    if stem is not None:
        return stem, thing
    latest = next(_latest(thing), None)
    if latest is not None:
        return latest
    is_starter = any(hasattr(thing, attribute) for attribute in _LATEST)
    stem = None if is_starter else _stem_of_shape(thing)
    return (stem, thing) if stem is not None else ("", None)


def _latest(thing: object) -> Iterator[tuple[str, object]]:
    """Give what stands where the jobs stand that an object has started, the last first."""
    for attribute, stem in _LATEST.items():
        yield from _standing(getattr(thing, attribute, None), stem)
    jobs = getattr(thing, "jobs", None)
    if isinstance(jobs, list | tuple) and jobs:
        by_method = (_STARTED_BY.get(name, "") for name in _starters(thing))
        yield from _standing(jobs[-1], next(by_method, ""))


def _standing(job: object, usual: str) -> Iterator[tuple[str, object]]:
    """Give what stands at a place, if it is a job: its class tells, the place, or its shape."""
    stem = _stem_of_class(job) or (usual if _read(job, usual) else _stem_of_shape(job))
    if stem is not None:
        yield stem, job


def _stem_of_class(thing: object) -> str | None:
    known = (_RESOURCES.get(name) for name in _class_names(thing))
    return next((each for each in known if each is not None), None)


def _stem_of_shape(thing: object) -> str | None:
    """Tell by the one name of a job that an object has; where it has none, by the one ARN."""
    if isinstance(thing, type):
        return None
    for ending in ("name", "arn"):
        stems = [stem for stem in _STEMS if _text(thing, f"{stem}_{ending}")]
        if stems:
            return stems[0] if len(stems) == 1 else None
    return None


def _read(job: object, stem: str) -> JobReference | None:
    """Read which job is meant: by its ARN, else by its name; None where neither is a text."""
    kind = _STEMS.get(stem)
    if kind is None:
        return None
    arn = _text(job, f"{stem}_arn", "arn")
    is_known = arn is not None and is_arn(arn)
    name = job if isinstance(job, str) else _text(job, f"{stem}_name", "job_name", "name")
    text = arn if is_known else name
    return _by_text(text, kind) if text else None


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
    starters = _starters(thing)
    if starters and not isinstance(thing, type):
        return (
            f"this {what} has not started a job: call .{starters[0]}() before; mirror takes {TAKEN}"
        )
    return f"{what} does not stand for a job: mirror takes {TAKEN}"


def _starters(thing: object) -> list[str]:
    return [name for name in _STARTERS if callable(getattr(thing, name, None))]


def _described(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"

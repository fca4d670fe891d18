"""The models of a pass become versions of an MLflow registered model."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlflow_smwatch.aws.model_packages import ModelPackage, find_model_packages
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.errors import AccessDeniedError, JobError, RetriableError, reason
from mlflow_smwatch.report import Failure, Registered
from mlflow_smwatch.tracking.registry import ModelRegistry
from mlflow_smwatch.tracking.store import Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model that may become a version.

    Attributes
    ----------
    source
        S3 URI of its artifact.
    run_id
        The run of the job that made it, where one did.
    tags
        Of the version.
    """

    source: str
    run_id: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


def is_model_package(text: str) -> bool:
    """Whether a user names a model package, by its ARN."""
    return is_arn(text) and ":model-package/" in text


class Registration:
    """Collects the models of a pass; may be told by several threads.

    Parameters
    ----------
    name
        Of the registered model; None where nothing is to be registered.

    Attributes
    ----------
    warnings
        What could not be registered, in words.
    failed
        Model packages that were named and cannot be had.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._candidates: dict[str, Candidate] = {}
        self.warnings: list[str] = []
        self.failed: list[Failure] = []

    def enter(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Note a run whose job has left a model, by the run's tags."""
        source = tags.get(names.MODEL_ARTIFACT)
        if self._name is None or not source:
            return
        known = {key: tags[key] for key in (names.ARN, names.NAME) if key in tags}
        with self._lock:
            self._candidates[source] = Candidate(source=source, run_id=run_id, tags=known)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The models that were noted so far."""
        with self._lock:
            return tuple(self._candidates.values())

    def enter_candidates(self, candidates: Iterable[Candidate]) -> None:
        """Note models that another process has found."""
        with self._lock:
            self._candidates.update({each.source: each for each in candidates})

    def enter_packages(self, aws: Aws, since: datetime) -> None:
        """Note the model packages that changed since a moment."""
        try:
            self._enter(find_model_packages(aws, since))
        except (AccessDeniedError, RetriableError, JobError) as error:
            self.warnings.append(f"model packages are not registered: {error}")

    def enter_named(self, aws: Aws, asked: Iterable[str]) -> None:
        """Note model packages that are named, by their ARNs."""
        for one in asked:
            try:
                self._enter(find_model_packages(aws, asked=(one,)))
            except (AccessDeniedError, RetriableError, JobError) as error:
                self.failed.append(Failure(one, str(error)))

    def _enter(self, packages: Iterable[ModelPackage]) -> None:
        for each in packages:
            if each.model_data:
                tags = {names.ARN: each.arn, **_package_tags(each)}
                package = Candidate(source=each.model_data, run_id=None, tags=tags)
                with self._lock:
                    self._candidates.setdefault(each.model_data, package)

    def finish(self, tracking: Tracking) -> Iterator[Registered]:
        """Make the versions that are missing, in the order of their S3 URIs.

        Raises
        ------
        StopError
            When MLflow is gone.
        """
        if self._name is None or not self._candidates:
            return
        registry = ModelRegistry(tracking, self._name)
        for source, each in sorted(self._candidates.items()):
            try:
                version = registry.add(source, each.run_id, each.tags)
            except JobError as error:
                self.warnings.append(f"{source} is not registered: {reason(error)}")
                continue
            if version is not None:
                yield Registered(self._name, version, source, each.run_id)


def _package_tags(package: ModelPackage) -> dict[str, str]:
    """Give what SageMaker's registry says of a model package."""
    said = {
        "sagemaker.model_package_group": package.group,
        "sagemaker.model_package_version": package.version,
        "sagemaker.model_approval_status": package.approval,
    }
    return {key: str(value) for key, value in said.items() if value is not None}

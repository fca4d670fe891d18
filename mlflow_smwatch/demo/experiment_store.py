"""Experiments, trials and trial components of one account and Region, and their ties."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.experiment_records import (
    ComponentRecords,
    experiment_records,
    trial_records,
)
from mlflow_smwatch.demo.experiments import EXPERIMENT, TRIAL, Experiments
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_followers import JobFollowers
from mlflow_smwatch.demo.job_records import JobRecords
from mlflow_smwatch.demo.listings import Changes
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.trial_components import COMPONENT, TrialComponents, source_arn
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

P = ParamSpec("P")
T = TypeVar("T")


class ExperimentStore:
    """What an account holds of them: stored, moved and removed at will, and served to clients.

    Parameters
    ----------
    arn_prefix
        Of all ARNs of the account's SageMaker in the Region, up to the resource.
    clock, faults
        The account's.
    lock
        Held while anything changes.
    jobs
        The jobs that have components of their own.

    Attributes
    ----------
    operations
        Of the service ``sagemaker``, by name.
    records
        Search's Resource → what gives all of its records, times as seconds.
    stores
        Of experiments, trials and components.
    changes
        Tells whether any of them has changed.
    makes_components
        Tells whether jobs that have no component get one.
    """

    def __init__(
        self,
        arn_prefix: str,
        clock: Clock,
        faults: Faults,
        *,
        lock: threading.RLock,
        jobs: JobRecords,
    ) -> None:
        self.changes = changes = Changes()
        self.experiments = EntityStore(EXPERIMENT, arn_prefix, clock, changes)
        self.trials = EntityStore(TRIAL, arn_prefix, clock, changes)
        self.components = EntityStore(COMPONENT, arn_prefix, clock, changes)
        self.stores = (self.experiments, self.trials, self.components)
        self.makes_components: Callable[[], bool] = lambda: False
        self._lock = lock
        self._members = Memberships(self.trials, self.components, changes)
        self._run_names: dict[str, str] = {}
        self._followers = JobFollowers(
            jobs, self.experiments, self._members, self._run_names, self._is_making
        )
        self.components.removed.append(self._forget_run)
        found = ComponentRecords(self._members, self._run_names, jobs, changes)
        served = (
            Experiments(self.experiments, self._members, changes, faults),
            TrialComponents(self._members, self.experiments, changes, faults),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            name: self._refreshed(handler)
            for group in served
            for name, handler in group.operations.items()
        }
        self.records: dict[str, Callable[[], Iterable[Answer]]] = {
            "Experiment": lambda: experiment_records(self.experiments),
            "ExperimentTrial": lambda: trial_records(self._members),
            "ExperimentTrialComponent": self._refreshed(found),
        }

    def put_experiment(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> str:
        """Store an experiment; one of the same name is replaced.

        Parameters
        ----------
        name
            1 to 120 letters, digits and hyphens.
        description
            Its Description.
        tags
            Resource tags.
        created
            When; the account's time if None.

        Returns
        -------
        str
            Its ARN.
        """
        answer = {"ExperimentName": name, "Description": description, "CreationTime": created}
        with self._lock:
            return self.experiments.put(answer, tags).arn

    def put_trial(
        self,
        name: str,
        experiment: str,
        *,
        created: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        display_name: str | None = None,
    ) -> str:
        """Store a trial; one of the same name is replaced, its components stay in it.

        Parameters
        ----------
        name
            1 to 120 letters, digits and hyphens.
        experiment
            Name of its experiment, which must exist.
        created
            When; the account's time if None.
        tags
            Resource tags.
        display_name
            Its DisplayName; the name if None.

        Returns
        -------
        str
            Its ARN.

        Raises
        ------
        AwsError
            There is no such experiment.
        """
        answer = {
            "TrialName": name,
            "ExperimentName": experiment,
            "DisplayName": display_name,
            "CreationTime": created,
        }
        with self._lock:
            self.experiments.existing(experiment)
            trial = self.trials.put(answer, tags)
            for component in self._members.components_of(trial):
                self._members.set(component, self._members.trials_of(component))
            return trial.arn

    def put_trial_component(
        self,
        answer: Mapping[str, Json],
        *,
        trials: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
        run_name: str | None = None,
    ) -> str:
        """Store a trial component as DescribeTrialComponent is to answer it.

        Parameters
        ----------
        answer
            Dates as aware datetimes; ARN, display name and times are added if missing. A
            component of the same name is replaced.
        trials
            Names of its trials, which must exist.
        tags
            Resource tags.
        run_name
            Its RunName.

        Returns
        -------
        str
            Its ARN.

        Raises
        ------
        ValueError
            The answer is not one that DescribeTrialComponent can give.
        AwsError
            There is no such trial.
        """
        with self._lock:
            homes = [self.trials.existing(trial) for trial in trials]
            component = self.components.put(dict(answer), tags)
            self._forget_run(component.arn)
            self._members.set(component, homes)
            if run_name is not None:
                self._run_names[component.arn] = run_name
            return component.arn

    def update_trial_component(self, name: str, **changes: Json) -> None:
        """Set fields of a component's Describe answer; None takes a field away.

        Parameters
        ----------
        name
            Of the component.
        changes
            Dates as aware datetimes; LastModifiedTime is the account's time if missing.

        Raises
        ------
        AwsError
            There is no such component.
        """
        with self._lock:
            self.components.modify(self.existing(name), **changes)

    def move_trial_component(self, name: str, trials: Iterable[str] = ()) -> None:
        """Put a component into exactly these trials; its LastModifiedTime stays.

        Raises
        ------
        AwsError
            There is no such component or trial.
        """
        with self._lock:
            homes = [self.trials.existing(trial) for trial in trials]
            self._members.set(self.existing(name), homes)

    def remove_trial_component(self, name: str) -> None:
        """Remove a component, out of its trials too."""
        with self._lock:
            component = self.existing(name)
            self._members.set(component, ())
            self.components.remove(component)

    def remove_trial(self, name: str) -> None:
        """Remove a trial; its components stay."""
        with self._lock:
            trial = self.trials.existing(name)
            for component in self._members.components_of(trial):
                others = [one for one in self._members.trials_of(component) if one is not trial]
                self._members.set(component, others)
            self.trials.remove(trial)

    def remove_experiment(self, name: str) -> None:
        """Remove an experiment with its trials; their components stay."""
        with self._lock:
            experiment = self.experiments.existing(name)
            for trial in self.trials:
                if trial.answer["ExperimentName"] == name:
                    self.remove_trial(trial.answer["TrialName"])
            self.experiments.remove(experiment)

    def existing(self, name: str) -> Entity:
        """Find a component by name.

        Raises
        ------
        AwsError
            There is no such component.
        """
        return self.component(name) or self.components.existing(name)

    def component(self, name_or_arn: str) -> Entity | None:
        """Find a component; one that stands for a new job is made by now."""
        found = self.components.get(name_or_arn)
        if found is None:
            self._followers.refresh()
        return found or self.components.get(name_or_arn)

    def component_for(self, arn: str) -> Entity | None:
        """Find the component that an ARN stands for: its own, or that of a job."""
        if arn.startswith(self.components.prefix):
            return self.component(arn)
        self._followers.refresh()
        return next((one for one in self.components if source_arn(one) == arn), None)

    def _refreshed(self, handler: Callable[P, T]) -> Callable[P, T]:
        def answer(*args: P.args, **options: P.kwargs) -> T:
            self._followers.refresh()
            return handler(*args, **options)

        return answer

    def _is_making(self) -> bool:
        return self.makes_components()

    def _forget_run(self, arn: str) -> None:
        self._run_names.pop(arn, None)

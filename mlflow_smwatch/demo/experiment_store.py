"""Experiments, trials and trial components of one account and Region, and their ties."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.experiment_records import (
    ComponentRecords,
    experiment_records,
    trial_records,
)
from mlflow_smwatch.demo.experiments import EXPERIMENT, TRIAL, Experiments
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_components import component_of, job_source, progress_of
from mlflow_smwatch.demo.listings import Changes
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.trial_components import COMPONENT, TrialComponents
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

DEFAULT_TRIAL = "Default-Run-Group-{}"


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
    describe
        Gives Search's record of the job that an ARN names, tags and all; None for what is no job
        of the account. The same object as long as the job is the same.

    Attributes
    ----------
    operations
        Of the service ``sagemaker``, by name.
    records
        Search's Resource → what gives all of its records, times as seconds.
    stores
        Of experiments, trials and components.
    """

    def __init__(
        self,
        arn_prefix: str,
        clock: Clock,
        faults: Faults,
        *,
        lock: threading.RLock,
        describe: Callable[[str], Answer | None],
    ) -> None:
        changes = Changes()
        self.experiments = EntityStore(EXPERIMENT, arn_prefix, clock, changes)
        self.trials = EntityStore(TRIAL, arn_prefix, clock, changes)
        self.components = EntityStore(COMPONENT, arn_prefix, clock, changes)
        self.stores = (self.experiments, self.trials, self.components)
        self._lock = lock
        self._describe = describe
        self._members = Memberships(self.trials, self.components, changes)
        self._run_names: dict[str, str] = {}
        self._followed: dict[str, Answer] = {}
        self._found = ComponentRecords(self._members, self._run_names, describe)
        served = (
            Experiments(self.experiments, self._members, changes, faults),
            TrialComponents(self._members, self.experiments, changes, faults, forget=self._forget),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            name: self._refreshed(handler)
            for group in served
            for name, handler in group.operations.items()
        }
        self.records: dict[str, Callable[[], Iterable[Answer]]] = {
            "Experiment": lambda: experiment_records(self.experiments),
            "ExperimentTrial": lambda: trial_records(self._members),
            "ExperimentTrialComponent": self._component_records,
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
        given = {"Description": description, "CreationTime": created}
        with self._lock:
            return self.experiments.put({"ExperimentName": name, **_given(given)}, tags).arn

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
        given = {"DisplayName": display_name, "CreationTime": created}
        with self._lock:
            self.experiments.existing(experiment)
            answer = {"TrialName": name, "ExperimentName": experiment, **_given(given)}
            return self.trials.put(answer, tags).arn

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
            self._forget(component)
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
            self.components.modify(self.components.existing(name), **changes)

    def move_trial_component(self, name: str, trials: Iterable[str] = ()) -> None:
        """Put a component into exactly these trials; its LastModifiedTime stays.

        Raises
        ------
        AwsError
            There is no such component or trial.
        """
        with self._lock:
            homes = [self.trials.existing(trial) for trial in trials]
            self._members.set(self.components.existing(name), homes)

    def remove_trial_component(self, name: str) -> None:
        """Remove a component, out of its trials too."""
        with self._lock:
            component = self.components.existing(name)
            self._members.set(component, ())
            self._forget(component)
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

    def follow(self, arn: str) -> None:
        """Make the component that stands for a job, and let it go along with the job.

        It is in the trial of the job's ExperimentConfig, which is made if missing; and stays in
        the trials that it was put into.

        Parameters
        ----------
        arn
            Of a training, processing or transform job.

        Raises
        ------
        ValueError
            It is no such job.
        """
        source, job = job_source(arn), self._describe(arn)
        if source is None or job is None:
            message = f"{arn} is no job that has a trial component of its own"
            raise ValueError(message)
        with self._lock:
            config = job.get("ExperimentConfig", {})
            known = self.components.get(source.component_name(job))
            homes = [] if known is None else self._members.trials_of(known)
            trial = self._trial_of(config)
            self._followed[arn] = job
            component = self.components.put(component_of(source, job))
            self._members.set(component, [*([] if trial is None else [trial]), *homes])
            if run_name := config.get("RunName"):
                self._run_names[component.arn] = run_name

    def _trial_of(self, config: Answer) -> Entity | None:
        experiment, trial = config.get("ExperimentName"), config.get("TrialName")
        if experiment is None:
            return None if trial is None else self.trials.existing(trial)
        if self.experiments.get(experiment) is None:
            self.put_experiment(experiment)
        name = trial or DEFAULT_TRIAL.format(experiment)
        if self.trials.get(name) is None:
            self.put_trial(name, experiment)
        return self.trials.existing(name)

    def _refreshed(self, handler: Callable[[Parameters], Answer]) -> Callable[[Parameters], Answer]:
        def answer(parameters: Parameters) -> Answer:
            self._refresh()
            return handler(parameters)

        return answer

    def _component_records(self) -> Iterable[Answer]:
        self._refresh()
        return self._found()

    def _refresh(self) -> None:
        """Let the components of jobs say what their jobs have become."""
        for arn, seen in self._followed.items():
            job, source = self._describe(arn), job_source(arn)
            if job is None or job is seen or source is None:
                continue
            self._followed[arn] = job
            component = self.components.get(source.component_name(job))
            if component is not None:
                component.update(**progress_of(source, job))

    def _forget(self, component: Entity) -> None:
        """Forget what is known of a component besides its answer."""
        self._run_names.pop(component.arn, None)
        arn = component.answer.get("Source", {}).get("SourceArn")
        self._followed.pop(arn, None)


def _given(fields: Answer) -> Answer:
    return {key: value for key, value in fields.items() if value is not None}

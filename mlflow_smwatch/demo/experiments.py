"""SageMaker's operations on experiments and trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlflow_smwatch.demo.entities import Entity, EntityKind, EntityStore
from mlflow_smwatch.demo.entity_operations import EntityOperations
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import Changes, Listing, ListRules
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.validation import Answer, Parameters

EXPERIMENT = EntityKind(
    noun="Experiment", word="experiment", key="ExperimentName", shown_as="DisplayName"
)
TRIAL = EntityKind(noun="Trial", word="experiment-trial", key="TrialName", shown_as="DisplayName")
SUMMARY = ("DisplayName", "CreationTime", "LastModifiedTime")


class Experiments:
    """The operations of one account and Region.

    Parameters
    ----------
    experiments
        Where they are.
    memberships
        Which trials there are, with which components.
    changes
        Tells whether any of them has changed.
    faults
        May shorten pages.
    """

    def __init__(
        self,
        experiments: EntityStore,
        memberships: Memberships,
        changes: Changes,
        faults: Faults,
    ) -> None:
        self._experiments = experiments
        self._trials = memberships.trials
        self._memberships = memberships
        self._changes = changes
        self._experiment_list = _listing(EXPERIMENT, faults)
        self._trial_list = _listing(TRIAL, faults)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            **EntityOperations(experiments, before_delete=self._check_no_trials).operations,
            **EntityOperations(
                self._trials, before_create=self._check_experiment, before_delete=self._check_empty
            ).operations,
            "ListExperiments": self.list_experiments,
            "ListTrials": self.list_trials,
        }

    def list_experiments(self, parameters: Parameters) -> Answer:
        """Answer ``ListExperiments``."""
        return self._experiment_list.page(
            parameters,
            version=self._changes.marker,
            items=lambda: (entity.answer for entity in self._experiments),
        )

    def list_trials(self, parameters: Parameters) -> Answer:
        """Answer ``ListTrials``; an experiment or a component that is asked for must exist."""
        if experiment := parameters.get("ExperimentName"):
            self._experiments.existing(experiment)
        if component := parameters.get("TrialComponentName"):
            self._memberships.components.existing(component)
        return self._trial_list.page(
            parameters,
            version=self._changes.marker,
            items=lambda: self._chosen(experiment, component),
        )

    def _chosen(self, experiment: str | None, component: str | None) -> Iterable[Answer]:
        trials = (entity.answer for entity in self._trials)
        if component is not None:
            trials = (trial.answer for trial in self._memberships.trials_of(component))
        return (t for t in trials if experiment is None or t["ExperimentName"] == experiment)

    def _check_experiment(self, parameters: Parameters) -> None:
        self._experiments.existing(parameters["ExperimentName"])

    def _check_no_trials(self, experiment: Entity) -> None:
        name = experiment.answer["ExperimentName"]
        if any(self._chosen(name, None)):
            refuse("ValidationException", f"All trials of experiment '{name}' must be deleted.")

    def _check_empty(self, trial: Entity) -> None:
        if self._memberships.components_of(trial):
            name = trial.answer["TrialName"]
            message = f"All trial components must be disassociated from trial '{name}'."
            refuse("ValidationException", message)


def _listing(kind: EntityKind, faults: Faults) -> Listing:
    fields = (kind.name_field, kind.arn_field, *SUMMARY)

    def summary(answer: Answer) -> Answer:
        shown = {field: answer[field] for field in fields if field in answer}
        source = answer.get("Source")
        return {**shown, f"{kind.noun}Source": source} if source else shown

    rules = ListRules(
        operation=f"List{kind.noun}s",
        results=f"{kind.noun}Summaries",
        sort_fields={"Name": kind.name_field, "CreationTime": "CreationTime"},
    )
    return Listing(rules, summary, faults)

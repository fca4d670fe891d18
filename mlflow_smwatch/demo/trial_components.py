"""SageMaker's operations on trial components and on their place in trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlflow_smwatch.demo.entities import Entity, EntityKind, EntityStore
from mlflow_smwatch.demo.entity_operations import EntityOperations
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import Changes, Listing, ListRules
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.validation import Answer, Parameters

COMPONENT = EntityKind(
    noun="TrialComponent",
    word="experiment-trial-component",
    key="TrialComponentName",
    shown_as="DisplayName",
    merged=frozenset({"Parameters", "InputArtifacts", "OutputArtifacts"}),
)
SUMMARY = (
    "TrialComponentName",
    "TrialComponentArn",
    "DisplayName",
    "Status",
    "StartTime",
    "EndTime",
    "CreationTime",
    "LastModifiedTime",
)
LIST_RULES = ListRules(
    operation="ListTrialComponents",
    results="TrialComponentSummaries",
    sort_fields={"Name": "TrialComponentName", "CreationTime": "CreationTime"},
)
LIST_FILTERS = ("ExperimentName", "TrialName", "SourceArn")


class TrialComponents:
    """The operations of one account and Region.

    Parameters
    ----------
    memberships
        Which components are in which trials.
    experiments
        Where the experiments are.
    changes
        Tells whether any of them has changed.
    faults
        May shorten pages.
    """

    def __init__(
        self,
        memberships: Memberships,
        experiments: EntityStore,
        changes: Changes,
        faults: Faults,
    ) -> None:
        self._memberships = memberships
        self._experiments = experiments
        self._changes = changes
        self._listing = Listing(LIST_RULES, summary, faults)
        components = memberships.components
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            **EntityOperations(components, before_delete=self._check_free).operations,
            "ListTrialComponents": self.list_trial_components,
            "AssociateTrialComponent": self.associate,
            "DisassociateTrialComponent": self.disassociate,
        }

    def list_trial_components(self, parameters: Parameters) -> Answer:
        """Answer ``ListTrialComponents``: at most one filter besides those on time."""
        given = [name for name in LIST_FILTERS if name in parameters]
        if len(given) > 1:
            refuse("ValidationException", f"Only one of {', '.join(given)} can be specified.")
        chosen = self._chosen(parameters)
        return self._listing.page(
            parameters,
            version=self._changes.marker,
            items=lambda: (component.answer for component in chosen),
        )

    def associate(self, parameters: Parameters) -> Answer:
        """Answer ``AssociateTrialComponent``; a second time it changes nothing."""
        component, trial = self._pair(parameters)
        trials = self._memberships.trials_of(component)
        if trial not in trials:
            self._memberships.set(component, [*trials, trial])
        return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}

    def disassociate(self, parameters: Parameters) -> Answer:
        """Answer ``DisassociateTrialComponent``."""
        component, trial = self._pair(parameters)
        trials = self._memberships.trials_of(component)
        if trial not in trials:
            message = f"'{component.arn}' is not associated with '{trial.arn}'."
            refuse("ResourceNotFound", message)
        self._memberships.set(component, [one for one in trials if one is not trial])
        return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}

    def _pair(self, parameters: Parameters) -> tuple[Entity, Entity]:
        return (
            self._memberships.components.existing(parameters["TrialComponentName"]),
            self._memberships.trials.existing(parameters["TrialName"]),
        )

    def _chosen(self, parameters: Parameters) -> Iterable[Entity]:
        if trial := parameters.get("TrialName"):
            return self._memberships.components_of(self._memberships.trials.existing(trial))
        if experiment := parameters.get("ExperimentName"):
            return self._of_experiment(self._experiments.existing(experiment))
        source = parameters.get("SourceArn")
        components = self._memberships.components
        return (one for one in components if source in {None, source_arn(one)})

    def _of_experiment(self, experiment: Entity) -> Iterable[Entity]:
        name = experiment.answer["ExperimentName"]
        trials = (one for one in self._memberships.trials if one.answer["ExperimentName"] == name)
        members = (one for trial in trials for one in self._memberships.components_of(trial))
        return list({one.arn: one for one in members}.values())

    def _check_free(self, component: Entity) -> None:
        if self._memberships.trial_arns(component):
            name = component.answer["TrialComponentName"]
            message = f"Trial component '{name}' must be disassociated from all trials."
            refuse("ValidationException", message)


def source_arn(component: Entity) -> str | None:
    """Give the ARN of what made a component; None for one that is made by hand."""
    arn: str | None = component.answer.get("Source", {}).get("SourceArn")
    return arn


def summary(answer: Answer) -> Answer:
    """Make the entry of a list of components."""
    shown = {field: answer[field] for field in SUMMARY if field in answer}
    source = answer.get("Source")
    return {**shown, "TrialComponentSource": source} if source else shown

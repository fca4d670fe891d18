"""Which trial components are in which trials."""

from __future__ import annotations

from collections.abc import Iterable

from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.listings import Changes


class Memberships:
    """The trials of components and the components of trials, in the order of their association.

    Parameters
    ----------
    trials, components
        Where they are.
    changes
        Is told of each change.
    """

    def __init__(self, trials: EntityStore, components: EntityStore, changes: Changes) -> None:
        self.trials = trials
        self.components = components
        self._changes = changes
        self._trials: dict[str, tuple[str, ...]] = {}
        self._components: dict[str, dict[str, None]] = {}

    def set(self, component: Entity, trials: Iterable[Entity]) -> None:
        """Put a component into exactly these trials."""
        for arn in self.trial_arns(component):
            del self._components[arn][component.arn]
        arns = tuple(dict.fromkeys(trial.arn for trial in trials))
        for arn in arns:
            self._components.setdefault(arn, {})[component.arn] = None
        self._trials[component.arn] = arns
        self._changes.note()

    def trial_arns(self, component: Entity) -> tuple[str, ...]:
        """Give the ARNs of a component's trials: the same object as long as they are the same."""
        return self._trials.get(component.arn, ())

    def trials_of(self, component: Entity | str) -> list[Entity]:
        """Give the trials of a component, by itself or by name."""
        found = self.components.existing(component) if isinstance(component, str) else component
        return [self.trials.existing(arn) for arn in self.trial_arns(found)]

    def components_of(self, trial: Entity) -> list[Entity]:
        """Give the components of a trial."""
        return [self.components.existing(arn) for arn in self._components.get(trial.arn, ())]

    def parents(self, component: Entity) -> list[dict[str, str]]:
        """Give a component's Parents, as Search tells them."""
        names = ("TrialName", "ExperimentName")
        return [{name: t.answer[name] for name in names} for t in self.trials_of(component)]

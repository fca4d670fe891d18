"""Search's records of experiments, trials and trial components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow_smwatch.demo.entities import Entity, EntityStore, record_members
from mlflow_smwatch.demo.job_components import job_source
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.trial_components import source_arn
from mlflow_smwatch.demo.validation import Answer

SIMPLE_SUMMARY = ("TrialComponentName", "TrialComponentArn", "CreationTime")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A component's record, and all that it was made of."""

    parts: tuple[object, ...]
    record: Answer


class ComponentRecords:
    """The records of trial components: as long as nothing changes, the list is the same object.

    Parent trials, tags, RunName and SourceDetail are in Search only, not in Describe.

    Parameters
    ----------
    memberships
        Which components are in which trials.
    run_names
        ARN of a component → RunName.
    describe
        Gives Search's record of a job by ARN: the same object as long as the job is the same.
    """

    def __init__(
        self,
        memberships: Memberships,
        run_names: dict[str, str],
        describe: Callable[[str], Answer | None],
    ) -> None:
        self._memberships = memberships
        self._run_names = run_names
        self._describe = describe
        self._made: dict[str, _Made] = {}
        self._records: list[Answer] = []

    def __call__(self) -> list[Answer]:
        """Give all records, times as seconds; not to be changed."""
        made = {one.arn: self._current(one) for one in self._memberships.components}
        records = [one.record for one in made.values()]
        is_same = len(records) == len(self._records) and all(
            new is old for new, old in zip(records, self._records, strict=True)
        )
        self._made = made
        if not is_same:
            self._records = records
        return self._records

    def _current(self, component: Entity) -> _Made:
        source = source_arn(component)
        job = self._describe(source) if source else None
        run_name = self._run_names.get(component.arn)
        trials = self._memberships.trial_arns(component)
        parts = (component.answer, component.tags, trials, job, run_name)
        known = self._made.get(component.arn)
        if known and all(new is old for new, old in zip(parts, known.parts, strict=True)):
            return known
        record = {
            **_own(component, "TrialComponent"),
            "Parents": self._memberships.parents(component),
        }
        if run_name is not None:
            record["RunName"] = run_name
        kind = job_source(source) if source else None
        if kind is not None and job is not None:
            record["SourceDetail"] = {"SourceArn": source, kind.noun: job}
        return _Made(parts=parts, record=record)


def experiment_records(experiments: EntityStore) -> list[Answer]:
    """Give all records of experiments, times as seconds."""
    return [_own(experiment, "Experiment") for experiment in experiments]


def trial_records(memberships: Memberships) -> list[Answer]:
    """Give all records of trials, times as seconds, with short summaries of their components."""
    return [
        {
            **_own(trial, "Trial"),
            "TrialComponentSummaries": [
                _simple_summary(component) for component in memberships.components_of(trial)
            ],
        }
        for trial in memberships.trials
    ]


def _own(entity: Entity, name: str) -> Answer:
    members = record_members(name)
    shown = {key: value for key, value in entity.answer.items() if key in members}
    return {**shown, "Tags": entity.tag_list()}


def _simple_summary(component: Entity) -> Answer:
    answer = component.answer
    source = answer.get("Source")
    return {
        **{field: answer[field] for field in SIMPLE_SUMMARY},
        **({"TrialComponentSource": source} if source else {}),
    }

"""Search's records of experiments, trials and trial components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow_smwatch.demo.entities import Entity, EntityStore, search_record
from mlflow_smwatch.demo.job_components import job_source
from mlflow_smwatch.demo.listings import Changes
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
    changes
        Tells whether anything but the jobs has changed.
    """

    def __init__(
        self,
        memberships: Memberships,
        run_names: dict[str, str],
        describe: Callable[[str], Answer | None],
        changes: Changes,
    ) -> None:
        self._memberships = memberships
        self._run_names = run_names
        self._describe = describe
        self._made: dict[str, _Made] = {}
        self._records: list[Answer] = []
        self._seen: list[tuple[str, object]] = []
        self._changes = changes
        self._marker: object = None

    def __call__(self) -> list[Answer]:
        """Give all records, times as seconds; not to be changed."""
        if self._marker is self._changes.marker and self._jobs_are_same():
            return self._records
        self._marker = self._changes.marker
        self._made = {one.arn: self._current(one) for one in self._memberships.components}
        self._records = [one.record for one in self._made.values()]
        self._seen = [
            (str(source_arn(one)), self._made[one.arn].parts[-1])
            for one in self._memberships.components
            if source_arn(one)
        ]
        return self._records

    def _jobs_are_same(self) -> bool:
        describe = self._describe
        return all(describe(arn) is job for arn, job in self._seen)

    def _current(self, component: Entity) -> _Made:
        source = source_arn(component)
        job = self._describe(source) if source else None
        run_name = self._run_names.get(component.arn)
        trials = self._memberships.trial_arns(component)
        parts = (component.answer, component.tags, trials, run_name, job)
        known = self._made.get(component.arn)
        if known and all(new is old for new, old in zip(parts, known.parts, strict=True)):
            return known
        record = {
            **search_record(component, "TrialComponent"),
            "Parents": self._memberships.parents(component),
        }
        if run_name is not None:
            record["RunName"] = run_name
        if source is not None and job is not None:
            record["SourceDetail"] = {"SourceArn": source, job_source(source).noun: job}
        return _Made(parts=parts, record=record)


def experiment_records(experiments: EntityStore) -> list[Answer]:
    """Give all records of experiments, times as seconds."""
    return [search_record(experiment, "Experiment") for experiment in experiments]


def trial_records(memberships: Memberships) -> list[Answer]:
    """Give all records of trials, times as seconds, with short summaries of their components."""
    return [
        {
            **search_record(trial, "Trial"),
            "TrialComponentSummaries": [
                _simple_summary(component) for component in memberships.components_of(trial)
            ],
        }
        for trial in memberships.trials
    ]


def _simple_summary(component: Entity) -> Answer:
    answer = component.answer
    source = answer.get("Source")
    return {
        **{field: answer[field] for field in SIMPLE_SUMMARY},
        **({"TrialComponentSource": source} if source else {}),
    }

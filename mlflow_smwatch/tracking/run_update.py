"""What is to be written of one run, next to what the run has."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow.entities import RunStatus

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.kinship import noted
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.record import DatasetRecord, ModelRecord, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdate:
    """What is to be written of one run, points apart.

    Attributes
    ----------
    run
        The run as MLflow has it.
    record
        The run as it should be.
    status
        Whether to write status and end; a run that its job logs itself keeps its own until then.
    interrupted
        Whether an earlier pass may have been cut off in the middle.
    kept
        Beginnings of tags that stay although the record lacks them: they could not be read.
    further
        Beginnings of tags that go where the record lacks them, besides those of facts.
    """

    run: KnownRun
    record: RunRecord
    status: bool
    interrupted: bool
    kept: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    @property
    def params(self) -> dict[str, str]:
        """Params that the run lacks.

        MLflow refuses to change a param: one that a job's own script has yet to log would make the
        script fail, so a run that its job logs itself gets them with the status.
        """
        if not self.status:
            return {}
        return {key: value for key, value in self.record.params if key not in self.run.params}

    @property
    def facts(self) -> dict[str, str]:
        """Tags to be changed; what a job's own script noted of its source stays."""
        have = self.run.tags
        facts = {key: value for key, value in self.record.tags if have.get(key) != value}
        if self._keeps_parent:
            facts.pop(names.PARENT, None)
        if self.run.mirrored:
            return facts
        own = {key for key in have if not key.startswith(("sagemaker.", names.LINEAGE))}
        return {
            key: value
            for key, value in {**facts, names.NOTE: self.record.note}.items()
            if key not in own
        }

    @property
    def former_facts(self) -> list[str]:
        """Keys of the mirror's tags that are facts no more; tags of anyone else's stay."""
        current = dict(self.record.tags)
        lost = () if self._keeps_parent else (names.PARENT,)
        return [
            key
            for key in self.run.tags
            if (names.is_fact(key) or key in lost or key.startswith(self.further))
            and key not in current
            and not (self.kept and key.startswith(self.kept))
        ]

    @property
    def new_status(self) -> tuple[str | None, int | None]:
        """Status and end (ms) that the run is to have; None where they stay."""
        run, record = self.run, self.record
        if not self.status or (run.status, run.end_ms) == (record.status, record.end_ms):
            return None, None
        ended = RunStatus.is_terminated(RunStatus.from_string(record.status))
        if ended and record.end_ms is not None:
            return record.status, record.end_ms
        return (record.status if run.status != record.status else None), None

    @property
    def new_datasets(self) -> list[DatasetRecord]:
        """Inputs that the run lacks."""
        have = self.run.dataset_digests
        return [each for each in self.record.datasets if each.digest not in have]

    @property
    def new_model(self) -> ModelRecord | None:
        """The model, unless it is linked."""
        linked = self.run.mirrored and self.run.model_ids
        return None if linked else self.record.model

    @property
    def _keeps_parent(self) -> bool:
        """Whether the parent stays as it is: the job's group is the same, or the run is not ours.

        So a user may put a run below another one.
        """
        before = noted(self.run.tags).group
        same = before == noted(dict(self.record.tags)).group
        return not self.run.mirrored or (same and (names.PARENT in self.run.tags or not before))

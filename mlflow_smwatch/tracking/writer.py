"""Writes what one pass found of one job: points first, then the watermark that vouches for them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from mlflow.entities import (
    LoggedModelOutput,
    LoggedModelStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import ModelRecord
from mlflow_smwatch.tracking.artifacts import store_folder, store_texts
from mlflow_smwatch.tracking.batches import batches
from mlflow_smwatch.tracking.bulk_unit import BulkUnit
from mlflow_smwatch.tracking.dataset_inputs import dataset_input
from mlflow_smwatch.tracking.run_update import RunUpdate
from mlflow_smwatch.tracking.store import Tracking, tracking_errors
from mlflow_smwatch.tracking.units import Unit, UnitLimits
from mlflow_smwatch.tracking.uris import first_line

logger = logging.getLogger(__name__)

DOCUMENT = "sagemaker/job.json"
LINEAGE_PAGE = "sagemaker/lineage.html"
JOBS_PER_UNIT = 64
"""How many jobs are written in one transaction, where a store takes several."""

_TRIES = 5
_MADE_BY_ANOTHER = re.compile(r"UNIQUE constraint|IntegrityError|duplicate key|Duplicate entry")
_GONE = frozenset({"RESOURCE_DOES_NOT_EXIST"})
_MISSING_ENDPOINT = frozenset({"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"})


class RunWriter:
    """Writes runs; each call is complete or is repeated by the next pass.

    Parameters
    ----------
    tracking
        The store.
    workers
        How many threads write.
    """

    def __init__(self, tracking: Tracking, workers: int = 1) -> None:
        self._tracking = tracking
        self._workers = workers
        self._models_missing = False
        self._refused: str | None = None

    @property
    def limits(self) -> UnitLimits:
        """How many jobs are written in one unit, and how many units at once."""
        if self._tracking.bulk is None:
            return UnitLimits(jobs=1, at_once=self._workers)
        return UnitLimits(jobs=JOBS_PER_UNIT, at_once=1 if self._tracking.is_sqlite else 2)

    def unit(self) -> Unit:
        """Begin a unit of work: a transaction where the store takes one, else call by call."""
        bulk = self._tracking.bulk
        return self if bulk is None else BulkUnit(self._tracking, bulk)

    def commit(self) -> None:
        """End a unit of work: each call has been written at once."""

    def write_record(self, update: RunUpdate) -> list[str]:
        """Write datasets, model and status, and remove tags that are facts no more.

        Params and tags follow with the points, in :meth:`write_points`.

        Returns
        -------
        list of str
            What could not be written, in words.

        Raises
        ------
        JobError
            When MLflow refuses.
        TrackingError
            When MLflow is gone.
        """
        self._write_datasets(update)
        warnings = self._write_model(update)
        self._write_status(update)
        for key in update.former_facts:
            self._remove_tag(update.run, key)
        return warnings

    def write_texts(self, run: KnownRun, texts: Mapping[str, str]) -> str | None:
        """Store texts as artifacts of a run, such as :data:`DOCUMENT`.

        Parameters
        ----------
        run
            The run.
        texts
            Path → text.

        Returns
        -------
        str or None
            Why they could not be stored. An artifact store that refused once is not tried again by
            this writer, since it is the same for all runs; the next pass does.
        """
        return self._store(" and ".join(texts), lambda: store_texts(self._tracking, run, texts))

    def write_folder(self, run: KnownRun, what: str, folder: str) -> str | None:
        """Store the files of a local folder as artifacts of a run.

        Parameters
        ----------
        run
            The run.
        what
            What they are, in words.
        folder
            Path of the folder.

        Returns
        -------
        str or None
            Why they could not be stored, as of :meth:`write_texts`.
        """
        return self._store(what, lambda: store_folder(self._tracking, run, folder))

    def _store(self, what: str, store: Callable[[], None]) -> str | None:
        if self._refused is None:
            try:
                store()
            except Exception as error:  # noqa: BLE001 - every artifact store raises errors of its own kind
                self._refused = (
                    f"{what} could not be stored ({first_line(error)[:200]}):"
                    " --artifacts none leaves them out"
                )
        return self._refused

    def write_points(
        self,
        run: KnownRun,
        points: Iterable[MetricPoint],
        notes: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Write points, then the watermark that vouches for them.

        Parameters
        ----------
        run
            The run.
        points
            New points.
        notes
            The watermark and the mirror's other notes, sent after everything else.
        params, facts
            New params and changed tags.

        Raises
        ------
        JobError
            When MLflow refuses.
        TrackingError
            When MLflow is gone.
        """
        if self._tracking.bulk is not None:
            unit = BulkUnit(self._tracking, self._tracking.bulk)
            unit.write_points(run, points, notes, params, facts)
            unit.commit()
            return
        for batch in batches(params or {}, points, facts or {}, notes):
            self._write(
                "writing points and tags",
                partial(
                    self._tracking.client.log_batch,
                    run.run_id,
                    batch.metrics,
                    batch.params,
                    batch.tags,
                ),
            )
        for key in names.PASSING:
            if key in run.tags and key not in notes:
                self._remove_tag(run, key)

    def write_tags(self, run: KnownRun, tags: Mapping[str, str]) -> None:
        """Write at most 100 tags of a run in one call."""
        entities = [RunTag(key, value) for key, value in tags.items()]
        with tracking_errors("writing tags"), self._tracking.gate:
            self._tracking.client.log_batch(run.run_id, tags=entities)

    def write_warning(self, run: KnownRun, warning: str) -> None:
        """Note on a run why its job could not be mirrored, unless that stands there already."""
        if run.tags.get(names.WARNING) != warning:
            with tracking_errors("writing a warning"), self._tracking.gate:
                self._tracking.client.set_tag(run.run_id, names.WARNING, warning)

    def _write(self, what: str, call: Callable[[], object]) -> None:
        """Call MLflow, once more where another writer made the same row at the same moment.

        Datasets are rows that the runs of an experiment share, and a server works on several
        requests at once; at the next try the row is found.
        """
        for _ in range(_TRIES - 1):
            try:
                with tracking_errors(what), self._tracking.gate:
                    call()
            except JobError as error:
                if not _MADE_BY_ANOTHER.search(str(error)):
                    raise
            else:
                return
        with tracking_errors(what), self._tracking.gate:
            call()

    def _remove_tag(self, run: KnownRun, key: str) -> None:
        """Remove a tag; another writer may have done so by now."""
        try:
            with tracking_errors(f"removing the tag {key}"), self._tracking.gate:
                self._tracking.client.delete_tag(run.run_id, key)
        except JobError as error:
            cause = error.__cause__
            if not (isinstance(cause, MlflowException) and cause.error_code in _GONE):
                raise

    def end(self, run: KnownRun, status: str, end_ms: int | None) -> None:
        """Set a run's end status (FINISHED, FAILED or KILLED) and its end (ms)."""
        with tracking_errors("writing the status"), self._tracking.gate:
            self._tracking.client.set_terminated(run.run_id, status, end_ms)

    def reopen(self, run: KnownRun) -> None:
        """Set a run's status to RUNNING."""
        with tracking_errors("writing the status"), self._tracking.gate:
            self._tracking.client.update_run(run.run_id, "RUNNING")

    def _write_status(self, update: RunUpdate) -> None:
        status, end_ms = update.new_status
        if status is not None and end_ms is not None:
            self.end(update.run, status, end_ms)
        elif status is not None:
            with tracking_errors("writing the status"), self._tracking.gate:
                self._tracking.client.update_run(update.run.run_id, status)

    def _write_datasets(self, update: RunUpdate) -> None:
        inputs = [dataset_input(each) for each in update.new_datasets]
        if inputs:
            log = partial(self._tracking.client.log_inputs, update.run.run_id, inputs)
            self._write("writing the datasets", log)

    def _write_model(self, update: RunUpdate) -> list[str]:
        model = update.new_model
        if model is None or self._models_missing:
            return []
        try:
            with tracking_errors("writing the model"), self._tracking.gate:
                self._link_model(update, model)
        except JobError as error:
            cause = error.__cause__
            if not (isinstance(cause, MlflowException) and cause.error_code in _MISSING_ENDPOINT):
                raise
            self._models_missing = True
            return ["this MLflow server has no logged models: the model stands only in the tags"]
        return []

    def remove_models(self, run: KnownRun) -> None:
        """Delete the models that the mirror made for a run of its own that is to be removed."""
        for model_id in run.model_ids:
            with tracking_errors("removing a model"), self._tracking.gate:
                model = self._tracking.client.get_logged_model(model_id)
                if model.tags.get(names.ARN) == run.tags.get(names.ARN):
                    self._tracking.client.delete_logged_model(model_id)

    def _link_model(self, update: RunUpdate, model: ModelRecord) -> None:
        """Make the model and link it; of models that two mirrors made, the oldest stays."""
        client, run = self._tracking.client, update.run
        model_id = self._own_model(update) if update.interrupted else None
        if model_id is None:
            made = client.create_logged_model(
                run.experiment_id,
                name=model.name,
                source_run_id=run.run_id,
                tags={names.ARN: update.record.arn, names.MODEL_ARTIFACT: model.uri},
                params={names.MODEL_ARTIFACT: model.uri},
            )
            model_id = self._own_model(update) or made.model_id
            if model_id != made.model_id:
                client.delete_logged_model(made.model_id)
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
        if model_id not in run.model_ids:
            output = LoggedModelOutput(model_id, step=0)
            self._write("linking the model", partial(client.log_outputs, run.run_id, [output]))

    def _own_model(self, update: RunUpdate) -> str | None:
        """Find the model that the mirror made for a run, the oldest if there are several."""
        run = update.run
        models = self._tracking.client.search_logged_models(
            [run.experiment_id], filter_string=f"source_run_id = '{run.run_id}'"
        )
        own = [each for each in models if each.tags.get(names.ARN) == update.record.arn]
        own.sort(key=lambda each: (each.creation_timestamp, each.model_id))
        return own[0].model_id if own else None

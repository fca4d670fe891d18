"""Links datasets and logged models to runs, of many runs at once; no commit.

MLflow's own rules are those of ``_log_inputs_impl``, ``create_logged_model``,
``finalize_logged_model`` and ``log_outputs`` in ``mlflow/store/tracking/sqlalchemy_store.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from mlflow.entities import DatasetInput, LifecycleStage, LoggedModelStatus
from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlInputTag,
    SqlLoggedModel,
    SqlLoggedModelParam,
    SqlLoggedModelTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import Connection, Table, bindparam, select, update

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.record import ModelRecord
from mlflow_smwatch.tracking.bulk_rows import Insertion, Row, chunks, insert_rows

_DATASETS: Table = SqlDataset.__table__
_INPUTS: Table = SqlInput.__table__
_MODELS: Table = SqlLoggedModel.__table__
_MODEL_TAGS: Table = SqlLoggedModelTag.__table__

_NEW_DATASETS = Insertion(
    table=_DATASETS,
    columns=(
        "dataset_uuid",
        "experiment_id",
        "name",
        "digest",
        "dataset_source_type",
        "dataset_source",
    ),
    if_there="DO NOTHING",
    if_there_in_mysql="dataset_uuid = datasets.dataset_uuid",
)
_LINK = ("input_uuid", "source_type", "source_id", "destination_type", "destination_id")
_NEW_INPUTS = Insertion(table=_INPUTS, columns=_LINK)
_NEW_INPUT_TAGS = Insertion(table=SqlInputTag.__table__, columns=("input_uuid", "name", "value"))
_NEW_MODELS = Insertion(
    table=_MODELS,
    columns=(
        "model_id",
        "experiment_id",
        "name",
        "artifact_location",
        "creation_timestamp_ms",
        "last_updated_timestamp_ms",
        "status",
        "lifecycle_stage",
        "source_run_id",
    ),
)
_NEW_MODEL_TAGS = Insertion(
    table=_MODEL_TAGS, columns=("model_id", "experiment_id", "tag_key", "tag_value")
)
_NEW_MODEL_PARAMS = Insertion(
    table=SqlLoggedModelParam.__table__,
    columns=("model_id", "experiment_id", "param_key", "param_value"),
)
_READY: int = LoggedModelStatus.READY.to_int()

DatasetKey = tuple[int, str, str]
"""Experiment, name and digest."""
OfLink = tuple[str, str]
"""Id of a dataset and id of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLink:
    """A dataset that a run is to have as input."""

    run_id: str
    experiment_id: int
    input: DatasetInput

    @property
    def dataset(self) -> DatasetKey:
        """What tells the dataset from others."""
        return self.experiment_id, self.input.dataset.name, self.input.dataset.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLink:
    """A model that a run is to have as output.

    Attributes
    ----------
    run_id, experiment_id
        The run.
    location
        Where the experiment keeps artifacts.
    arn
        Of the job.
    model
        The model.
    """

    run_id: str
    experiment_id: int
    location: str
    arn: str
    model: ModelRecord


def link_datasets(connection: Connection, links: Sequence[DatasetLink]) -> None:
    """Make the datasets that are not there, and the links that are not."""
    uuids = _dataset_uuids(connection, links)
    wanted: dict[OfLink, DatasetLink] = {}
    for link in links:
        wanted.setdefault((uuids[link.dataset], link.run_id), link)
    there = set(_links(connection, {link.run_id for link in links}))
    new = {pair: uuid4().hex for pair in sorted(wanted) if pair not in there}
    rows = [(uuid, "DATASET", pair[0], "RUN", pair[1]) for pair, uuid in new.items()]
    insert_rows(connection, _NEW_INPUTS, rows)
    tags = [
        (uuid, tag.key, tag.value) for pair, uuid in new.items() for tag in wanted[pair].input.tags
    ]
    insert_rows(connection, _NEW_INPUT_TAGS, tags)


def _dataset_uuids(connection: Connection, links: Sequence[DatasetLink]) -> dict[DatasetKey, str]:
    """Find datasets, and make those that are missing; another writer may be quicker."""
    wanted = {link.dataset: link for link in reversed(links)}
    uuids = dict(_datasets(connection, wanted))
    missing = sorted(key for key in wanted if key not in uuids)
    if missing:
        insert_rows(connection, _NEW_DATASETS, [_dataset_row(wanted[key]) for key in missing])
        uuids.update(_datasets(connection, missing, locked=True))
    return uuids


def _dataset_row(link: DatasetLink) -> Row:
    dataset = link.input.dataset
    return uuid4().hex, *link.dataset, dataset.source_type, dataset.source


def _datasets(
    connection: Connection, keys: Iterable[DatasetKey], *, locked: bool = False
) -> Iterator[tuple[DatasetKey, str]]:
    """Read datasets by their keys.

    Parameters
    ----------
    connection
        Within a transaction.
    keys
        Experiment, name and digest.
    locked
        Whether to see what others have committed since the transaction began, which MySQL shows
        only by a lock.
    """
    names_of: dict[int, set[str]] = defaultdict(set)
    for experiment_id, name, _ in keys:
        names_of[experiment_id].add(name)
    digests = {digest for _, _, digest in keys}
    columns = (_DATASETS.c[name] for name in ("experiment_id", "name", "digest", "dataset_uuid"))
    query = select(*columns)
    query = query.with_for_update(read=True) if locked else query
    for experiment_id, of_experiment in sorted(names_of.items()):
        for some in chunks(sorted(of_experiment)):
            rows = connection.execute(
                query.where(_DATASETS.c.experiment_id == experiment_id, _DATASETS.c.name.in_(some))
            )
            yield from (
                ((row.experiment_id, row.name, row.digest), row.dataset_uuid)
                for row in rows
                if row.digest in digests
            )


def _links(connection: Connection, run_ids: Iterable[str]) -> Iterator[OfLink]:
    """Read the datasets that runs have as inputs."""
    for some in chunks(sorted(run_ids)):
        query = select(_INPUTS.c.source_id, _INPUTS.c.destination_id).where(
            _INPUTS.c.source_type == "DATASET",
            _INPUTS.c.destination_type == "RUN",
            _INPUTS.c.destination_id.in_(some),
        )
        yield from ((row.source_id, row.destination_id) for row in connection.execute(query))


def link_models(connection: Connection, links: Sequence[ModelLink], now_ms: int) -> None:
    """Make the models that are not there, ready, and link them as outputs of their runs.

    Parameters
    ----------
    connection
        Within a transaction.
    links
        At most one of a run.
    now_ms
        The models' creation.
    """
    own = _own_models(connection, links)
    new = {link.run_id: f"m-{uuid4().hex}" for link in links if link.run_id not in own}
    made = [(new[link.run_id], link) for link in links if link.run_id in new]
    insert_rows(connection, _NEW_MODELS, [_model_row(*each, now_ms) for each in made])
    tags = [
        (model_id, link.experiment_id, *tag)
        for model_id, link in made
        for tag in ((names.ARN, link.arn), (names.MODEL_ARTIFACT, link.model.uri))
    ]
    insert_rows(connection, _NEW_MODEL_TAGS, tags)
    params = [
        (model_id, link.experiment_id, names.MODEL_ARTIFACT, link.model.uri)
        for model_id, link in made
    ]
    insert_rows(connection, _NEW_MODEL_PARAMS, params)
    _finalize(connection, own.values(), now_ms)
    _link_outputs(connection, {**own, **new})


def _model_row(model_id: str, link: ModelLink, now_ms: int) -> Row:
    folders = (SqlAlchemyStore.MODELS_FOLDER_NAME, model_id, SqlAlchemyStore.ARTIFACTS_FOLDER_NAME)
    location = append_to_uri_path(link.location, *folders)  # type: ignore[no-untyped-call]
    of_model = (model_id, link.experiment_id, link.model.name, location)
    return *of_model, now_ms, now_ms, _READY, LifecycleStage.ACTIVE, link.run_id


def _own_models(connection: Connection, links: Sequence[ModelLink]) -> dict[str, str]:
    """Find the models that the mirror has made for runs, the oldest of each: run id → model id."""
    arns = {link.run_id: link.arn for link in links}
    experiments = sorted({link.experiment_id for link in links})
    own: dict[str, str] = {}
    for some in chunks(sorted(arns)):
        query = (
            select(_MODELS.c.source_run_id, _MODELS.c.model_id, _MODEL_TAGS.c.tag_value)
            .join(_MODEL_TAGS, _MODEL_TAGS.c.model_id == _MODELS.c.model_id)
            .where(
                _MODELS.c.source_run_id.in_(some),
                _MODELS.c.experiment_id.in_(experiments),
                _MODELS.c.lifecycle_stage == LifecycleStage.ACTIVE,
                _MODEL_TAGS.c.tag_key == names.ARN,
            )
            .order_by(_MODELS.c.creation_timestamp_ms, _MODELS.c.model_id)
        )
        for row in connection.execute(query):
            if row.tag_value == arns[row.source_run_id]:
                own.setdefault(row.source_run_id, row.model_id)
    return own


def _finalize(connection: Connection, model_ids: Iterable[str], now_ms: int) -> None:
    """Mark models as ready that are not."""
    rows = [{"model": model_id} for model_id in sorted(model_ids)]
    if rows:
        query = (
            update(_MODELS)
            .where(_MODELS.c.model_id == bindparam("model"), _MODELS.c.status != _READY)
            .values(status=_READY, last_updated_timestamp_ms=now_ms)
        )
        connection.execute(query, rows)


def _link_outputs(connection: Connection, models: Mapping[str, str]) -> None:
    """Link models as outputs, unless they are: run id → model id."""
    there: set[OfLink] = set()
    for some in chunks(sorted(models)):
        query = select(_INPUTS.c.source_id, _INPUTS.c.destination_id).where(
            _INPUTS.c.source_type == "RUN_OUTPUT",
            _INPUTS.c.source_id.in_(some),
            _INPUTS.c.destination_type == "MODEL_OUTPUT",
        )
        there.update((row.source_id, row.destination_id) for row in connection.execute(query))
    new = [pair for pair in sorted(models.items()) if pair not in there]
    rows = [(uuid4().hex, "RUN_OUTPUT", run_id, "MODEL_OUTPUT", model) for run_id, model in new]
    insert_rows(connection, _NEW_INPUTS, rows)

"""Turns an experiment in a database over to the overlay, and back: all of it, or nothing.

No call of MLflow's changes where an experiment is, and each run keeps a place of its own. Over go
the experiment and its runs. Back comes whatever MLflow has put below such a place since: runs,
logged models, traces and versions of registered models, so that all can be read without the
plug-in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.tracking.database import opened
from mlflow_smwatch.tracking.locations import OVERLAY, overlaid, plain

_TRACE_PLACE = "mlflow.artifactLocation"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedExperiment:
    """An experiment that is as it was asked for.

    Attributes
    ----------
    experiment, experiment_id
        Its name and id.
    location
        Where its artifacts are now, as MLflow has it.
    changed
        How many addresses were changed: its own, its runs' and, turned back, those of models and
        traces; 0 where all were right.
    left
        How many runs stay as they were, since the overlay does not work on where they are.
    """

    experiment: str
    experiment_id: str
    location: str
    changed: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class _Places:
    """A column that holds places, and the columns that tell its rows apart."""

    table: sqlalchemy.Table
    column: str
    keys: tuple[str, ...]

    def read(
        self, connection: sqlalchemy.Connection, *conditions: Any
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Give the key and the place of each row that meets conditions and has a place."""
        place = self.table.c[self.column]
        keys = [self.table.c[key] for key in self.keys]
        query = sqlalchemy.select(place, *keys).where(place.is_not(None), *conditions)
        for found, *key in connection.execute(query).all():
            yield dict(zip(self.keys, key, strict=True)), found

    def write(
        self, connection: sqlalchemy.Connection, rows: list[tuple[Mapping[str, Any], str]]
    ) -> None:
        """Change the places of rows.

        Raises
        ------
        JobError
            When one is too long for the column.
        """
        if not rows:
            return
        self._require_room(connection, max((place for _, place in rows), key=len))
        bound = [self.table.c[key] == sqlalchemy.bindparam(f"its_{key}") for key in self.keys]
        update = self.table.update().where(*bound)
        update = update.values({self.column: sqlalchemy.bindparam("place")})
        values = [
            {"place": place, **{f"its_{name}": value for name, value in key.items()}}
            for key, place in rows
        ]
        connection.execute(update, values)

    def _require_room(self, connection: sqlalchemy.Connection, longest: str) -> None:
        room = getattr(self.table.c[self.column].type, "length", None)
        if room and len(longest) > room and connection.dialect.name != "sqlite":
            message = f"{longest} is longer than the {room} characters that MLflow keeps of it"
            raise JobError(message)


def turn(database: str, experiment_id: str, *, off: bool = False) -> TurnedExperiment:
    """Turn one experiment and what belongs to it over to the overlay, or back.

    Deleted runs are turned too. It is one transaction; done twice it changes nothing more.

    Parameters
    ----------
    database
        Plain URI of the database.
    experiment_id
        The experiment.
    off
        Whether to turn it back.

    Raises
    ------
    JobError
        When the experiment is in a place that the overlay does not work on, or the database
        refuses; nothing is changed then.
    """
    refused = "the database refused, and nothing was changed"
    with opened(database, refused) as engine, engine.begin() as connection:
        turning = _Turning(connection, int(experiment_id))
        return turning.back() if off else turning.over()


def find_overlaid(database: str) -> list[tuple[str, str]]:
    """Find the experiments of which something is on the overlay; deleted ones too.

    Parameters
    ----------
    database
        Plain URI of the database.

    Returns
    -------
    list of tuple
        Id and name of each.

    Raises
    ------
    JobError
        When the database refuses.
    """
    with opened(database, "the database refused") as engine, engine.connect() as connection:
        return _Tables(connection).overlaid_experiments()


class _Tables:
    """Where MLflow keeps places, as far as its version has them."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        self._tables = set(sqlalchemy.inspect(connection).get_table_names())
        self._metadata = sqlalchemy.MetaData()
        self._experiments = self._places("experiments", "artifact_location", "experiment_id")
        self._runs = self._places("runs", "artifact_uri", "run_uuid")
        self._models = self._places("logged_models", "artifact_location", "model_id")
        self._traces = self._places("trace_tags", "value", "request_id", "key")

    def overlaid_experiments(self) -> list[tuple[str, str]]:
        """Give the id and name of each experiment that has a place on the overlay."""
        found = set(self._owners_of_traces())
        for places in filter(None, (self._experiments, self._runs, self._models)):
            on_overlay = places.table.c[places.column].startswith(OVERLAY)
            query = sqlalchemy.select(places.table.c.experiment_id).where(on_overlay).distinct()
            found.update(self._connection.execute(query).scalars())
        return [(str(each), self._name_of(each)) for each in sorted(found)]

    def _owners_of_traces(self) -> Iterator[int]:
        traces = self._table("trace_info")
        if self._traces is not None and traces is not None:
            tags = self._traces.table.c
            placed = sqlalchemy.select(tags.request_id).where(
                tags.key == _TRACE_PLACE, tags.value.startswith(OVERLAY)
            )
            query = sqlalchemy.select(traces.c.experiment_id).where(traces.c.request_id.in_(placed))
            yield from self._connection.execute(query.distinct()).scalars()

    def _name_of(self, experiment_id: int) -> str:
        table = self._metadata.tables["experiments"]
        query = sqlalchemy.select(table.c.name).where(table.c.experiment_id == experiment_id)
        return str(self._connection.execute(query).scalar())

    def _places(self, table: str, column: str, *keys: str) -> _Places | None:
        """Look a column up; None where this version of MLflow has none. Keys may be missing."""
        found = self._table(table)
        if found is None or column not in found.c:
            return None
        return _Places(found, column, tuple(key for key in keys if key in found.c))

    def _table(self, name: str) -> sqlalchemy.Table | None:
        if name not in self._tables:
            return None
        return sqlalchemy.Table(name, self._metadata, autoload_with=self._connection)


class _Turning(_Tables):
    """What is done within the transaction."""

    def __init__(self, connection: sqlalchemy.Connection, experiment_id: int) -> None:
        super().__init__(connection)
        self._id = experiment_id

    def over(self) -> TurnedExperiment:
        """Turn the experiment and its runs over; what else there is can be read anyway."""
        location, changed = self._turn_experiment(overlaid)
        rows, left = [], 0
        for key, place in self._of_experiment(self._runs):
            try:
                rows.append((key, place, overlaid(place)))
            except JobError:
                left += 1
        changed += self._write(self._runs, rows)
        return self._turned(location, changed, left)

    def back(self) -> TurnedExperiment:
        """Turn back all that needs the plug-in to be read."""
        location, changed = self._turn_experiment(plain)
        roots = {location.rstrip("/")}
        for places in (self._runs, self._models):
            rows = [(key, place, plain(place)) for key, place in self._of_experiment(places)]
            roots.update(new for *_, new in rows)
            changed += self._write(places, rows)
        changed += self._turn_traces()
        for column in ("source", "storage_location"):
            changed += self._turn_versions(column, roots)
        return self._turned(location, changed)

    def _turned(self, location: str, changed: int, left: int = 0) -> TurnedExperiment:
        return TurnedExperiment(
            experiment=self._name_of(self._id),
            experiment_id=str(self._id),
            location=location,
            changed=changed,
            left=left,
        )

    def _turn_experiment(self, form: Callable[[str], str]) -> tuple[str, int]:
        rows = [(key, each, form(each)) for key, each in self._of_experiment(self._experiments)]
        if not rows:
            message = "MLflow does not say where its artifacts are"
            raise JobError(message)
        return rows[0][2], self._write(self._experiments, rows)

    def _turn_traces(self) -> int:
        places, traces = self._traces, self._table("trace_info")
        if places is None or traces is None:
            return 0
        own = sqlalchemy.select(traces.c.request_id).where(traces.c.experiment_id == self._id)
        table = places.table
        found = places.read(
            self._connection, table.c.key == _TRACE_PLACE, table.c.request_id.in_(own)
        )
        return self._write(places, [(key, place, plain(place)) for key, place in found])

    def _turn_versions(self, column: str, roots: set[str]) -> int:
        """Turn back the versions of registered models that lie below one of the places."""
        places = self._places("model_versions", column, "name", "version", "workspace")
        if places is None:
            return 0
        found = places.read(self._connection, places.table.c[column].startswith(OVERLAY))
        rows = [(key, place, plain(place)) for key, place in found]
        return self._write(places, [row for row in rows if not roots.isdisjoint(_parents(row[2]))])

    def _of_experiment(self, places: _Places | None) -> Iterator[tuple[Mapping[str, Any], str]]:
        if places is not None:
            own = places.table.c.experiment_id == self._id
            yield from places.read(self._connection, own)

    def _write(self, places: _Places | None, rows: list[tuple[Mapping[str, Any], str, str]]) -> int:
        changed = [(key, new) for key, old, new in rows if new != old]
        if places is not None:
            places.write(self._connection, changed)
        return len(changed)


def _parents(location: str) -> Iterator[str]:
    """Give a place and all places above it."""
    while location:
        yield location
        location = location.rpartition("/")[0]

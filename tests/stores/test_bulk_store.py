"""Batches written at once: MLflow's own store and this one leave the same tables."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import LifecycleStage, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_smwatch.tracking.bulk_points import NEW_POINTS
from mlflow_smwatch.tracking.bulk_rows import row_statement
from mlflow_smwatch.tracking.bulk_store import BulkStore

MODEL = "the run's model"
TABLES = ("params", "tags", "metrics", "latest_metrics", "logged_model_metrics")
OF_THE_SIDE = {"run_uuid", "run_id", "model_id", "experiment_id"}

STORES: tuple[Any, Any] = (SqlAlchemyStore, BulkStore)

Batch = tuple[list[Metric], list[Param], list[RunTag]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A store, and a run and a logged model of its own in it."""

    store: Any
    run_id: str
    model_id: str

    def log(self, batch: Batch) -> tuple[str, str] | None:
        """Log a batch to the run; gives the code and the words of what was refused."""
        metrics, params, tags = batch
        try:
            self.store.log_batch(self.run_id, [self._own(each) for each in metrics], params, tags)
        except MlflowException as error:
            return error.error_code, str(error).replace(self.run_id, "RUN")
        return None

    def _own(self, point: Metric) -> Metric:
        if point.model_id is None:
            return point
        model_id = self.model_id if point.model_id == MODEL else point.model_id
        more = (model_id, point.dataset_name, point.dataset_digest)
        return Metric(point.key, point.value, point.timestamp, point.step, *more)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Read what the database holds of the run."""
        run = {"run_uuid": self.run_id, "run_id": self.run_id}
        with self.store.engine.connect() as connection:
            held = {name: _rows(connection, name, run) for name in TABLES}
            query = sqlalchemy.text("SELECT name FROM runs WHERE run_uuid = :run_uuid")
            held["name"] = [tuple(row) for row in connection.execute(query, run)]
        return held


def _rows(
    connection: sqlalchemy.Connection, table: str, run: dict[str, str]
) -> list[tuple[Any, ...]]:
    found = sqlalchemy.Table(table, sqlalchemy.MetaData(), autoload_with=connection)
    of_run = found.c["run_id" if "run_id" in found.c else "run_uuid"]
    columns = [column for column in found.c if column.name not in OF_THE_SIDE]
    query = sqlalchemy.select(*columns).where(of_run == run["run_id"])
    return sorted((tuple(row) for row in connection.execute(query)), key=repr)


def new_side(store: Any) -> Side:
    """Make a run and a logged model."""
    experiment = store.create_experiment(uuid.uuid4().hex)
    run = store.create_run(experiment, "me", 0, [], "a name")
    model = store.create_logged_model(experiment, name="model")
    return Side(store=store, run_id=run.info.run_id, model_id=model.model_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """MLflow's own store and this package's on one database."""

    own: Any
    bulk: Any

    def sides(self) -> tuple[Side, Side]:
        """Make a run for each."""
        return new_side(self.own), new_side(self.bulk)


def new_pair(uri: str, artifacts: Path) -> Pair:
    """Open both stores; MLflow has no types for them."""
    own, bulk = STORES
    return Pair(own=own(uri, str(artifacts)), bulk=bulk(uri, str(artifacts)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("bulk")
    uri = f"sqlite:///{folder}/mlflow.db"
    return new_pair(uri, folder / "artifacts")


@pytest.fixture(scope="module")
def served_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Give a pair on PostgreSQL, or on the database of ``SMWATCH_TEST_DATABASE``."""
    named = os.environ.get("SMWATCH_TEST_DATABASE")
    uri = named or f"postgresql://{request.getfixturevalue('postgresql')}"
    return new_pair(uri, tmp_path_factory.mktemp("served"))


numbers = st.one_of(
    st.sampled_from((0.0, -0.0, 1, -1.5, 5e-324, float("nan"), float("inf"), -float("inf"))),
    st.floats(),
)
steps = st.integers(-1, 2)
times = st.integers(0, 2)


@st.composite
def points(draw: st.DrawFn) -> Metric:
    """Few keys, times and steps, so that they meet; a model's value follows from its key."""
    key, timestamp, step = draw(st.sampled_from("abc")), draw(times), draw(steps)
    if draw(st.booleans()):
        return Metric(key, draw(numbers), timestamp, step)
    data = ("data", "digest") if key == "a" else (None, None)
    return Metric(key, 10.0 * timestamp + step, timestamp, step, MODEL, *data)


short = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3)
params = st.builds(Param, st.sampled_from("pqr"), st.sampled_from(("1", "1", "2")))
tags = st.builds(RunTag, st.sampled_from(("t", "u", "mlflow.runName")), short)
batches = st.tuples(
    st.lists(points(), max_size=12),
    st.lists(params, max_size=2, unique_by=lambda param: param.key),
    st.lists(tags, max_size=3),
)


def check_same(pair: Pair, sent: list[Batch]) -> None:
    """Send batches to both stores, the first of them again in the end."""
    own, bulk = pair.sides()
    for batch in (*sent, sent[0]):
        assert bulk.log(batch) == own.log(batch)
        assert bulk.tables() == own.tables()


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(batches, min_size=1, max_size=3))
def test_same_tables(pair: Pair, sent: list[Batch]) -> None:
    """Whatever is logged, again too, the rows are MLflow's; a changed param is refused alike."""
    assert pair.bulk._writes_in_bulk
    check_same(pair, sent)


@pytest.mark.slow
@pytest.mark.postgresql
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(batches, min_size=1, max_size=3))
def test_same_tables_in_postgresql(served_pair: Pair, sent: list[Batch]) -> None:
    """The same with the other statements."""
    assert served_pair.bulk._writes_in_bulk
    check_same(served_pair, sent)


TIES = ([float("nan"), 0.0], [0.0, float("nan")], [1.0, 2.0], [2.0, 1.0], [-0.0, 0.0])


@pytest.mark.parametrize("values", TIES, ids=repr)
def test_the_first_among_equals_is_the_latest(pair: Pair, values: list[float]) -> None:
    """Not a number counts as 0; in one batch, and in one after the other."""
    own, bulk = pair.sides()
    at_once = [Metric("once", value, 1, 1) for value in values]
    one_by_one = [[Metric("each", value, 1, 1)] for value in values]
    for metrics in (at_once, *one_by_one):
        assert bulk.log((metrics, [], [])) is own.log((metrics, [], [])) is None
    assert bulk.tables() == own.tables()


def test_a_large_batch(pair: Pair) -> None:
    """A thousand keys are more than one statement asks for; the second time half of them moved."""
    own, bulk = pair.sides()
    first = [Metric(f"key {n}", n, 1, 0) for n in range(1000)]
    second = [Metric(f"key {n}", n, n % 2, n % 2) for n in range(1000)]
    for batch in (first, second):
        assert bulk.log((batch, [], [])) is own.log((batch, [], [])) is None
    assert bulk.tables() == own.tables()


def test_long_values(pair: Pair) -> None:
    """They are cut as MLflow cuts them."""
    own, bulk = pair.sides()
    batch: Batch = ([], [Param("p", "v" * 6001)], [RunTag("t", "v" * 8001)])
    assert bulk.log(batch) is own.log(batch) is None
    assert bulk.tables() == own.tables()


def many(count: int, kind: Callable[[str, str], Any]) -> list[Any]:
    """Make so many params or tags."""
    return [kind(f"key {n}", "value") for n in range(count)]


REFUSED: dict[str, Batch] = {
    "no number": ([Metric("a", "x", 1, 0)], [], []),  # type: ignore[arg-type]
    "no value": ([Metric("a", None, 1, 0)], [], []),  # type: ignore[arg-type]
    "a timestamp that is none": ([Metric("a", 1, -1, 0)], [], []),
    "a step that is none": ([Metric("a", 1, 1, "x")], [], []),  # type: ignore[arg-type]
    "no key": ([Metric(None, 1, 1, 0)], [], []),  # type: ignore[arg-type]
    "a path": ([Metric("../a", 1, 1, 0)], [], []),
    "a long key": ([], [], [RunTag("k" * 251, "value")]),
    "metrics": ([Metric("a", 1, n, 0) for n in range(1001)], [], []),
    "params": ([], many(101, Param), []),
    "tags": ([], [], many(101, RunTag)),
    "entities": ([Metric("a", 1, n, 0) for n in range(901)], many(50, Param), many(50, RunTag)),
    "a param twice": ([], [Param("p", "1"), Param("p", "1")], []),
    "a changed param": ([Metric("a", 1, 1, 0)], [Param("known", "other")], [RunTag("t", "v")]),
    "a later tag": ([Metric("a", 1, 1, 0)], [], [RunTag("t", "v"), RunTag("/", "v")]),
}


@pytest.mark.parametrize("batch", REFUSED.values(), ids=REFUSED)
def test_refused(pair: Pair, batch: Batch) -> None:
    """In MLflow's words, and nothing is written."""
    own, bulk = pair.sides()
    for side in (own, bulk):
        assert side.log(([], [Param("known", "1")], [])) is None
    refused = own.log(batch)
    assert refused
    assert bulk.log(batch) == refused
    assert bulk.tables() == own.tables()


@pytest.mark.parametrize("run_id", ["nowhere", "../x", "deleted"])
def test_refused_runs(pair: Pair, run_id: str) -> None:
    """A run that is not there, cannot be, or was deleted."""
    said = []
    for side in pair.sides():
        if run_id == "deleted":
            side.store.delete_run(side.run_id)
            run = side.store.get_run(side.run_id)
            assert run.info.lifecycle_stage == LifecycleStage.DELETED
        chosen = side.run_id if run_id == "deleted" else run_id
        with pytest.raises(MlflowException) as error:
            side.store.log_batch(chosen, [Metric("a", 1, 1, 0)], [], [])
        said.append((error.value.error_code, str(error.value).replace(side.run_id, "RUN")))
        assert not side.tables()["metrics"]
    assert said[0] == said[1]


UNFIT = {
    "a model that is nowhere": [Metric("a", 1.0, 1, 0, "m-nowhere")],
    "a model's point with two values": [Metric("a", n, 1, 0, MODEL) for n in (1.0, 2.0)],
}


@pytest.mark.parametrize("metrics", UNFIT.values(), ids=UNFIT)
def test_whole_or_not_at_all(pair: Pair, metrics: list[Metric]) -> None:
    """What only the database refuses leaves params and metrics in MLflow's store, not in this."""
    own, bulk = pair.sides()
    before = bulk.tables()
    batch = (metrics, [Param("p", "1")], [RunTag("t", "1")])
    theirs, ours = own.log(batch), bulk.log(batch)
    assert theirs
    assert ours
    assert ours[0] == theirs[0] == "BAD_REQUEST"
    assert own.tables()["params"]
    assert bulk.tables() == before


def test_numbers_of_others(pair: Pair) -> None:
    """What is no number of Python's own goes MLflow's way."""
    numpy = pytest.importorskip("numpy")
    own, bulk = pair.sides()
    batch: Batch = ([Metric("a", numpy.float64(0.5), numpy.int64(3), numpy.int64(2))], [], [])
    assert bulk.log(batch) == own.log(batch)
    assert bulk.tables() == own.tables()


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Any]:
    store = STORES[1](f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path))
    yield store
    store._dispose_engine()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'abcdef012345'", "revision abcdef012345"),
        ("ALTER TABLE metrics ADD COLUMN note VARCHAR(10)", "table metrics has the columns"),
    ],
)
def test_an_unknown_schema(
    strange: Any, change: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """MLflow's own way is taken; that is said once."""
    with strange.engine.begin() as connection:
        connection.exec_driver_sql(change)
    side = new_side(strange)
    with caplog.at_level(logging.WARNING, logger="mlflow_smwatch"):
        for step in range(2):
            batch = ([Metric("a", 1.0, 5, step)], [Param("p", "1")], [RunTag("t", str(step))])
            assert side.log(batch) is None
    assert len(caplog.records) == 1
    assert said in caplog.text
    held = side.tables()
    assert len(held["metrics"]) == 2
    assert len(held["latest_metrics"]) == len(held["params"]) == 1


def test_statement_for_mysql() -> None:
    """Only a duplicate key is passed over."""
    said = row_statement(NEW_POINTS, "mysql", "format")
    assert said.startswith("INSERT INTO metrics (`run_uuid`, `key`,")
    assert said.endswith("ON DUPLICATE KEY UPDATE run_uuid = metrics.run_uuid")

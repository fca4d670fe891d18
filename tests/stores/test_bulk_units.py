"""Units of many runs: what they leave is what MLflow's own calls leave, or nothing at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, LoggedModelTag
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import DatasetRecord, ModelRecord
from mlflow_smwatch.tracking.bulk_store import bulk_store_class
from mlflow_smwatch.tracking.units import NewRun
from tests.stores.test_bulk_store import Pair, new_pair
from tests.stores.unit_ways import Own, Side


def sides(pair: Pair) -> tuple[Side, Side]:
    """Make an experiment for each way."""
    return Side(Own(pair.own), pair.own), Side(pair.bulk, pair.bulk)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("units")
    return new_pair(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.fixture(scope="module")
def served_pair(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return new_pair(f"postgresql://{postgresql}", tmp_path_factory.mktemp("served"))


RUNS = 3
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4)
tag_keys = st.sampled_from(("t", "u", "mlflow.note.content", "smwatch.final"))
numbers = st.sampled_from((0.0, -0.0, 1, 2.5, float("nan"), float("inf"), -float("inf")))
new_runs = st.tuples(
    st.sampled_from(("job", 'a "job", {braces} and \\')),
    st.dictionaries(st.sampled_from(("t", "mlflow.user", "mlflow.source.name")), texts, max_size=2),
)
points = st.builds(
    MetricPoint,
    original=st.just("original"),
    key=st.sampled_from(("loss", "a/b c")),
    value=numbers,
    timestamp_ms=st.integers(0, 2),
    step=st.integers(-1, 2),
)
datasets = st.builds(
    DatasetRecord,
    name=st.sampled_from(("train", "test")),
    uri=st.sampled_from(("s3://b/{x}", 's3://b/"y\\')),
    digest=st.sampled_from(("d1", "d2")),
    context=st.sampled_from(("train", "test")),
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(("FINISHED", "FAILED", "RUNNING", "SCHEDULED")),
        "end_ms": st.integers(0, 9),
        "params": st.dictionaries(st.sampled_from("pq"), st.just("1"), max_size=2),
        "tags": st.dictionaries(tag_keys, texts, max_size=3),
        "removed_tags": st.lists(st.sampled_from(("v", "w")), max_size=2, unique=True),
        "points": st.lists(points, max_size=8),
        "datasets": st.lists(datasets, max_size=3),
        "model": st.just(ModelRecord(name="job", uri="s3://b/model.tar.gz")),
    },
)
units = st.lists(st.tuples(st.integers(0, RUNS - 1), changes), max_size=5)
sent = st.lists(units, min_size=1, max_size=3)
made = st.lists(new_runs, min_size=RUNS, max_size=RUNS)


def check_same(pair: Pair, new: list[Any], units: list[Any]) -> None:
    """Make the runs and write the units both ways, the first of them again in the end."""
    own, bulk = sides(pair)
    assert bulk.store.writes_units
    for side in (own, bulk):
        side.create([(name, {**tags, "v": "1"}) for name, tags in new])
    assert bulk.tables() == own.tables()
    for unit in (*units, units[0]):
        assert bulk.write(unit) is own.write(unit) is None
        assert bulk.tables() == own.tables()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(new=made, units=sent)
def test_same_tables(pair: Pair, new: list[Any], units: list[Any]) -> None:
    """Whatever is written, and written again, the rows are those of MLflow's own calls."""
    check_same(pair, new, units)


@pytest.mark.postgresql
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(new=made, units=sent)
def test_same_tables_in_postgresql(served_pair: Pair, new: list[Any], units: list[Any]) -> None:
    """The same with the other statements."""
    check_same(served_pair, new, units)


def full(which: int, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return a change with a bit of everything."""
    series = [
        MetricPoint(original="loss", key="loss", value=0.5 * n, timestamp_ms=n, step=n)
        for n in range(30)
    ]
    change = {
        "status": "FINISHED",
        "end_ms": 9,
        "params": {"p": "1"},
        "tags": {"t": "1"},
        "points": series,
        "datasets": [DatasetRecord(name="train", uri="s3://b/x", digest="d", context="train")],
        "model": ModelRecord(name="job", uri="s3://b/model.tar.gz"),
    }
    return which, {**change, **more}


def deleted_run(side: Side) -> tuple[int, dict[str, Any]]:
    """Delete the last run, and give a change of it."""
    side.store.delete_run(side.run_ids[2])
    return full(2)


def missing_run(side: Side) -> tuple[int, dict[str, Any]]:
    """Give a change of a run that is not there."""
    side.run_ids.append("nowhere")
    return full(3)


SLASH = MetricPoint(original="", key="/", value=1.0, timestamp_ms=1, step=1)
LAST: dict[str, Callable[[Side], tuple[int, dict[str, Any]]]] = {
    "a changed param": lambda _: full(2, params={"known": "other"}),
    "a param that is none": lambda _: full(2, params={"p": "1", "a\nb": "1"}),
    "a tag that is none": lambda _: full(2, tags={"../t": "1"}),
    "a metric that is none": lambda _: full(2, points=[SLASH]),
    "a model's name that is none": lambda _: full(2, model=ModelRecord(name="a/b", uri="s3://b")),
    "a deleted run": deleted_run,
    "a run that is nowhere": missing_run,
}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_whole_or_not_at_all(pair: Pair, last: Callable[[Side], Any]) -> None:
    """What is refused of the last run is refused in MLflow's words, and nothing is left."""
    own, bulk = sides(pair)
    said = []
    for side in (own, bulk):
        side.create([("job", {})] * 3)
        side.write([(2, {"params": {"known": "1"}})])
        change = last(side)
        before, counted = side.tables(), side.counts()
        said.append(side.write([full(0), full(1), change]))
        if side is bulk:
            assert side.tables() == before
            assert side.counts() == counted
    assert said[0]
    assert said[0] == said[1]


@pytest.mark.parametrize("which", ["deleted", "nowhere", "no number"])
def test_experiments_refused(pair: Pair, which: str) -> None:
    """In MLflow's words; none of the runs is made."""
    own, bulk = sides(pair)
    said = []
    for side in (own, bulk):
        other = side.store.create_experiment(uuid.uuid4().hex)
        if which == "deleted":
            side.store.delete_experiment(other)
        chosen = {"deleted": other, "nowhere": "123456", "no number": "x"}[which]
        new = [
            NewRun(experiment_id=each, name="job", start_ms=1, tags={})
            for each in (side.experiment_id, chosen)
        ]
        with pytest.raises(MlflowException) as error:
            side.way.create_runs(new)
        said.append((error.value.error_code, str(error.value).replace(other, "EXPERIMENT")))
    assert said[0] == said[1]
    assert not MlflowClient(str(pair.bulk.db_uri)).search_runs([bulk.experiment_id])


def test_names(pair: Pair) -> None:
    """A run gets the name given, the tagged one, or one of MLflow's making; never two."""
    own, bulk = sides(pair)
    for side in (own, bulk):
        side.create([("", {"mlflow.runName": "tagged"}), ("given", {"mlflow.runName": "given"})])
    assert bulk.tables() == own.tables()
    bulk.create([("", {})])
    run = bulk.store.get_run(bulk.run_ids[-1])
    assert run.info.run_name == run.data.tags["mlflow.runName"] != ""
    said = []
    for side in (own, bulk):
        with pytest.raises(MlflowException) as error:
            side.create([("one", {"mlflow.runName": "other"})])
        said.append(str(error.value))
    assert said[0] == said[1]


def write_shared(side: Side, order: int) -> None:
    """Write runs that others write too, in an order of one's own."""
    unit = [full(which, tags={f"of {order}": "1"}) for which in range(10)]
    assert side.write(unit[::-1] if order % 2 else unit) is None


def check_together(uri: str, folder: Path) -> None:
    """Write the same runs by several stores at once."""
    stores = [new_pair(uri, folder).bulk for _ in range(4)]
    first = Side(stores[0], stores[0])
    first.create([("job", {})] * 10)
    others = [first]
    for store in stores[1:]:
        side = Side(store, store)
        side.experiment_id, side.run_ids = first.experiment_id, first.run_ids
        others.append(side)
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write_shared, others, range(4)))
    held = first.tables()
    assert len(held["metrics"]) == 10 * 30
    assert len(held["latest"]) == len(held["inputs"]) == len(held["params"]) == 10
    assert len(held["models"]) == 10 * 2
    assert len(held["tags"]) == 10 * (1 + 4)
    assert all(", 14.5, 29, 29, " in row for row in held["latest"])


def test_written_together(tmp_path: Path) -> None:
    """Nothing is doubled, lost or refused."""
    check_together(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)


@pytest.mark.postgresql
def test_written_together_in_postgresql(postgresql: str, tmp_path: Path) -> None:
    """The same where writers hold rows, not the whole database."""
    check_together(f"postgresql://{postgresql}", tmp_path)


def test_the_oldest_model_stays(pair: Pair) -> None:
    """A model that an interrupted pass has made is finished and linked, not doubled."""
    _, bulk = sides(pair)
    bulk.create([("job", {})])
    made = bulk.store.create_logged_model(
        bulk.experiment_id, "job", bulk.run_ids[0], [LoggedModelTag(names.ARN, "arn:0")]
    )
    assert bulk.write([full(0)]) is None
    run = bulk.store.get_run(bulk.run_ids[0])
    assert [each.model_id for each in run.outputs.model_outputs] == [made.model_id]
    assert bulk.store.get_logged_model(made.model_id).status == LoggedModelStatus.READY


def test_workspaces_write_no_units() -> None:
    """What is read and written there depends on who asks."""
    pytest.importorskip("mlflow.store.tracking.sqlalchemy_workspace_store")
    store: Any = bulk_store_class(workspaces=True)
    assert store.writes_units.fget(object.__new__(store)) is False

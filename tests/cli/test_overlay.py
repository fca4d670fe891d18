from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.cli import NOTHING_DONE, SOME_FAILED
from tests.cli.conftest import Smwatch

HOME = "sagemaker/training-jobs"


def place(database: Path) -> str:
    """Give where the experiment of training jobs is."""
    found = MlflowClient(tracking_uri=f"sqlite:///{database}").get_experiment_by_name(HOME)
    assert found is not None
    return str(found.artifact_location)


@pytest.mark.slow
def test_over_and_back(smwatch: Smwatch, database: Path) -> None:
    """A line for each experiment; without a name, all are turned back that can be."""
    uri, before = f"sqlite:///{database}", place(database)
    over = smwatch("overlay", HOME, "--tracking-uri", uri)
    assert over.code == 0, over.err
    assert over.out == f"overlay  {HOME}  smwatch+file://{before}  3 addresses changed\n"
    assert "'smwatch sync --artifacts overlay'" in over.err
    back = smwatch("overlay", "--off", SMWATCH_TRACKING_URI=uri)
    assert (back.code, back.err) == (0, "")
    assert back.out == f"plain    {HOME}  {before}  3 addresses changed\n"
    assert place(database) == before
    again = smwatch("overlay", "--off", "--tracking-uri", uri)
    assert (again.code, again.out) == (0, "")
    assert again.err == "no experiment is on the overlay\n"


@pytest.mark.slow
def test_json_and_what_is_not_there(smwatch: Smwatch, database: Path) -> None:
    """Exit code 1; the others are turned."""
    uri = f"sqlite:///{database}"
    done = smwatch("overlay", "nothing", HOME, "--json", "--tracking-uri", uri)
    assert done.code == SOME_FAILED
    assert done.message == f"nothing: no such experiment in {uri}"
    (turned,) = done.document["experiments"]
    assert turned == {
        "experiment": HOME,
        "experiment_id": turned["experiment_id"],
        "location": place(database),
        "changed": 3,
        "left": 0,
    }
    assert done.document["failed"] == [
        {"experiment": "nothing", "error": f"no such experiment in {uri}"}
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("overlay",), 2, "name the experiments"),
        (("overlay", HOME, "--tracking-uri", "http://127.0.0.1:9"), 2, "no call to an MLflow"),
        (("overlay", HOME, "--tracking-uri", "sqlite:///no.db"), NOTHING_DONE, "no such database"),
        (
            ("sync", "--artifacts", "overlay", "--artifact-base", "/srv/" + "x" * 105),
            2,
            "too long by 1, because",
        ),
    ],
)
def test_refusals(smwatch: Smwatch, arguments: tuple[str, ...], code: int, reason: str) -> None:
    """Each in one line."""
    done = smwatch(*arguments)
    assert done.code == code
    assert reason in done.message
    assert done.out == ""


@pytest.mark.slow
def test_a_file_of_options(smwatch: Smwatch, tmp_path: Path) -> None:
    """Mode and base may stand there."""
    text = (
        f'tracking-uri = "sqlite:///o.db"\nartifacts = "overlay"\nartifact-base = "{tmp_path}/a"\n'
    )
    (tmp_path / "smwatch.toml").write_text(text, encoding="utf-8")
    done = smwatch("sync", "alpha")
    assert done.code == 0, done.err
    assert place(tmp_path / "o.db").startswith(f"smwatch+file://{tmp_path}/a/")

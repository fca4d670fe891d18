from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from mlflow_smwatch.core.shown_paths import run_path
from mlflow_smwatch.overlay.claimed_runs import is_root
from mlflow_smwatch.overlay.fresh import LASTS_S, Fresh

RUN = "0123456789abcdef" * 2
DESTINATION = "smwatch+s3://bucket/base"
BELOW = f"1/{RUN}/artifacts"

ROOTS = [
    ("smwatch+s3://bucket/base/" + BELOW, "smwatch+s3://bucket", "/base/" + BELOW, None, True),
    ("smwatch+file:/base/" + BELOW, "smwatch+file:///base", "/base/" + BELOW, None, True),
    ("smwatch+s3://other/base/" + BELOW, DESTINATION, "/base/" + BELOW, None, False),
    ("s3://bucket/base/" + BELOW, DESTINATION, "/base/" + BELOW, None, False),
    ("mlflow-artifacts:/" + BELOW, DESTINATION, "/base/" + BELOW, None, True),
    ("mlflow-artifacts://host:1/" + BELOW, DESTINATION, "/base/" + BELOW, None, True),
    (
        f"http://host/api/2.0/mlflow-artifacts/artifacts/{BELOW}",
        DESTINATION,
        f"/base/{BELOW}",
        None,
        True,
    ),
    ("mlflow-artifacts:/2/" + BELOW, DESTINATION, "/base/" + BELOW, None, False),
    ("mlflow-artifacts:/" + BELOW, DESTINATION, "/base/x/" + BELOW, None, False),
    ("mlflow-artifacts:/" + BELOW, DESTINATION, "/base/workspaces/a/" + BELOW, "a", True),
    ("mlflow-artifacts:/" + BELOW, DESTINATION, "/base/workspaces/b/" + BELOW, "a", False),
    ("mlflow-artifacts:/" + BELOW, DESTINATION, "/base/workspaces/a/" + BELOW, None, False),
    ("mlflow-artifacts:/" + BELOW, "smwatch+s3://mine/base", "/base/" + BELOW, None, False),
]


@pytest.mark.parametrize(("artifact_uri", "overlay_uri", "path", "workspace", "expected"), ROOTS)
def test_a_run_has_one_place(
    monkeypatch: pytest.MonkeyPatch,
    artifact_uri: str,
    overlay_uri: str,
    path: str,
    workspace: str | None,
    expected: bool,
) -> None:
    """Its own, or below what the server itself was started with."""
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", DESTINATION)
    run = run_path(path)
    assert run is not None
    assert is_root(artifact_uri, run, overlay_uri, workspace) is expected


def test_an_answer_is_kept_for_a_few_seconds() -> None:
    """After that it is asked again."""
    now, asked = [0.0], []
    fresh: Fresh[int] = Fresh(clock=lambda: now[0])

    def read() -> int:
        asked.append(now[0])
        return len(asked)

    assert [fresh.get("key", read), fresh.get("key", read)] == [1, 1]
    now[0] = LASTS_S + 0.1
    assert fresh.get("key", read) == 2
    assert fresh.get("other", read) == 3
    assert fresh.get("other", read, lambda _: 0) == 3


def test_who_comes_later_waits() -> None:
    """One asks, all get its answer."""
    fresh: Fresh[int] = Fresh()
    began, go_on, asked = threading.Event(), threading.Event(), []

    def read() -> int:
        asked.append(1)
        began.set()
        assert go_on.wait(10)
        return 7

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(fresh.get, "key", read)
        assert began.wait(10)
        others = [pool.submit(fresh.get, "key", read) for _ in range(3)]
        go_on.set()
        assert [each.result() for each in (first, *others)] == [7] * 4
    assert len(asked) == 1


def test_an_interruption_hits_one_alone() -> None:
    """Who waits for somebody that is interrupted asks himself."""
    fresh: Fresh[int] = Fresh()
    began, go_on = threading.Event(), threading.Event()

    def interrupted() -> int:
        began.set()
        assert go_on.wait(10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(fresh.get, "key", interrupted)
        assert began.wait(10)
        others = [pool.submit(fresh.get, "key", lambda: 7) for _ in range(3)]
        go_on.set()
        assert isinstance(first.exception(10), KeyboardInterrupt)
        assert [each.result(10) for each in others] == [7] * 3


def test_an_error_is_not_kept() -> None:
    """The next one asks again."""
    fresh: Fresh[int] = Fresh()

    def fails() -> int:
        message = "no answer"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no answer"):
        fresh.get("key", fails)
    assert fresh.get("key", lambda: 1) == 1


def test_old_answers_go() -> None:
    """No more are kept than were asked for."""
    fresh: Fresh[int] = Fresh(most=2)
    for number in range(5):
        assert fresh.get(number, partial(int, number)) == number
    assert fresh.get(4, lambda: -1) == 4
    assert fresh.get(0, lambda: -1) == -1

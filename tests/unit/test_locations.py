from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.uri import append_to_uri_path

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.tracking.locations import is_overlaid, overlaid, plain

BEGINNINGS = ("/", "file:///", "s3://bucket/", "gs://bucket/", "wasbs://box@account/")
PLACES = st.text("aZ09 ._-%+~ü/", min_size=1, max_size=30).filter(
    lambda path: not path.startswith("/")
)


@given(st.sampled_from(BEGINNINGS), PLACES)
def test_what_is_turned_over_comes_back(beginning: str, path: str) -> None:
    """Character by character; turned twice it stays, either way."""
    location = beginning + path
    over = overlaid(location)
    assert is_overlaid(over)
    assert overlaid(over) == over
    assert plain(over) == location == plain(location)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_runs_that_mlflow_makes_meanwhile(beginning: str) -> None:
    """Come back as MLflow would have made them below the plain place."""
    location = f"{beginning}mlruns/1"
    made, wanted = (
        append_to_uri_path(each, "run", "artifacts")  # type: ignore[no-untyped-call]
        for each in (overlaid(location), location)
    )
    assert plain(made) == wanted


@pytest.mark.parametrize(
    ("location", "overlay"),
    [
        ("/srv/mlruns/1", "smwatch+file:///srv/mlruns/1"),
        ("file:///srv/mlruns/1", "smwatch+file://localhost/srv/mlruns/1"),
        ("s3://bucket/1", "smwatch+s3://bucket/1"),
    ],
)
def test_forms(location: str, overlay: str) -> None:
    """The forms that are documented."""
    assert overlaid(location) == overlay


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("mlflow-artifacts:/1", "--artifacts-destination"),
        ("ftp://host/1", "not ftp://host/1"),
        ("dbfs:/1", "not dbfs:/1"),
        ("http://host/1", "not http"),
        ("relative/1", "not relative/1"),
        ("file:/srv/1", "not file:/srv/1"),
        ("file://host/srv/1", "not file://host"),
        ("/srv/a?b", "cannot be written"),
        ("/srv/a#b", "cannot be written"),
        ("//srv/a", "cannot be written"),
        ("file:////srv/a", "cannot be written"),
        ("/", "cannot be written"),
        ("/srv/a\nb", "cannot be written"),
    ],
)
def test_what_has_no_overlay(location: str, reason: str) -> None:
    """Is refused with the reason."""
    with pytest.raises(JobError, match=reason):
        overlaid(location)

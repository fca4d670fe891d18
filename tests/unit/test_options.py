"""Options: understood, or refused in one line."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mlflow_smwatch import UsageError
from mlflow_smwatch.core.moments import moment
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.tracking.locations import LONGEST_RUN, overlaid_below

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("30s", NOW - timedelta(seconds=30)),
        ("2026-01-30", NOW - timedelta(hours=36)),
        ("2026-01-31T11:00:00Z", NOW - timedelta(hours=1)),
        ("2026-01-31T12:00:00+01:00", NOW - timedelta(hours=1)),
        (" 2026-01-31 11:00 ", NOW - timedelta(hours=1)),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    """ISO times are UTC unless they say otherwise; the rest is how long ago."""
    assert moment(text, NOW, "--since") == expected


NO_MOMENTS = [
    *("", "yesterday", "7", "d", "-7d", "2026-13-01", "9" * 12 + "d"),
    *("0001-01-01", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59", "700000d"),
    *("9999-12-31T23:59:59", "9999-12-31T23:59:59-14:00", "9998-12-31T23:59:59-01:00"),
]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """The option and the forms that it takes are named."""
    with pytest.raises(UsageError, match=r"--since .*90m, 36h, 7d"):
        moment(text, NOW, "--since")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"since": "soon"}, "--since"),
        ({"until": "soon"}, "--until"),
        ({"since": "1d", "until": "2d"}, "--until"),
        ({"kinds": ("training-job", "notebook")}, "notebook"),
        ({"metrics": "everything"}, "--metrics"),
        ({"artifacts": "all"}, "--artifacts"),
        ({"workers": 0}, "--workers"),
        ({"workers": 65}, "--workers"),
        ({"settle_s": -1}, "--settle"),
    ],
)
def test_wrong_options_are_named(wrong: dict[str, Any], named: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(UsageError, match=named):
        SyncOptions(**wrong)


@pytest.mark.parametrize(
    "base",
    [
        "/srv/mlflow",
        "file:///srv/a b",
        "s3://bucket",
        "gs://b/x",
        "wasbs://box@account/x",
        "/" + "x" * 108,
        "file:///" + "x" * 108,
        "s3://" + "x" * 111,
    ],
)
def test_artifact_bases(base: str) -> None:
    """What has an overlay, and room for a folder of an experiment and the runs in it."""
    assert SyncOptions(artifacts="overlay", artifact_base=base).artifact_base == base
    run = f"{overlaid_below(base, 'f' * 32)}/{'f' * 32}/artifacts"
    assert len(run) <= LONGEST_RUN


@pytest.mark.parametrize(
    "base",
    [
        "",
        "mlruns",
        "ftp://host/x",
        "smwatch+s3://bucket",
        "mlflow-artifacts:/x",
        "file://host/x",
        "file:/x",
        "//srv/x",
        "file:////srv",
        "s3:///x",
        "/srv/../etc",
        "/srv/x?y",
        "/" + "x" * 109,
        "file:///" + "x" * 109,
        "s3://" + "x" * 112,
    ],
)
def test_what_is_no_artifact_base(base: str) -> None:
    """Is refused, where it would be used."""
    with pytest.raises(UsageError, match="--artifact-base"):
        SyncOptions(artifacts="overlay", artifact_base=base)
    assert SyncOptions(artifact_base=base).artifact_base == base

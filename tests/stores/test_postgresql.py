from __future__ import annotations

from pathlib import Path

import pytest

import mlflow_smwatch
from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import LISTS, arn
from tests.stores.contents import contents

pytestmark = pytest.mark.postgresql


def test_same_as_sqlite(postgresql: str, aws: EmulatedAccount, tmp_path: Path) -> None:
    """Field by field what SQLite holds, odd names and NUL included; then nothing is written."""
    uri, beside = f"postgresql://{postgresql}", f"sqlite:///{tmp_path}/mlflow.db"
    for each in (uri, beside):
        report = mlflow_smwatch.sync(tracking_uri=each, artifacts="none")
        assert report.jobs["created"] == 4, report.failed
        assert not report.warnings
    theirs = contents(uri)
    assert theirs == contents(beside)
    assert "\x00" not in theirs[arn("extreme")]["params"]["nul"]
    aws.reset_calls()
    again = mlflow_smwatch.sync(tracking_uri=uri, artifacts="none")
    assert again.jobs["unchanged"] == 4
    assert again.points == 0
    assert dict(aws.calls) == LISTS
    by_driver = mlflow_smwatch.sync(
        "plain", tracking_uri=f"postgresql+psycopg2://{postgresql}", artifacts="none"
    )
    assert by_driver.jobs["unchanged"] == 1


def test_no_such_database(postgresql: str, aws: EmulatedAccount) -> None:
    """A database or a login that does not exist is named, without the password."""
    address = postgresql.replace("mirror@", "nobody:pass-word@")
    with pytest.raises(TrackingError, match='role "nobody" does not exist') as error:
        mlflow_smwatch.sync(tracking_uri=f"postgresql://{address}")
    assert "pass-word" not in str(error.value)
    assert not aws.calls

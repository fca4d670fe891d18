"""Credentials that expire while a pass runs, and clocks that are wrong."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mlflow_smwatch.core.errors import CredentialsError
from mlflow_smwatch.demo.account import KEY_ID
from tests.faults.conftest import MOST, Weather, require_plain, some_of
from tests.jobs import ACCOUNT

ASSUME = "sts:AssumeRole"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
PROCESS = """
import json, pathlib
count = pathlib.Path({count!r})
number = int(count.read_text() or 0) + 1 if count.exists() else 1
count.write_text(str(number))
print(json.dumps({{
    "Version": 1,
    "AccessKeyId": f"ASIAPROCESS{{number:09}}",
    "SecretAccessKey": "emulated",
    "SessionToken": "emulated",
    "Expiration": {until!r},
}}))
"""


def profile(folder: Path, monkeypatch: pytest.MonkeyPatch, *, lasts_s: int = 7200) -> Path:
    """Configure a process that gives new credentials each time; give the file of its count."""
    count, program = folder / "count", folder / "credentials.py"
    until = (datetime.now(tz=timezone.utc) + timedelta(seconds=lasts_s)).isoformat()
    program.write_text(PROCESS.format(count=str(count), until=until))
    config = folder / "config"
    config.write_text(f"[profile renewing]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return count


def test_without_renewal(paged: Weather) -> None:
    """The pass stops with the next step; another one, with new credentials, goes on from there."""
    paged.account.faults.expire_keys(after=30)
    said = paged.attempt()
    assert "renew them" in said
    assert "ExpiredToken" in said
    paged.clear_up()


@pytest.mark.parametrize("after", some_of((0, 9, 30), 9))
def test_a_process_renews_them(
    paged: Weather, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Credentials that AWS ends early are asked for anew, and the pass goes on."""
    calm = paged.calm_calls()
    count = profile(tmp_path, monkeypatch)
    paged.account.faults.expire_keys("ASIAPROCESS000000001", after=after)
    report = paged.mirror.sync(profile="renewing")
    assert report.failed == []
    assert report.warnings == []
    assert count.read_text() == "2"
    assert paged.account.calls.total() <= MOST * calm
    paged.clear_up()


def test_a_process_that_has_none_left(
    paged: Weather, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it gives has expired: the pass stops, and says so."""
    profile(tmp_path, monkeypatch, lasts_s=-60)
    with pytest.raises(CredentialsError) as error:
        paged.mirror.sync(profile="renewing")
    require_plain(str(error.value))
    assert "expired" in str(error.value)
    paged.clear_up()


@pytest.mark.parametrize("after", some_of((0, 20), 20))
def test_a_role_is_assumed_anew(paged: Weather, after: int) -> None:
    """Where the sessions of a role were ended, it is assumed again."""
    paged.account.faults.expire_keys("ASIA*", after=after)
    report = paged.mirror.sync(assume_role=(ROLE,))
    assert report.failed == []
    assert paged.account.calls[ASSUME] == 2
    paged.clear_up()


def test_a_role_that_may_not_be_assumed_again(paged: Weather) -> None:
    """The caller's own credentials have expired too: the pass stops."""
    paged.account.faults.expire_keys("ASIA*", after=20)
    paged.account.faults.expire_keys(KEY_ID, after=1)
    assert "renew them" in paged.attempt(assume_role=(ROLE,))
    paged.clear_up()


@pytest.mark.parametrize("minutes", some_of((-20, 20), -20))
def test_a_clock_that_is_wrong(paged: Weather, minutes: int) -> None:
    """AWS refuses what is signed at another time: the clock is to be set, not the credentials."""
    paged.account.faults.skew_clock(timedelta(minutes=minutes))
    done = paged.program("--json")
    assert done.code == 3
    assert done.message.count("clock") == 1
    assert "renew" not in done.message
    assert done.document == {"error": done.message}
    paged.clear_up()


def test_a_clock_that_is_nearly_right(paged: Weather) -> None:
    """A few minutes do not matter."""
    paged.account.faults.skew_clock(timedelta(minutes=4))
    assert paged.sync().failed == []
    paged.clear_up()

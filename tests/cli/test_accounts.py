"""Several accounts and Regions on the command line."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from mlflow_smwatch.cli import main
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.jobs import ACCOUNT, HOUR_MS, job_answer, now_ms

OTHER, EUROPE = "222222222222", "eu-west-1"
ROLES = tuple(f"arn:aws:iam::{number}:role/reader" for number in (ACCOUNT, OTHER))
DENIAL = {"code": "AccessDenied", "status": 403}


@pytest.fixture
def wide(healed: EmulatedAccount) -> EmulatedAccount:
    """Put a job named gamma into another account and another Region."""
    created_ms = now_ms() - 5 * HOUR_MS
    answer = job_answer("gamma", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    healed.elsewhere(EUROPE, OTHER).put_training_job(answer)
    return healed


@pytest.mark.parametrize("way", ["options", "list", "variables", "file"])
def test_ways_to_give_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """By options, variables and the file; Regions in a comma list too, and each once."""
    monkeypatch.chdir(tmp_path)
    regions, given = ("us-east-1", EUROPE), list[str]()
    if way == "variables":
        monkeypatch.setenv("SMWATCH_ASSUME_ROLE", " ".join(ROLES))
        monkeypatch.setenv("SMWATCH_REGION", ",".join(regions))
    elif way == "file":
        lines = f"assume-role = {list(ROLES)}\nregion = {list(regions)}\n"
        (tmp_path / "smwatch.toml").write_text(lines)
    else:
        given += [word for each in ROLES for word in ("--assume-role", each)]
        listed = [",".join(regions)] if way == "list" else [*regions, EUROPE]
        given += [word for each in listed for word in ("--region", each)]
    parsed = main.commands["sync"].make_context("sync", given, parent=click.Context(main))
    assert (parsed.params["assume_role"], parsed.params["region"]) == (ROLES, regions)


@pytest.mark.slow
def test_one_document_of_all(smwatch: Smwatch, wide: EmulatedAccount) -> None:
    """Each account is mirrored in each Region; the document has the shape of one."""
    done = smwatch(
        *("sync", "--json", "--metrics", "off", "--kinds", "training-job"),
        *("--tracking-uri", "sqlite:///mlflow.db"),
        SMWATCH_ASSUME_ROLE=" ".join(ROLES),
        SMWATCH_REGION=f"{wide.region},{EUROPE}",
    )
    assert done.code == 0, done.err
    document = done.document
    assert [each["name"] for each in document["runs"]] == ["alpha", "beta", "gamma"]
    assert document["jobs"]["created"] == 3
    assert document["aws_calls"]["sts:AssumeRole"] == 4
    assert not {"targets", "dry_run"} & document.keys()


@pytest.mark.slow
def test_exit_codes(smwatch: Smwatch, wide: EmulatedAccount) -> None:
    """One of two that is denied is 1, all are 3; what is no role is 2."""
    given = (
        "sync",
        "--kinds",
        "training-job",
        "--assume-role",
        ROLES[0],
        "--assume-role",
        ROLES[1],
    )
    store = ("--tracking-uri", "sqlite:///mlflow.db", "--region", EUROPE)
    wide.faults.fail("sts:AssumeRole", **DENIAL)  # type: ignore[arg-type]
    done = smwatch(*given, *store)
    assert (done.code, done.message.partition(": ")[0]) == (1, ROLES[0])
    assert "gamma" in done.out
    wide.faults.fail("sts:AssumeRole", times=None, **DENIAL)  # type: ignore[arg-type]
    done = smwatch(*given, *store)
    assert (done.code, done.out) == (3, "")
    assert done.message.startswith("the role cannot be assumed (AccessDenied")
    done = smwatch("sync", "--assume-role", "reader")
    assert done.code == 2
    assert done.message.startswith("--assume-role 'reader': give the ARN of a role")


def test_no_queue_for_several(smwatch: Smwatch) -> None:
    """It is one account's and one Region's."""
    done = smwatch(
        *("watch", "--region", "us-east-1,eu-west-1", "--tracking-uri", "sqlite:///mlflow.db"),
        *("--queue", "https://sqs.us-east-1.amazonaws.com/123456789012/smwatch"),
    )
    assert done.code == 2
    assert done.message.startswith("--queue is for one account and Region")

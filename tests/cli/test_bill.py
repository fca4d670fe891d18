"""Forecast, limits and prices at the command line."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from mlflow_smwatch.cli.day_costs import DayCosts
from mlflow_smwatch.cli.diagnostics import Diagnostics
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.test_refusals import refused
from tests.cli.test_sync import store


@pytest.mark.slow
def test_a_dry_run_prints_calls_by_operation_and_their_price(
    smwatch: Smwatch, account: EmulatedAccount, tmp_path: Path
) -> None:
    """Also what it cannot know; the pass that follows makes these calls."""
    options = ("--metrics", "cloudwatch", *store(tmp_path / "new.db"))
    told = smwatch("sync", "--dry-run", *options)
    assert told.code == 0
    lines = [line.split() for line in told.out.splitlines() if line.startswith("calls")]
    forecast = {action: int(calls) for _, action, calls in lines}
    account.reset_calls()
    real = smwatch("sync", "--json", *options)
    assert forecast == real.document["aws_calls"] == dict(account.calls)
    assert "not in it" in told.out
    price = re.findall(r"about ([0-9.]+) USD", told.out)
    assert price == [f"{real.document['estimated_cost_usd']:.4f}"]


@pytest.mark.slow
def test_a_limit_ends_a_pass_with_one_line(smwatch: Smwatch, tmp_path: Path) -> None:
    """What is written is printed; exit 1, and the next pass goes on to the end."""
    options = ("--json", "--metrics", "cloudwatch", *store(tmp_path / "new.db"))
    first = smwatch("sync", "--max-calls", "8", *options)
    assert first.code == 1
    assert first.document["jobs"]["created"] == 1
    assert sum(first.document["aws_calls"].values()) <= 8
    said = "Error: jobs that were not reached: --max-calls 8 reached: 1 jobs written; run again"
    assert said in first.err
    second = smwatch("sync", "--max-calls", "12", *options)
    assert (second.code, second.err) == (0, "")
    assert second.document["jobs"]["created"] + second.document["jobs"]["updated"] == 1


@pytest.mark.slow
def test_a_limit_that_is_too_small_is_an_error(smwatch: Smwatch, tmp_path: Path) -> None:
    """Exit 3, one line, nothing on stdout."""
    done = smwatch("sync", "--max-calls", "1", *store(tmp_path / "new.db"))
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1
    assert "--max-calls 1 reached before anything was written: allow more" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("as_of = 1", "source is missing"),
        ("as_of = '2026'\nsource = 'x'\n[instances]\nbig = 1", "instances.big: give an instance"),
    ],
)
def test_a_wrong_price_list_is_one_line(
    smwatch: Smwatch, tmp_path: Path, content: str | None, said: str
) -> None:
    """Exit 2; the file and the key are named."""
    path = tmp_path / "prices.toml"
    if content is not None:
        path.write_text(content)
    text = refused(smwatch("sync", "--prices", str(path), *store(tmp_path / "new.db")), 2)
    assert said in text
    assert "prices.toml" in text


class Book:
    """An account book."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.cost_usd = 0.0


class Mirror:
    """As much of a mirror as has an account book."""

    def __init__(self) -> None:
        self.ledger = Book()


def test_a_watch_says_what_a_day_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Once the day is over; calls of the pass that ends later are those of its end."""
    day = ["2026-11-21"]
    costs, mirror = DayCosts(Diagnostics(as_records=False), lambda: day[0]), Mirror()
    costs.begins(mirror)  # type: ignore[arg-type]
    mirror.ledger.calls["sagemaker:Search"] += 1200
    mirror.ledger.cost_usd += 0.25
    costs.passed()
    assert capsys.readouterr().err == ""
    day[0] = "2026-11-22"
    mirror.ledger.calls["sagemaker:Search"] += 3
    costs.passed()
    assert capsys.readouterr().err == "2026-11-21: 1,200 AWS calls, about 0.2500 USD\n"
    mirror.ledger.calls["sagemaker:Search"] += 2
    assert costs.days[0]["aws_calls"] == {"sagemaker:Search": 5}
    assert capsys.readouterr().err == ""
    assert [each["day"] for each in costs.days] == ["2026-11-22", "2026-11-21"]


@pytest.mark.parametrize(
    "wrong", [("--prices", "nowhere.toml"), ("--max-cost", "nan")], ids=lambda each: each[0]
)
def test_a_wrong_value_shows_the_usage_of_its_command(
    smwatch: Smwatch, wrong: tuple[str, str]
) -> None:
    """Not that of the program, which has no such option."""
    done = smwatch("sync", *wrong)
    assert (done.code, done.out) == (2, "")
    assert " sync [OPTIONS]" in done.err.splitlines()[0]
    assert " sync --help'" in done.err
    assert wrong[0] in refused(done, 2)

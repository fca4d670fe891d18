"""Programs that are killed at any moment: after one clean pass MLflow holds the truth."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path
from random import Random

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import environment
from tests.exactly_once.conftest import SERVER, SETTLE_S, SQLITE
from tests.exactly_once.programs import SYNC, WATCH, Program, Programs, programs
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import check

KILLS = int(os.environ.get("SMWATCH_TEST_KILLS", "200"))
CHAPTER = 5
"""After so many kills there are new jobs."""

LATER, EARLIER = 1.05, 0.8
"""The moments follow the work as it changes: about one pass in five ends before it is killed."""

LOADING = 0.05
"""Share of the kills that come before a program has asked AWS for anything."""


class Killing:
    """Kills programs over one account and one store, while one of the jobs grows.

    Attributes
    ----------
    struck
        Number of programs that were killed before they had ended by themselves.
    """

    def __init__(
        self, account: EmulatedAccount, author: Author, running: Programs, seed: int
    ) -> None:
        self.struck = 0
        self._account = account
        self._author = author
        self._programs = running
        self._chance = Random(seed)
        self._longest_s = 1.0
        self._loading_s = 1.0

    def measure(self) -> None:
        """Make one pass over the same jobs, and note how long it takes to begin and to end."""
        program = self._programs.start(*SYNC)
        assert self._begun(program), program.log.read_text()
        begun = time.monotonic()
        assert program.wait() == 0, program.log.read_text()
        self._loading_s = begun - program.began
        self._longest_s = time.monotonic() - begun

    def strike(self) -> None:
        """Start a program, let the running job grow, and kill the program at some moment."""
        self._author.grow()
        command = self._chance.choice((SYNC, WATCH))
        program = self._programs.start(*command)
        if self._chance.random() < LOADING:
            time.sleep(self._chance.uniform(0, self._loading_s))
        else:
            self._begun(program)
            delay_s = self._chance.uniform(0, self._longest_s)
            time.sleep(delay_s / 2)
            self._author.grow()
            time.sleep(delay_s / 2)
        struck = program.kill()
        self.struck += struck
        if command == SYNC:
            self._longest_s *= LATER if struck else EARLIER

    def _begun(self, program: Program) -> bool:
        before = self._account.calls.total()
        return program.wait_until(lambda: self._account.calls.total() > before)


def tell(author: Author, uri: str, big: int) -> None:
    """Tell of jobs of every sort; the logs of one make more points than are written at once."""
    author.ended(hosts=1, lines=big)
    author.ended(hosts=3, lines=150, restarts=2)
    author.without_logs()
    author.adopted(uri, lines=600)
    author.begin(hosts=2)


def turn_page(author: Author, uri: str, chapter: int) -> None:
    """Tell of a new job with logs; in turns of runs that jobs log themselves, and of an end."""
    author.ended(hosts=1 + chapter % 3, lines=300 + chapter % 4 * 700)
    if chapter % 2 == 0:
        author.adopted(uri, lines=900)
        author.end()
        author.begin(hosts=1 + chapter % 3)
    else:
        author.adopt_growing(uri)


def kill_again_and_again(
    account: EmulatedAccount, store: str, folder: Path, *, seed: int, kills: int, big: int
) -> None:
    """Kill programs over one store, make a clean pass, and compare with the truth."""
    author, env = Author(account, seed), environment(folder, account.environment)
    with programs(store, folder, env, ("--settle", str(SETTLE_S))) as running:
        killing = Killing(account, author, running, seed)
        tell(author, store, big)
        killing.measure()
        author.end()
        tell(author, store, big)
        for number in count(1):
            killing.strike()
            if killing.struck == kills:
                break
            if number % CHAPTER == 0:
                turn_page(author, store, number // CHAPTER)
        if author.growing is not None and author.growing.own:
            author.end()  # what its log tells is written to a run of its script's at the end
        time.sleep(SETTLE_S + 1)
        running.sync()
    check(store, author.jobs)


def test_killed_now_and_then(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """Whatever a killed program leaves, the next one completes: each point is there, once."""
    kill_again_and_again(account, store, tmp_path, seed=1, kills=5, big=3000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "store", [SQLITE, pytest.param(SERVER, marks=pytest.mark.postgresql)], indirect=True
)
def test_killed_again_and_again(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """The same at two hundred moments, in a database and in a server on PostgreSQL."""
    kill_again_and_again(account, store, tmp_path, seed=2, kills=KILLS, big=9000)

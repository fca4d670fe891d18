"""Two watches and one sync over one account at once, killed or not: MLflow holds the truth."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import environment
from tests.exactly_once.conftest import SERVER, SETTLE_S, SQLITE
from tests.exactly_once.programs import SYNC, WATCH, Program, Programs, programs
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import TrueJob, are_final, check, differences, doubles

ROUNDS = int(os.environ.get("SMWATCH_TEST_ROUNDS", "50"))
NEW_JOBS = 20
"""As many at once as keep a mirror busy between its look for runs and the last one it makes."""

FEW = 5
"""In so many rounds it must have happened that two mirrors made a run of one job each."""

GROWTHS = 4
ADOPTED_AT = 1
"""The growth after which the job's script logs a run of its own; two watches follow it by then."""

LONGEST_S = 120.0


class ManyMirrors:
    """Two watches that go on, and a sync in each round.

    Attributes
    ----------
    jobs
        Those of all rounds.
    """

    def __init__(
        self, account: EmulatedAccount, store: str, running: Programs, chance: Random
    ) -> None:
        self.jobs: list[TrueJob] = []
        self._account = account
        self._store = store
        self._programs = running
        self._chance = chance
        self._watches: list[Program] = []

    def play(self, number: int, *, kill: bool) -> None:
        """Let many jobs come at once and one grow and end, while three programs look on."""
        self._watch()
        name = f"round-{number}"
        author = Author(self._account, self._chance.randrange(10**9), name)
        sync = self._programs.start(*SYNC)
        self._see_another_pass(sync)
        self._tell(author)
        victim = self._chance.choice((sync, *self._watches)) if kill else None
        strikes_at = self._chance.randrange(GROWTHS)
        for growth in range(GROWTHS):
            time.sleep(self._chance.uniform(0, 1))
            if victim and growth == strikes_at:
                victim.kill()
            author.grow()
            if growth == ADOPTED_AT:
                author.adopt_growing(self._store)
        author.end()
        sync.wait()
        self._await_truth(author.jobs, f"{name}-%")
        self.jobs += author.jobs

    def stop(self) -> None:
        """End the watches."""
        for program in self._watches:
            if program.running:
                program.stop()

    def _watch(self) -> None:
        """Have two watches; a database that is locked at the first pass ends one."""
        self._watches = [each for each in self._watches if each.running]
        while len(self._watches) < 2:
            self._watches.append(self._programs.start(*WATCH))

    def _see_another_pass(self, sync: Program) -> None:
        """Wait until the sync is about to list the jobs."""
        before = self._account.calls.total()
        sync.wait_until(lambda: self._account.calls.total() > before + 1)

    def _tell(self, author: Author) -> None:
        author.begin(hosts=2, lines=50)
        author.adopted(self._store, lines=30)
        for hosts in (1, 2):
            author.ended(lines=1200, hosts=hosts)
        for _ in range(NEW_JOBS):
            author.ended(lines=self._chance.randrange(10, 40), restarts=self._chance.randrange(2))

    def _await_truth(self, jobs: list[TrueJob], name: str) -> None:
        """Wait until all is there; the slower mirror may open a final run for one more pass."""
        end = time.monotonic() + LONGEST_S
        while not are_final(self._store, jobs, name) or differences(self._store, jobs, name):
            self._watch()
            if time.monotonic() > end:
                check(self._store, jobs, name)
            time.sleep(0.5)


def play(account: EmulatedAccount, store: str, folder: Path, *, seed: int, rounds: int) -> None:
    """Play rounds, with a kill in every second one; compare after each, and after a last pass."""
    env = environment(folder, account.environment)
    with programs(store, folder, env, ("--settle", str(SETTLE_S))) as running:
        mirrors = ManyMirrors(account, store, running, Random(seed))
        for number in range(rounds):
            mirrors.play(number, kill=number % 2 == 1)
        mirrors.stop()
        running.sync()
        said = running.sync()
    check(store, mirrors.jobs)
    assert " 0 points" in said
    assert doubles(store) or rounds < FEW


@pytest.mark.slow
def test_three_at_once(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """They make one run of each job, with each point once, also when one of them is killed."""
    play(account, store, tmp_path, seed=3, rounds=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "store", [SQLITE, pytest.param(SERVER, marks=pytest.mark.postgresql)], indirect=True
)
def test_three_at_once_for_long(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """The same for fifty rounds, in a database and in a server on PostgreSQL."""
    play(account, store, tmp_path, seed=4, rounds=ROUNDS)

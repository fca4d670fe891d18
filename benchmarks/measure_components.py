"""Finds the trial components of an account, and gives what that costs beside today's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.programs import run
from mlflow_smwatch.demo.account import EmulatedAccount

EXPERIMENTS, TRIALS = 10, 100
SAMPLE = 5
"""Trials that the script reads."""
MOST_CALLS = 110
"""For 10,000 components in 100 trials in 10 experiments."""
_FULL = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentResults:
    """Finding the same components in two ways.

    Attributes
    ----------
    components
        Of the account, in :data:`TRIALS` trials.
    calls, seconds
        Of the mirror's finding, all kinds of jobs included.
    script_components, script_calls, script_seconds
        Of the script, which reads a sample of the trials.
    """

    components: int
    calls: dict[str, int]
    seconds: float
    script_components: int
    script_calls: int
    script_seconds: float

    @property
    def within_limit(self) -> bool:
        """Whether no more calls were made than may be."""
        return self.components > _FULL or sum(self.calls.values()) <= MOST_CALLS

    @property
    def ratios(self) -> dict[str, float]:
        """Script ÷ mirror, for as many components; seconds would tell of the mirror's pace only."""
        scale = self.components / self.script_components
        return {"script_to_finding_calls": self.script_calls * scale / sum(self.calls.values())}


def measure_components(
    components: int, folder: Path, say: Callable[[str], None]
) -> ComponentResults:
    """Measure on an account of so many components.

    Parameters
    ----------
    components
        How many.
    folder
        For the database.
    say
        Told what goes on.
    """
    say(f"finding {components:,} trial components in {TRIALS} trials")
    with EmulatedAccount() as account:
        _fill(account, components)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        ours = run("benchmarks.components_found", [uri], account.environment, folder)
        trials = [f"trial-{number}" for number in range(SAMPLE)]
        script = run("benchmarks.components_listed", trials, account.environment, folder)
    return ComponentResults(
        components=ours["components"],
        calls=ours["calls"],
        seconds=ours["seconds"],
        script_components=script["components"],
        script_calls=script["calls"],
        script_seconds=script["seconds"],
    )


def _fill(account: EmulatedAccount, components: int) -> None:
    for number in range(EXPERIMENTS):
        account.experiments.put_experiment(f"experiment-{number}")
    for number in range(TRIALS):
        account.experiments.put_trial(f"trial-{number}", f"experiment-{number % EXPERIMENTS}")
    begin = datetime.now(tz=timezone.utc) - timedelta(hours=6)
    for number in range(components):
        at = begin + timedelta(seconds=number)
        answer = {
            "TrialComponentName": f"component-{number}",
            "CreationTime": at,
            "LastModifiedTime": at,
            "EndTime": at,
            "Status": {"PrimaryStatus": "Completed"},
            "Parameters": {"learning-rate": {"NumberValue": 0.1}},
        }
        account.experiments.put_trial_component(answer, trials=(f"trial-{number % TRIALS}",))

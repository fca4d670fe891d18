"""What goes from the pass that finds jobs to the processes that read them, and what comes back.

All of it can be pickled, and none of it is secret: descriptions are redacted, and credentials stay
where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.ledger import RateShare
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.core.prices import PriceList
from mlflow_smwatch.engine.families import FamilyFacts
from mlflow_smwatch.engine.lineage_pages import Told
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.registration import Candidate
from mlflow_smwatch.options import PRICES_OF_AWS, SyncOptions
from mlflow_smwatch.tracking.uris import without_password


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A page of jobs to be mirrored by another process.

    Attributes
    ----------
    options
        Of the pass, with the places that it goes to.
    found
        The jobs, each with its description.
    facts
        What the pass knows of their groups, whose runs are there.
    share
        The part of the account's rates that may be spent on it.
    counted
        Names of the workers between which the rates are divided.
    prices
        The user's price list, whose file the workers need not have.
    """

    options: SyncOptions
    found: tuple[Found, ...]
    facts: FamilyFacts
    share: RateShare
    counted: frozenset[str]
    prices: PriceList | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a page of jobs.

    Attributes
    ----------
    outcomes
        One for each job, and for groups that were met.
    calls, cost_usd
        What was spent: IAM action → number of calls, and their price.
    warnings
        What was left out, in words.
    experiments
        Names of the SageMaker experiments that were met.
    candidates
        Models that may become versions.
    told
        The lineage that was taken in.
    stop
        Why nothing more can be done there; jobs without an outcome were not written.
    """

    outcomes: tuple[Outcome, ...] = ()
    calls: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float = 0.0
    warnings: tuple[str, ...] = ()
    experiments: frozenset[str] = frozenset()
    candidates: tuple[Candidate, ...] = ()
    told: tuple[Told, ...] = ()
    stop: StopError | None = None


class Cluster(Protocol):
    """Other processes that mirror pages of jobs."""

    def slots(self) -> Mapping[str, int]:
        """Tell the workers that are there, by name, and how many pages each takes at once.

        Raises
        ------
        StopError
            When the cluster is gone.
        """

    def submit(self, shipment: Shipment) -> Future[Delivery | None]:
        """Have a page mirrored; a worker that is not counted gives it back, as None."""


def shipped_options(options: SyncOptions, region: str, tracking_uri: str) -> SyncOptions:
    """Say what is wanted in words that mean the same in every process.

    Parameters
    ----------
    options
        What the user wants.
    region, tracking_uri
        Where that leads to here.
    """
    return replace(
        options,
        region=region,
        tracking_uri=without_password(tracking_uri),
        executor="threads",
        scheduler=None,
        prices=options.prices if options.prices == PRICES_OF_AWS else None,
    )

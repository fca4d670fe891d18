"""What the jobs of a pass came to: the user's prices, AWS's or those that are built in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from mlflow_smwatch.aws.pricing import PriceListApi
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.price_table import PRICE_LISTS
from mlflow_smwatch.core.prices import Cost, Price, PriceList, PriceOf, cost_of, first_of

logger = logging.getLogger(__name__)


@dataclass
class Costs:
    """Tells what jobs came to; called from several threads.

    Attributes
    ----------
    given
        The user's price list, which counts first.
    api
        Asks AWS for prices that the user does not give; None to take those that are built in.
    """

    given: PriceList | None = None
    api: PriceListApi | None = None
    _unpriced: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why AWS's prices could not be had, in words."""
        return (self.api.refused,) if self.api and self.api.refused else ()

    def of(self, job: Job) -> Cost | None:
        """Tell what a job's instances came to; None where a price is not known.

        Raises
        ------
        StopError
            When AWS is asked for prices and nothing can be done.
        """
        cost = cost_of(job, self._price_of)
        if cost is None and job.usage is not None and job.ended:
            self._say_unpriced(job.arn.region, (kind for kind, _ in job.usage.instances))
        return cost

    @property
    def _price_of(self) -> PriceOf:
        given = first_of(() if self.given is None else (self.given,))
        built_in, api = first_of(PRICE_LISTS), self.api

        def price(region: str, kind: str, instance_type: str) -> Price | None:
            place = region, kind, instance_type
            return given(*place) or (api.price(*place) if api else None) or built_in(*place)

        return price

    def _say_unpriced(self, region: str, instance_types: Iterable[str]) -> None:
        """Say once of a type of instance that jobs with it have no cost."""
        with self._lock:
            new = {(region, each) for each in instance_types} - self._unpriced
            self._unpriced |= new
        for place, instance_type in sorted(new):
            logger.info("no price is known of %s in %s: no cost", instance_type, place)

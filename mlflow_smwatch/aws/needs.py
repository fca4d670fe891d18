"""What the user wants of the mirror, as far as it takes permissions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlflow_smwatch.core.job_kinds import USUAL_KINDS, JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the user wants of the mirror, as far as it takes permissions.

    Attributes
    ----------
    kinds
        Words of the kinds that are mirrored.
    metrics
        Where algorithm metrics come from, as of :class:`~mlflow_smwatch.options.SyncOptions`.
    overlay
        Whether runs show logs, models and outputs.
    copies
        Whether small reports are stored with runs.
    register
        Whether models become versions of a registered model.
    queue_url
        Of the queue that drives a watch; None for none.
    topics
        ARNs of the SNS topics that rules tell of alarms.
    asks_prices
        Whether the Price List API is asked.
    alarms
        Whether runs show CloudWatch's alarms.
    publish
        Namespace into which metrics of runs are published, and whether dashboards are made; None
        for neither.
    attached_series
        Whether the user attaches CloudWatch series to jobs.
    attached_groups
        Names, with ``*`` for any text, of the log groups that the user attaches and that are read.
    search
        Whether ``Search`` may be called; what stands in for it takes other permissions.
    """

    kinds: frozenset[str] = frozenset(USUAL_KINDS)
    metrics: str = "auto"
    overlay: bool = False
    copies: bool = False
    register: bool = False
    queue_url: str | None = None
    topics: tuple[str, ...] = ()
    asks_prices: bool = False
    alarms: bool = False
    publish: str | None = None
    attached_series: bool = False
    attached_groups: tuple[str, ...] = ()
    search: bool = True

    def has(self, kinds: Iterable[JobKind]) -> bool:
        """Whether one of these kinds is mirrored."""
        return any(kind.word in self.kinds for kind in kinds)

"""One account and Region, and one MLflow store."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from mlflow_smwatch.aws.endpoint_metrics import EndpointMetrics
from mlflow_smwatch.aws.entities import EntityReader
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.pricing import PriceListApi
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.prices import PriceList
from mlflow_smwatch.engine.alarms import AlarmBook, PassAlarms
from mlflow_smwatch.engine.associations import AssociationMirror, Recent
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.costs import Costs
from mlflow_smwatch.engine.families import Families
from mlflow_smwatch.engine.lineage_pages import LineagePages
from mlflow_smwatch.engine.own_runs import OwnRuns
from mlflow_smwatch.engine.registration import Registration
from mlflow_smwatch.engine.trials import TrialStates
from mlflow_smwatch.options import PRICES_OF_AWS, SyncOptions
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.overlays import Overlays
from mlflow_smwatch.tracking.pages import ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.seals import KEY_VARIABLE, Seals
from mlflow_smwatch.tracking.store import Tracking, open_tracking
from mlflow_smwatch.tracking.writer import RunWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Both edges, connected; may be used for many passes.

    Attributes
    ----------
    aws, logs
        The clients, and what reads logs with them.
    tracking
        The store.
    lineage
        Draws the pages of lineage.
    entities
        Tells what the artifacts and contexts of lineage stand for.
    own_runs
        Remembers which runs are the jobs' own.
    endpoints
        Lists the metrics of endpoints, and remembers them for a while.
    recent
        Remembers which associations are stored.
    alarms
        Remembers CloudWatch's alarms for a while.
    overlays
        Makes experiments on the overlay, and has asked the server what it shows; None where jobs
        are mirrored without it.
    prices
        What the user says that calls and instances cost.
    writes
        Whether passes may make what MLflow lacks.
    """

    aws: Aws
    logs: LogReader
    tracking: Tracking
    lineage: LineagePages
    entities: EntityReader
    own_runs: OwnRuns
    endpoints: EndpointMetrics
    recent: Recent = field(default_factory=Recent)
    alarms: AlarmBook = field(default_factory=AlarmBook)
    overlays: Overlays | None = None
    prices: PriceList | None = None
    writes: bool = True

    @classmethod
    def to(cls, options: SyncOptions, *, create: bool = True) -> Connection:
        """Connect.

        Parameters
        ----------
        options
            Where to.
        create
            Whether MLflow may make its tables where there are none.

        Raises
        ------
        StopError
            When there are no credentials, or MLflow cannot be used.
        """
        aws = connect(
            options.region,
            options.profile,
            options.workers,
            options.assume_role,
            options.redaction,
        )
        tracking = open_tracking(options.tracking_uri, create=create)
        overlaid = options.artifacts == "overlay"
        prices = options.price_list()
        if prices is not None:
            aws.ledger.reprice(prices.calls, prices.metrics)
        return cls(
            aws=aws,
            logs=LogReader(aws),
            tracking=tracking,
            lineage=LineagePages(tracking),
            entities=EntityReader(aws),
            own_runs=OwnRuns(),
            endpoints=EndpointMetrics(aws),
            overlays=Overlays(tracking, options.artifact_base) if overlaid else None,
            prices=prices,
            writes=create,
        )

    def context(
        self,
        options: SyncOptions,
        stopped: Callable[[], bool] = lambda: False,
        slack_ms: int = 0,
    ) -> PassContext:
        """Make what the jobs of one pass share; what MLflow holds is looked at anew."""
        experiments = Experiments(self.tracking, self.overlays)
        index = RunIndex(self.tracking, experiments)
        families, writer, now_ms = (
            Families(index, options.kinds),
            RunWriter(self.tracking, options.workers),
            _now_ms(),
        )
        finder = JobFinder(self.aws, frozenset(options.kinds))
        api = PriceListApi(self.aws) if options.prices == PRICES_OF_AWS else None
        return PassContext(
            aws=self.aws,
            logs=self.logs,
            finder=finder,
            describer=finder.describer,
            families=families,
            trials=TrialStates(families, index, writer, now_ms),
            lineage=self.lineage,
            registration=Registration(options.register),
            own_runs=self.own_runs,
            endpoints=self.endpoints,
            costs=Costs(self.prices, api),
            alarms=PassAlarms(self.aws, self.alarms, options, _now_ms),
            options=options,
            now_ms=now_ms,
            clock_ms=_now_ms,
            stopped=stopped,
            slack_ms=slack_ms,
            experiments=experiments,
            index=index,
            writer=writer,
            seals=self._seals(options),
            address=ui_address(self.tracking.uri, options.ui_url),
        )

    def _seals(self, options: SyncOptions) -> Seals:
        """Prepare to seal runs; what is not to write anything makes no key."""
        if options.artifacts != "overlay":
            return Seals()
        key = os.environ.get(KEY_VARIABLE)
        return Seals.of(self.tracking.uri, key, create=self.writes and not options.dry_run)

    def associations(self, context: PassContext) -> AssociationMirror:
        """Make what copies the associations of one pass."""
        return AssociationMirror(context, self.tracking, self.entities, self.recent)


def _now_ms() -> int:
    return to_ms(datetime.now(tz=timezone.utc))

"""A cluster of threads in this process; all that goes through it is pickled, as on a wire."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from mlflow_smwatch.engine.cluster_worker import mirror_shipment
from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.engine.shipment import Delivery, Shipment
from mlflow_smwatch.report import SyncReport
from tests.sync.conftest import Mirror
from tests.sync.every_kind import EVERY_KIND

Work = Callable[[Shipment], Delivery | None]


class InProcess:
    """Works pages off one after the other, in the name of any number of workers.

    Attributes
    ----------
    workers
        Name → pages at once.
    shipments
        What was sent.
    """

    def __init__(self, work: Work = mirror_shipment, **workers: int) -> None:
        self.workers = workers or {"one": 1, "two": 1}
        self.shipments: list[Shipment] = []
        self._work = work
        self._pool = ThreadPoolExecutor(1)

    def slots(self) -> Mapping[str, int]:
        return dict(self.workers)

    def submit(self, shipment: Shipment) -> Future[Delivery | None]:
        self.shipments.append(shipment)
        return self._pool.submit(self._send, pickle.dumps(shipment))

    def _send(self, page: bytes) -> Delivery | None:
        told = pickle.dumps(self._work(pickle.loads(page)))  # noqa: S301 - made above
        delivery: Delivery | None = pickle.loads(told)  # noqa: S301 - as above
        return delivery


def sync(mirror: Mirror, cluster: InProcess, **options: object) -> SyncReport:
    """Run one pass over all kinds with a cluster; the account's calls are those of this pass."""
    mirror.account.reset_calls()
    chosen = {"kinds": EVERY_KIND, "executor": "dask", "scheduler": "here", **options}
    return Engine(mirror.options(**chosen), cluster=cluster).sync()

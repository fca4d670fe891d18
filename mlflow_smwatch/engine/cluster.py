"""A pass whose jobs are read and written by other processes, page by page.

Groups, what has no series, and what has to be described first stay with the pass itself. A page
that is sent twice is mirrored once: whoever takes it looks in MLflow what is there of it.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mlflow_smwatch.aws.discovery import PAGE_SIZE, Found, NotFound
from mlflow_smwatch.aws.ledger import RateShare
from mlflow_smwatch.core.errors import JobError, StopError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.engine.admission import Admission
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.job_pass import Interrupted, JobPass
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition
from mlflow_smwatch.engine.shipment import Cluster, Delivery, Shipment, shipped_options

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger(__name__)

_PAGES_A_SLOT = 2
"""One that is mirrored, and one that is there when it is done."""

_LEAST = 10
"""Jobs of a page, where the last ones are divided among the workers."""

_LOOK_S = 1.0
_PATIENCE_S = 60.0


class ClusterPass:
    """One pass over jobs; every attribute belongs to the coordinating thread.

    Used like a :class:`.JobPass`.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    local
        Takes what is not sent.
    cluster
        Takes what is sent.
    region, tracking_uri
        Where the options lead to.
    """

    def __init__(
        self,
        context: PassContext,
        local: JobPass,
        cluster: Cluster,
        *,
        region: str,
        tracking_uri: str,
    ) -> None:
        self._pass = context
        self._local = local
        self._cluster = cluster
        self._options = shipped_options(context.options, region, tracking_uri)
        self._admission = Admission(context)
        self._recognition = Recognition(context)
        self._gathered: list[Found] = []
        self._waiting: deque[tuple[Found, ...]] = deque()
        self._running: dict[Future[Delivery | None], tuple[Found, ...]] = {}
        self._counted: Mapping[str, int] = {}
        self._alone_since: float | None = None
        self._said: set[str] = set()

    @property
    def books(self) -> Books:
        """Where it is entered what becomes of each job."""
        return self._local.books

    def __enter__(self) -> Self:
        """Begin."""
        self._local.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; after an error what has not begun is dropped."""
        self._drop()
        self._pass.aws.ledger.share(RateShare())
        self._local.__exit__(kind, error, trace)

    def take(self, found: Iterable[Found | NotFound]) -> None:
        """Start the work on jobs, a page at a time, however many come.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        each = iter(found)
        while page := list(islice(each, PAGE_SIZE)):
            self._require_going()
            if not self._counted:
                self._submit()
            sent = [one for one in page if isinstance(one, Found) and is_sent(one)]
            self._local.take(one for one in page if not isinstance(one, Found) or not is_sent(one))
            self._gather(self.books.meet(sent))
            self._wait_until(_PAGES_A_SLOT * self._slots)

    def close_missing(self, run: KnownRun, missing: NotFound) -> None:
        """End the run of a job that AWS has deleted; report one that cannot be asked for."""
        self._local.close_missing(run, missing)

    def finish(self) -> None:
        """Have all read and written that was taken.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        self._submit()
        size = max(_LEAST, math.ceil(len(self._gathered) / self._slots))
        self._put_into_pages(size, at_least=1)
        self._wait_until(0)
        self._local.finish()

    def wait_for(self, awaited: Future[Any]) -> None:
        """Enter what comes back until something else is done.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        self._submit()
        while not awaited.done():
            self._await((awaited, *self._running))
            self._turn()

    def interrupt(self) -> None:
        """End early: what has come back is entered; a page under way may be finished unseen."""
        try:
            arrived = [each for each in self._running if each.done() and not each.cancelled()]
            self._drop()
            for future in arrived:
                delivery = None if future.exception() else future.result()
                if delivery is not None:
                    self._enter_books(delivery)
        finally:
            self._local.interrupt()

    def abandon(self, error: StopError) -> bool:
        """End after an error that stops everything; tell whether any job was written by then."""
        self.interrupt()
        return self.books.abandon(error)

    @property
    def _slots(self) -> int:
        return max(1, sum(self._counted.values()))

    def _require_going(self) -> None:
        if self._pass.stopped():
            raise Interrupted

    def _drop(self) -> None:
        for future in self._running:
            future.cancel()
        self._running.clear()
        self._waiting.clear()

    def _gather(self, found: Sequence[Found]) -> None:
        """Put jobs into pages, once the runs of their groups are there."""
        self.books.begun.update({each.arn: each for each in found})
        jobs = [self._related(each) for each in found]
        self._pass.families.enter_experiments(jobs)
        self._local.take_admitted(lambda pool: self._admission.admit_groups_of(jobs, pool))
        self._gathered += found
        self._put_into_pages(PAGE_SIZE, at_least=PAGE_SIZE * self._slots)

    def _put_into_pages(self, size: int, *, at_least: int) -> None:
        while len(self._gathered) >= at_least:
            self._waiting.append(tuple(self._gathered[:size]))
            del self._gathered[:size]

    def _related(self, found: Found) -> Job:
        if found.job is None:
            message = f"{found.arn} is sent without its description"
            raise ValueError(message)
        return self._recognition.related(found.job, None)

    def _wait_until(self, limit: int) -> None:
        """Enter what comes back until at most ``limit`` pages are not mirrored."""
        self._submit()
        while len(self._running) + len(self._waiting) > limit:
            self._await(self._running)
            self._turn()

    def _turn(self) -> None:
        """Enter what has come back, and send the next."""
        self._require_going()
        for future in [each for each in self._running if each.done()]:
            self._receive(future, self._running.pop(future))
        self._submit()

    def _await(self, futures: Iterable[Future[Any]]) -> None:
        """Wait until something is done, here too, or it is time to look for workers again."""
        self._local.serve(set(futures) or {Future()}, _LOOK_S)

    def _submit(self) -> None:
        """Send pages as far as there are workers for them."""
        most = _PAGES_A_SLOT * self._counted_slots()
        while self._waiting and len(self._running) < most:
            page = self._waiting.popleft()
            jobs = [self._related(each) for each in page]
            shipment = Shipment(
                options=self._options,
                found=page,
                facts=self._pass.families.facts_of(jobs),
                share=RateShare.of_reader(self._slots),
                counted=frozenset(self._counted),
                prices=self._pass.costs.given,
            )
            self._running[self._cluster.submit(shipment)] = page

    def _counted_slots(self) -> int:
        """Divide the rates among the workers that are there; give the slots that may be filled.

        Pages under way may be spending larger shares than a further worker leaves for them. So
        they end before it is counted, and until then none is sent.
        """
        present = dict(self._cluster.slots())
        self._require_company(present)
        if present.keys() - self._counted.keys() and self._running:
            return 0
        if present and present != self._counted:
            self._counted = present
            self._pass.aws.ledger.share(RateShare.of_coordinator())
        return sum(present.values())

    def _require_company(self, present: Mapping[str, int]) -> None:
        """Stop where there has been no worker for a while."""
        if present or not (self._running or self._waiting):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
            logger.warning("the cluster has no worker: waiting for one")
        elif time.monotonic() - self._alone_since > _PATIENCE_S:
            message = f"the cluster has had no worker for {_PATIENCE_S:g} s: start workers"
            raise StopError(message)

    def _receive(self, done: Future[Delivery | None], page: tuple[Found, ...]) -> None:
        try:
            delivery = done.result()
        except CancelledError as error:
            message = "the cluster was lost, and pages of jobs with it: run again"
            raise StopError(message) from error
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of a page: the others go on
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self._fail(page, f"its page failed on the cluster: {text}")
            return
        if delivery is None:
            self._waiting.appendleft(page)
            return
        self._enter(delivery)
        if delivery.stop:
            raise delivery.stop
        self._fail(page, "the cluster did not tell what became of it")

    def _fail(self, page: Iterable[Found], why: str) -> None:
        """Enter the jobs of a page of which nothing was told."""
        for each in page:
            if each.arn in self.books.begun:
                self.books.close(Outcome(each.arn, "failed", error=why))

    def _enter_books(self, delivery: Delivery) -> None:
        """Enter what a worker did into the books of the pass; MLflow is not asked."""
        books = self.books
        self._pass.aws.ledger.enter(delivery.calls, delivery.cost_usd)
        books.seen.update(each.arn for each in delivery.outcomes)
        books.close_all(delivery.outcomes)
        books.report.warn(None, [each for each in delivery.warnings if each not in self._said])
        self._said.update(delivery.warnings)

    def _enter(self, delivery: Delivery) -> None:
        """Enter what a worker did and met."""
        self._enter_books(delivery)
        context = self._pass
        context.families.experiments |= delivery.experiments
        context.registration.enter_candidates(delivery.candidates)
        context.lineage.enter_told(delivery.told)
        lines = [each.line for each in delivery.outcomes if each.line]
        for experiment_id in {line.experiment_id for line in lines if line.experiment_id}:
            self._meet(experiment_id)

    def _meet(self, experiment_id: str) -> None:
        try:
            self._pass.experiments.meet(experiment_id)
        except JobError as error:
            self.books.report.warn(None, [str(error)])


def is_sent(found: Found) -> bool:
    """Whether a job is read by another process: it is described, and has series.

    A job without description came from a listing. It would have to be described, with what the
    finder has met, at ten calls a second for the whole account: one process is enough for that.
    """
    kind = KINDS[found.kind]
    return found.job is not None and kind.namespace is not None

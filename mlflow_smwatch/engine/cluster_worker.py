"""Mirrors a page of jobs that another process has found: an ordinary pass over them."""

from __future__ import annotations

import os
import platform
import threading
from collections import deque
from dataclasses import replace

from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import CredentialsError, SmwatchError, StopError
from mlflow_smwatch.core.prices import PriceList
from mlflow_smwatch.engine.admission import Admission
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.job_pass import JobPass
from mlflow_smwatch.engine.job_writer import JobWriter
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.shipment import Delivery, Shipment
from mlflow_smwatch.engine.trials import TrialStates
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.tracking.uris import with_own_password

_KEPT = 16
"""How many connections a process keeps, so that the next page need not connect."""

_Place = tuple[SyncOptions, str, PriceList | None]
"""Where a connection leads to: the options, the account whose jobs it was opened for, and what its
calls cost."""

_idle: deque[tuple[_Place, Connection]] = deque(maxlen=_KEPT)
_lock = threading.Lock()


class _PageBooks(Books):
    """Books that also keep what they are told, for the books of the pass that found the jobs."""

    def __init__(self, trials: TrialStates) -> None:
        super().__init__(trials, lambda _: None)
        self.outcomes: list[Outcome] = []

    def close(self, outcome: Outcome) -> None:
        """Enter what became of a job."""
        super().close(outcome)
        self.outcomes.append(outcome)


def mirror_shipment(shipment: Shipment) -> Delivery:
    """Mirror a page of jobs with this process's own credentials.

    Parameters
    ----------
    shipment
        The jobs, and how.

    Returns
    -------
    Delivery
        Also where nothing can be done: that is said in it.
    """
    account = Arn.parse(shipment.found[0].arn).account
    place = shipment.options, account, shipment.prices
    try:
        connection = _kept(place) or _connected(shipment, place)
    except SmwatchError as error:
        return Delivery(stop=_placed(error))
    delivery = _mirrored(connection, shipment)
    if delivery.stop is None:
        with _lock:
            _idle.append((place, connection))
    return delivery


def _mirrored(connection: Connection, shipment: Shipment) -> Delivery:
    connection.aws.ledger.share(shipment.share)
    stop = None
    context = connection.context(shipment.options)
    context.costs.given = shipment.prices
    context.families.take_over(shipment.facts)
    books = _PageBooks(context.trials)
    with JobPass(context, Admission(context), JobWriter(context), books) as job_pass:
        try:
            job_pass.take(shipment.found)
            job_pass.finish()
        except StopError as error:
            job_pass.interrupt()
            stop = _placed(error)
    calls, cost_usd = connection.aws.ledger.settle()
    return Delivery(
        outcomes=tuple(books.outcomes),
        calls=calls,
        cost_usd=cost_usd,
        warnings=_warnings(context, books),
        experiments=frozenset(context.families.experiments),
        candidates=context.registration.candidates,
        told=connection.lineage.told(),
        stop=stop,
    )


def _warnings(context: PassContext, books: Books) -> tuple[str, ...]:
    """Give what was left out of all jobs; what was left out of one is in its outcome."""
    general = (each.warning for each in books.report.warnings if each.arn is None)
    families, finder = context.families.warnings, context.finder.warnings
    others = *context.seals.warnings, *context.warnings
    return tuple(dict.fromkeys((*general, *families, *finder, *others)))


def _kept(wanted: _Place) -> Connection | None:
    """Take a connection that no page uses at the moment; a page that met an error keeps none."""
    with _lock:
        for number, (place, connection) in enumerate(_idle):
            if place == wanted:
                del _idle[number]
                return connection
    return None


def _connected(shipment: Shipment, place: _Place) -> Connection:
    options, account, prices = place
    uri = with_own_password(options.tracking_uri or "")
    connection = Connection.to(replace(options, tracking_uri=uri))
    connection.aws.ledger.share(shipment.share)
    if prices is not None:
        connection.aws.ledger.reprice(prices.calls, prices.metrics)
    _require_account(connection.aws, account)
    connection.lineage.begin_to_tell()
    return connection


def _require_account(aws: Aws, account: str) -> None:
    """Refuse to read the series of one account with the credentials of another: there are none.

    Where AWS does not tell whose the credentials are, they are believed to be right.
    """
    try:
        own = aws.account
    except CredentialsError:
        raise
    except SmwatchError:
        return
    if own != account:
        message = f"its AWS credentials are those of account {own}, the jobs are of {account}"
        raise CredentialsError(message)


def _placed(error: SmwatchError) -> StopError:
    """Say of an error on which worker it was; whatever it is, the other jobs would meet it too."""
    kind = type(error) if isinstance(error, StopError) else StopError
    return kind(f"on the worker {platform.node()} (process {os.getpid()}): {error}")

"""A Dask cluster that mirrors pages of jobs: the one place that knows Dask."""

from __future__ import annotations

import logging
from asyncio import TimeoutError as AsyncTimeoutError
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.engine.cluster_worker import mirror_shipment
from mlflow_smwatch.engine.shipment import Delivery, Shipment

if TYPE_CHECKING:
    from distributed import Client

_ANSWER_S = 10
"""How long the scheduler may take for its first answer."""

_IMPORT_S = 60
"""How long a worker may take for its first answer: it imports this package."""


class DaskCluster:
    """The workers of one scheduler.

    Parameters
    ----------
    client
        Connected to it.
    address
        Of the scheduler, for messages.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        self._executor = client.get_executor(pure=False)
        self._known: set[str] = set()

    def slots(self) -> Mapping[str, int]:
        """Tell the workers that are there, by address, and their numbers of threads.

        Raises
        ------
        StopError
            When the scheduler no longer answers, or a worker has another version of this package.
        """
        try:
            present = cast("dict[str, int]", self._client.nthreads())
        except Exception as error:
            raise StopError(self._lost(error)) from error
        self._require_version(present.keys() - self._known)
        self._known |= present.keys()
        return present

    def submit(self, shipment: Shipment) -> Future[Delivery | None]:
        """Have a page mirrored; a worker that is not counted gives it back, as None.

        Raises
        ------
        StopError
            When the scheduler no longer answers.
        """
        try:
            return cast("Future[Delivery | None]", self._executor.submit(_mirror, shipment))
        except Exception as error:
            raise StopError(self._lost(error)) from error

    def _require_version(self, workers: set[str]) -> None:
        """Refuse workers that would take a page for something else."""
        if not workers:
            return
        try:
            versions = self._client.run(
                _version, workers=list(workers), on_error="return", callback_timeout=_IMPORT_S
            )
        except AsyncTimeoutError as error:
            names = ", ".join(sorted(workers))
            message = f"of the Dask workers {names} one does not answer within {_IMPORT_S} s"
            raise StopError(message) from error
        except Exception as error:
            raise StopError(self._lost(error)) from error
        for worker, version in versions.items():
            if version != __version__ and not isinstance(version, OSError):  # that one is gone
                message = (
                    f"the Dask worker {worker} has no mlflow-smwatch {__version__} ({version}):"
                    " install the same version there"
                )
                raise StopError(message)

    def _lost(self, error: Exception) -> str:
        return f"the Dask scheduler {self._address} no longer answers ({_line(error)}): run again"


@contextmanager
def open_cluster(address: str) -> Iterator[DaskCluster]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://host:8786``.

    Yields
    ------
    DaskCluster
        Usable within the block.

    Raises
    ------
    StopError
        When Dask is not installed, or the scheduler does not answer within ten seconds.
    """
    try:
        from distributed import Client
    except ImportError as error:
        message = f"--executor dask needs Dask ({error}): pip install 'mlflow-smwatch[dask]'"
        raise StopError(message) from error
    with _quiet():
        try:
            client = Client(address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            message = (
                f"the Dask scheduler {address} does not answer ({_line(error)}): start it, or"
                " check the address"
            )
            raise StopError(message) from error
        try:
            yield DaskCluster(client, address)
        finally:
            client.close(timeout=_ANSWER_S)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's client from logging, with tracebacks, what is raised here in one line."""
    client = logging.getLogger("distributed.client")
    level = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(level)


def _version() -> str:
    return __version__


def _mirror(shipment: Shipment) -> Delivery | None:
    """Mirror a page on a worker, unless the rates were divided without this one."""
    from distributed import get_worker

    return mirror_shipment(shipment) if get_worker().address in shipment.counted else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

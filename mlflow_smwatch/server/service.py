"""The mirror as a part of a tracking server: its pages, and who runs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_smwatch.core.errors import reason
from mlflow_smwatch.server.pages import Pages
from mlflow_smwatch.server.place import place_of
from mlflow_smwatch.server.store_reader import StoreReader
from mlflow_smwatch.server.supervisor import Supervisor
from mlflow_smwatch.tracking.uris import absolute_uri, is_file_store, shown_uri

logger = logging.getLogger(__name__)

# What `mlflow server` tells its workers: mlflow.server.constants.
_STORE = "_MLFLOW_SERVER_FILE_STORE"
_ARTIFACTS_ONLY = "_MLFLOW_SERVER_ARTIFACTS_ONLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What one worker has of the mirror.

    Attributes
    ----------
    pages
        What it answers.
    supervisor
        What runs the mirror, if this worker is elected; None where there is none to run.
    """

    pages: Pages
    supervisor: Supervisor | None

    def start(self) -> None:
        """Stand for election; the server goes on where that fails."""
        if self.supervisor is None:
            return
        try:
            self.supervisor.start()
        except RuntimeError as error:
            logger.warning("smwatch runs no mirror: %s", error)

    def stop(self) -> None:
        """End the mirror, if it runs here."""
        if self.supervisor is not None:
            self.supervisor.stop()


def make_service(environment: Mapping[str, str], mlflow_version: str) -> Service:
    """Make what a worker has of the mirror; what hinders it is said on its pages.

    Parameters
    ----------
    environment
        Of the worker.
    mlflow_version
        For the page.
    """
    uri = absolute_uri(environment.get(_STORE, ""))
    shown = shown_uri(uri) if uri else "no store"
    try:
        refusal = _refusal(uri, environment)
        if refusal is None:
            place = place_of(uri)
            return Service(
                pages=Pages(
                    shown_uri=shown,
                    mlflow_version=mlflow_version,
                    place=place,
                    store=StoreReader(place, uri),
                ),
                supervisor=Supervisor(place, uri),
            )
    except Exception as error:  # noqa: BLE001 - MLflow serves in any case
        refusal = reason(error)
    logger.warning("smwatch runs no mirror: %s", refusal)
    pages = Pages(shown_uri=shown, mlflow_version=mlflow_version, refusal=refusal)
    return Service(pages=pages, supervisor=None)


def _refusal(uri: str, environment: Mapping[str, str]) -> str | None:
    """Say why a server cannot have a mirror."""
    if environment.get(_ARTIFACTS_ONLY):
        return "this server serves artifacts only; there is no store to mirror into"
    if not uri:
        return "the server's backend store is not known; start it with 'mlflow server'"
    if is_file_store(uri):
        return (
            f"MLflow's file store cannot keep a mirror ({uri}): it would double points; serve"
            " a database, such as --backend-store-uri sqlite:///mlflow.db"
        )
    return None

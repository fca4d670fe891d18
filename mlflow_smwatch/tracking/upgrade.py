"""A plain SQL store → the same as one that writes in bulk, for the mirror's own writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from mlflow_smwatch.tracking.bulk_store import BulkStore


def bulk_store(client: MlflowClient) -> BulkStore | None:
    """Return the store of a client as one that writes many runs in one transaction.

    Parameters
    ----------
    client
        Of a database.

    Returns
    -------
    BulkStore or None
        None where the database or MLflow's store is not as this package knows it; MLflow's own
        calls are as right, and slower.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from mlflow_smwatch.tracking.bulk_store import BulkStore
    from mlflow_smwatch.tracking.database import replace_read_only

    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    if isinstance(store, SqlAlchemyStore):
        replace_read_only(store.engine)
    if type(store) is SqlAlchemyStore:
        store = BulkStore(store.db_uri, store.artifact_root_uri)  # type: ignore[no-untyped-call]
    return store if isinstance(store, BulkStore) and store.writes_units else None

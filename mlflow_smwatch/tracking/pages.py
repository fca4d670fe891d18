"""Addresses of MLflow's pages."""

from __future__ import annotations

from urllib.parse import urlsplit

LOCAL_UI = "http://127.0.0.1:5000"
_TRAINING_VIEW = "workflowType=machine_learning"


def ui_address(tracking_uri: str, chosen: str | None = None) -> str | None:
    """Return the address under which MLflow's pages are found.

    Parameters
    ----------
    tracking_uri
        A server's URI is its own address; a database has the one that ``mlflow ui`` uses by
        default.
    chosen
        The user's own choice, which wins.

    Returns
    -------
    str or None
        Without a slash at its end; None for stores whose pages need a signed address (ARNs).
    """
    if chosen:
        return chosen.rstrip("/")
    scheme = "arn" if tracking_uri.startswith("arn:") else urlsplit(tracking_uri).scheme
    if scheme == "arn":
        return None
    if scheme in {"http", "https"}:
        parts = urlsplit(tracking_uri)
        host = parts.netloc.rpartition("@")[2]
        return f"{scheme}://{host}{parts.path.rstrip('/')}"
    return LOCAL_UI


def run_url(address: str | None, experiment_id: str, run_id: str) -> str | None:
    """Return a run's page.

    The query keeps MLflow on its pages for training runs; since 3.x it opens an experiment on its
    pages for GenAI otherwise.
    """
    if address is None:
        return None
    return f"{address}/#/experiments/{experiment_id}/runs/{run_id}?{_TRAINING_VIEW}"


def experiment_url(address: str | None, experiment_id: str) -> str | None:
    """Return an experiment's table of runs."""
    if address is None:
        return None
    return f"{address}/#/experiments/{experiment_id}/runs?{_TRAINING_VIEW}"

"""Which job a run stands for, asked of MLflow once in a few seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.core.shown_paths import RunPath
from mlflow_smwatch.overlay.claims import Claim, RunFacts, Verifier, claim
from mlflow_smwatch.overlay.fresh import Fresh
from mlflow_smwatch.tracking.locations import server_destination
from mlflow_smwatch.tracking.seals import KEY_VARIABLE, Seals
from mlflow_smwatch.tracking.serving import run_of, serves_others, uri_of, workspace

_PROXY_ROUTE = "/api/2.0/mlflow-artifacts/artifacts/"
_PROXIED = {"mlflow-artifacts", "http", "https"}


@dataclass(frozen=True, slots=True)
class ClaimedRuns:
    """Reads what runs claim; one for a process, may be used by several threads."""

    _claims: Fresh[Claim | None] = field(default_factory=lambda: Fresh(most=1024))
    _keys: Fresh[bytes | None] = field(default_factory=Fresh)

    def claim(self, run: RunPath, overlay_uri: str, tracking_uri: str | None) -> Claim | None:
        """Read which job a run claims; one ``get_run`` at most.

        Parameters
        ----------
        run
            Where the path leads that somebody looks at.
        overlay_uri
            Of the repository that the path is in.
        tracking_uri
            Where the run is; None for a server's own store, or MLflow's choice.

        Returns
        -------
        Claim or None
            None where there is no such run, the path is not that of its artifacts, or it is not
            believed.

        Raises
        ------
        TrackingError
            When the store's key cannot be read.
        """
        store = uri_of(tracking_uri)
        key = (run.run_id, run.root, overlay_uri, store, workspace(), _environ_key())
        return self._claims.get(key, lambda: self._read(run, overlay_uri, tracking_uri))

    def _read(self, run: RunPath, overlay_uri: str, tracking_uri: str | None) -> Claim | None:
        found = run_of(run.run_id, tracking_uri)
        if found is None or not is_root(found.info.artifact_uri, run, overlay_uri, workspace()):
            return None
        facts = RunFacts(
            run_id=run.run_id,
            start_ms=found.info.start_time,
            arn=found.data.tags.get(names.ARN),
            seal=found.data.tags.get(names.SEAL),
        )
        verifier = Verifier(key=self._key(uri_of(tracking_uri)), for_others=serves_others())
        return claim(facts, verifier)

    def _key(self, uri: str) -> bytes | None:
        return self._keys.get((uri, _environ_key()), lambda: _key_of(uri))


claimed_runs = ClaimedRuns()
"""The process's own."""


def is_root(artifact_uri: str, run: RunPath, overlay_uri: str, in_workspace: str | None) -> bool:
    """Whether a path leads to where MLflow says that a run keeps its artifacts.

    Parameters
    ----------
    artifact_uri
        Of the run, as MLflow has it.
    run
        The path.
    overlay_uri
        Of the repository that the path is in.
    in_workspace
        The workspace of the request.
    """
    own, stored = urlsplit(overlay_uri), urlsplit(artifact_uri)
    if (stored.scheme, stored.netloc) == (own.scheme, own.netloc):
        return stored.path.strip("/") == run.root.strip("/")
    if stored.scheme not in _PROXIED or server_destination() != overlay_uri:
        return False
    served = stored.path.rpartition(_PROXY_ROUTE)[2].strip("/")
    below = run.root.strip("/").removeprefix(own.path.strip("/")).strip("/")
    return below in {served, f"workspaces/{in_workspace}/{served}" if in_workspace else served}


def _environ_key() -> str | None:
    return os.environ.get(KEY_VARIABLE)


def _key_of(uri: str) -> bytes | None:
    seals = Seals.of(uri, _environ_key(), create=False)
    if seals.warnings:
        raise TrackingError("; ".join(seals.warnings))
    return seals.key

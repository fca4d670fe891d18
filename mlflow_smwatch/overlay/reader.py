"""From a run to what it shows of its job: claim, description, view."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from math import inf

from mlflow_smwatch.ancestry import mirrored
from mlflow_smwatch.core.errors import InvalidRequestError, TrackingError, UnknownJobError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.overlay.account import Account, needs_whole
from mlflow_smwatch.overlay.claims import Claim
from mlflow_smwatch.overlay.fresh import Fresh
from mlflow_smwatch.overlay.shown_job import ShownJob
from mlflow_smwatch.tracking.uris import database_uri

logger = logging.getLogger(__name__)

_ACCOUNTS_KEPT = 8
_MOST_NODES = 300
_DEPTHS = (5, 3, 2)


@dataclass(frozen=True, slots=True)
class OverlayReader:
    """Reads AWS on behalf of runs; one for a process, may be used by several threads."""

    _accounts: Fresh[Account] = field(default_factory=lambda: Fresh(most=_ACCOUNTS_KEPT))

    def open(self, claim: Claim, tracking_uri: str | None) -> ShownJob | None:
        """Describe the job that a run claims.

        Parameters
        ----------
        claim
            What the run says, as far as MLflow can tell.
        tracking_uri
            Where lineage is read; None to draw what the job alone tells.

        Returns
        -------
        ShownJob or None
            None where the run does not stand for what AWS has under that ARN, if anything.

        Raises
        ------
        SmwatchError
            When AWS denies the operation, keeps failing or cannot be reached.
        """
        account = self.account(claim.arn.region)
        try:
            job = account.job(claim.arn, claim.kind)
            if not claim.holds(job):
                if claim.verifier.key is not None or not needs_whole(claim.kind):
                    return None
                job = account.job(claim.arn, claim.kind, whole=True)
        except (UnknownJobError, InvalidRequestError):
            return None
        run_id = claim.run.run_id
        drawn = ShownJob(job, account, lambda shown: lineage_page(shown, run_id, tracking_uri))
        return drawn if claim.holds(job) else None

    def account(self, region: str) -> Account:
        """Return the account of a Region, as the environment names it at present.

        Parameters
        ----------
        region
            The Region.

        Raises
        ------
        CredentialsError
            When there are no credentials.
        """
        named = sorted(f"{key}={value}" for key, value in os.environ.items() if key[:4] == "AWS_")
        return self._accounts.get((region, *named), lambda: Account.of(region), lambda _: inf)


reader = OverlayReader()
"""The process's own."""


def lineage_page(job: Job, run_id: str, tracking_uri: str | None) -> str:
    """Draw what a job was made from, and what was made from it, as far as MLflow knows.

    Parameters
    ----------
    job
        The job.
    run_id
        Its run.
    tracking_uri
        Where lineage is read: all of a store's, whoever may see it. None for the job's own.

    Returns
    -------
    str
        A page that loads nothing; of a large lineage, what is nearest.
    """
    near = _mirrored(job, tracking_uri) if tracking_uri else None
    graph = near if near and near.edges else _own(job, run_id)
    return graph.to_html(title=f"Lineage of {job.title or job.name}")


def _mirrored(job: Job, tracking_uri: str) -> LineageGraph | None:
    try:
        graph = mirrored(database_uri(tracking_uri) or tracking_uri)
        return _nearest(graph, str(job.arn))
    except UnknownJobError:
        return None
    except TrackingError as error:
        logger.warning("lineage of %s: %s", job.arn, error)
        return None


def _own(job: Job, run_id: str) -> LineageGraph:
    """Make the graph of what the job alone tells."""
    own = Node(id=str(job.arn), kind=job.kind.word, name=job.title or job.name, run_id=run_id)
    return LineageGraph.of([job.lineage], [own]).around(own.id)


def _nearest(graph: LineageGraph, arn: str) -> LineageGraph:
    """Cut out what is around a job: all, or fewer steps where that is much."""
    near = graph.around(arn)
    for depth in _DEPTHS:
        if len(near.nodes) <= _MOST_NODES:
            break
        near = graph.around(arn, depth=depth)
    return near

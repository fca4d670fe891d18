"""The least that the mirror must be allowed: rows of the table of grants → a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlflow_smwatch.aws import operations as op
from mlflow_smwatch.aws.grants import GRANTS, Grant, has_queue
from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.aws.partitions import partition_of
from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.policy import Place, Statement, queue_name


def needed(needs: Needs) -> tuple[Grant, ...]:
    """Give the rows of the operations that the user's wishes take, one for each IAM action."""
    rows = {grant.action: grant for grant in reversed(GRANTS) if grant.needed(needs)}
    return tuple(reversed(rows.values()))


def statements(needs: Needs, places: Iterable[Place] = (Place(),)) -> tuple[Statement, ...]:
    """Make the statements of the policy that is just enough.

    Parameters
    ----------
    needs
        What the user wants.
    places
        Where; the queue tells its own place.

    Returns
    -------
    tuple of Statement
        One for each purpose.

    Raises
    ------
    UsageError
        When the queue's URL cannot be understood.
    """
    places = tuple(places)
    rows: dict[str, list[Grant]] = {}
    for grant in needed(needs):
        rows.setdefault(grant.sid, []).append(grant)
    return tuple(
        Statement(
            sid=sid,
            actions=tuple(grant.action for grant in some),
            resources=tuple(dict.fromkeys(_arns(some, needs, places))),
            conditions=tuple(dict.fromkeys(each for grant in some for each in grant.only(needs))),
        )
        for sid, some in rows.items()
    )


def assuming(role_arns: Iterable[str]) -> Statement:
    """Make the statement that the caller needs, to assume roles."""
    return Statement(sid="AssumeRole", actions=(op.ASSUME_ROLE,), resources=tuple(role_arns))


def _arns(grants: Iterable[Grant], needs: Needs, places: tuple[Place, ...]) -> Iterator[str]:
    for place in places:
        for grant in grants:
            where = _queue_place(place, needs) if grant.needed is has_queue else place
            for each in grant.resources(needs):
                yield each if is_arn(each) else where.arn(each)


def _queue_place(place: Place, needs: Needs) -> Place:
    found = queue_name(needs.queue_url or "")
    if found.region is None:
        return replace(place, account=found.account)
    partition = partition_of(found.region)
    return Place(partition=partition, region=found.region, account=found.account)

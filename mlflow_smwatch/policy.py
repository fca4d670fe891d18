"""The IAM policy that is just enough for what the user wants; needs no credentials, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.aws.partitions import partition_of
from mlflow_smwatch.aws.permissions import assuming, statements
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.policy import ANY, Place, document, queue_name
from mlflow_smwatch.core.publishing_names import require_namespace
from mlflow_smwatch.core.sources import group_patterns
from mlflow_smwatch.options import PRICES_OF_AWS, SyncOptions


def needs_of(options: SyncOptions, *, queue_url: str | None = None, search: bool = True) -> Needs:
    """Tell what options take permissions for.

    Parameters
    ----------
    options
        As of a sync.
    queue_url
        Of the queue that drives a watch.
    search
        Whether ``Search`` may be called.
    """
    return Needs(
        kinds=frozenset(options.kinds),
        metrics=options.metrics,
        overlay=options.artifacts == "overlay",
        copies=options.copies_reports,
        register=options.register is not None,
        queue_url=queue_url,
        asks_prices=options.prices == PRICES_OF_AWS,
        alarms=options.alarms,
        attached_series=any(each.series for each in options.sources),
        attached_groups=group_patterns(options.sources),
        search=search,
    )


def policy(
    targets: Sequence[SyncOptions],
    *,
    queue_url: str | None = None,
    account: str | None = None,
    search: bool = True,
    publish: str | None = None,
    topics: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make the least-privilege policy for some options.

    Parameters
    ----------
    targets
        The same options for each Region and role.
    queue_url
        Of the queue that drives a watch.
    account
        Twelve digits, to which resources are narrowed; None for any.
    search
        Whether ``Search`` may be called.
    publish
        Namespace into which metrics are published, with dashboards; None for neither.
    topics
        ARNs of the SNS topics that rules tell of alarms.

    Returns
    -------
    dict
        The policy; where roles are assumed, theirs as ``role`` and that of their caller as
        ``caller``.

    Raises
    ------
    UsageError
        When a value cannot be understood.
    """
    if publish is not None:
        require_namespace(publish, "--publishing")
    needs = replace(needs_of(targets[0], queue_url=queue_url, search=search), publish=publish)
    needs = replace(needs, topics=topics)
    partition = _partition(targets, queue_url)
    regions = dict.fromkeys(each.region or ANY for each in targets)
    places = [
        Place(partition=partition, region=region, account=account or ANY) for region in regions
    ]
    made = document(statements(needs, places))
    roles = dict.fromkeys(each.assume_role for each in targets if each.assume_role)
    return {"role": made, "caller": document((assuming(roles),))} if roles else made


def _partition(targets: Sequence[SyncOptions], queue_url: str | None) -> str:
    """Find the partition in what names one: a Region, else a role, else the queue."""
    regions = [each.region for each in targets if each.region]
    if regions:
        return partition_of(regions[0])
    roles = [each.assume_role for each in targets if each.assume_role]
    if roles:
        return Arn.parse(roles[0]).partition
    region = queue_name(queue_url).region if queue_url else None
    return partition_of(region) if region else Place().partition

"""Whether a mirror would work here: AWS, each permission, MLflow; and what to do where not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow_smwatch.aws.caller import Caller, identify, quota_findings
from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.aws.partitions import has_sagemaker
from mlflow_smwatch.aws.probes import Prober, hasty
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.errors import SmwatchError, StopError
from mlflow_smwatch.core.findings import BAD, WARN, Finding, Status, failed
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.policy import needs_of
from mlflow_smwatch.tracking.checkup import check_store
from mlflow_smwatch.tracking.seals import KEY_VARIABLE

_REFUSED = timedelta(minutes=5)
"""By how much a clock may be wrong before AWS refuses requests ("Signature Version 4")."""

_RIGHT = timedelta(minutes=1)
_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
_SYNC_CLOCK = "set this machine's clock by NTP, such as with 'timedatectl set-ntp true'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """What was found.

    Attributes
    ----------
    checks
        In the order in which they were made.
    reachable
        Whether AWS or MLflow can be used at all.
    """

    checks: tuple[Finding, ...]
    reachable: bool

    @property
    def ok(self) -> bool:
        """Whether there is nothing to mend."""
        return all(each.status != BAD for each in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return {
            "ok": self.ok,
            "reachable": self.reachable,
            "checks": [each.to_dict() for each in self.checks],
        }


def examine(
    targets: Sequence[SyncOptions],
    *,
    queue_url: str | None = None,
    search: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(tz=timezone.utc),
) -> DoctorReport:
    """Check AWS in each Region and role, then MLflow; nothing is written anywhere.

    Parameters
    ----------
    targets
        The same options for each Region and role; at least one.
    queue_url
        Of the queue that drives a watch.
    search
        Whether ``Search`` may be called.
    clock
        Tells this machine's time, aware.

    Returns
    -------
    DoctorReport

    Raises
    ------
    UsageError
        When a value cannot be understood, or the AWS profile does not exist.
    """
    checks: list[Finding] = []
    answering = False
    for options in targets:
        needs = needs_of(options, queue_url=queue_url, search=search)
        found = tuple(_aws(options, needs, clock))
        answering |= any(each.check == "credentials" and each.status != BAD for each in found)
        checks += found
    first = targets[0]
    store = check_store(
        first.tracking_uri,
        overlay=first.artifacts == "overlay",
        seal_key=os.environ.get(KEY_VARIABLE),
    )
    checks += store.findings
    return DoctorReport(checks=tuple(checks), reachable=answering or store.answers)


def _aws(options: SyncOptions, needs: Needs, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Check one account and Region; the first thing that is in the way of all others ends it."""
    try:
        aws = hasty(connect(options.region, options.profile, options.workers, options.assume_role))
    except StopError as error:
        yield failed("credentials", error)
        return
    yield _region(aws)
    try:
        caller = identify(aws, clock)
        yield _credentials(caller)
        if caller.ahead is not None:
            yield _clock(caller.ahead)
        if caller.error is None:
            yield from Prober(aws, needs, caller.account).findings()
            yield from quota_findings(aws)
    except SmwatchError as error:
        yield failed("AWS", error)


def _region(aws: Aws) -> Finding:
    endpoint = os.environ.get(_ENDPOINT_VARIABLE)
    where = f"{aws.region}, asked at {endpoint} ({_ENDPOINT_VARIABLE})" if endpoint else aws.region
    if has_sagemaker(aws.region):
        return Finding(check="region", detail=where)
    return Finding(
        check="region",
        status=WARN,
        detail=f"{where}: the boto3 installed knows no SageMaker there",
        fix="check the Region's name; if it is a new one: pip install --upgrade boto3",
    )


def _credentials(caller: Caller) -> Finding:
    if caller.error is not None:
        return failed("credentials", caller.error)
    return Finding(check="credentials", detail=f"{caller.arn}, account {caller.account}")


def _clock(ahead: timedelta) -> Finding:
    """Judge by how much the clock is wrong: AWS refuses requests, and periods close by it."""
    seconds = round(ahead.total_seconds())
    if abs(ahead) <= _RIGHT:
        return Finding(check="clock", detail="right to a minute")
    detail = f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} AWS's"
    status: Status = BAD if abs(ahead) > _REFUSED else WARN
    return Finding(check="clock", status=status, detail=detail, fix=_SYNC_CLOCK)

"""Bad days of AWS, each at random from a seed and the same every time.

A storm decides by operation and number, not by the moment: however threads take turns, the nth
request of an operation fails in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from mlflow_smwatch.demo.breakages import Breakage
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.faults import Faults

Fault: TypeAlias = AwsError | Breakage

THROTTLED = AwsError("ThrottlingException", "Rate exceeded")
TRANSIENT: tuple[Fault, ...] = (
    THROTTLED,
    AwsError("InternalFailure", "An internal error has occurred.", 500),
    AwsError("ServiceUnavailable", "The service is unavailable.", 503),
    Breakage.RESET,
    Breakage.LOST,
    Breakage.TRUNCATED,
    Breakage.MALFORMED,
    Breakage.EMPTY,
    Breakage.PAGE,
    Breakage.GATEWAY,
    Breakage.ARRAY,
    Breakage.GARBLED,
    Breakage.SLOW,
)
"""Faults that another try mends."""

PUBLISHED_RATES = {
    "sagemaker:ListTrainingJobs": 2.0,
    "logs:GetLogEvents": 25.0,
    "logs:DescribeLogStreams": 25.0,
    "logs:FilterLogEvents": 25.0,
    "cloudwatch:GetMetricData": 50.0,
}
"""Requests a second in us-east-1 ("CloudWatch Logs quotas", "CloudWatch service quotas"; that of
ListTrainingJobs as Service Quotas shows it)."""

_LONGEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Lets a share of all requests fail.

    Attributes
    ----------
    seed
        Of all that is random.
    share
        Of the requests, from 0 to 1. At most two on end fail of one operation.
    faults
        What happens to them.
    """

    seed: int
    share: float = 0.03
    faults: Sequence[Fault] = TRANSIENT

    def fault(self, operation: str, number: int) -> Fault | None:
        """Tell how the nth request of an operation fails, from 0; None if it does not."""
        if not self._strikes(operation, number) or all(
            self._strikes(operation, number - before) for before in range(1, _LONGEST + 1)
        ):
            return None
        return Random(f"{self.seed} {operation} {number} what").choice(self.faults)

    def _strikes(self, operation: str, number: int) -> bool:
        return Random(f"{self.seed} {operation} {number}").random() < self.share


def throttle_as_published(faults: Faults) -> None:
    """Throttle each operation beyond the rate that AWS publishes for it."""
    for operation, per_second in PUBLISHED_RATES.items():
        faults.rate(operation, per_second=per_second)

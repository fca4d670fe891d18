"""What an endpoint of the demo is asked, and how it answers: figures that are made up.

Nobody asks the emulated endpoint anything. Its curves are waves of a day with some noise, the same
for the same minute, so that a page shows what an endpoint's metrics look like.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.metrics import DAY_MS, MINUTE_MS

SYNTHETIC = {"traffic": "synthetic"}
"""Resource tag of such an endpoint."""

INVOCATIONS = "AWS/SageMaker"
INSTANCES = "/aws/sagemaker/Endpoints"

_BUSIEST, _QUIETEST = 14.0, 2.0
_MODEL_US, _OVERHEAD_US = 3_200.0, 1_400.0
_ERRORS_EACH = 37


def put_traffic(
    account: EmulatedAccount, endpoint: str, variant: str, since: datetime, until: datetime
) -> None:
    """Let CloudWatch have an endpoint's metrics, minute by minute.

    Parameters
    ----------
    account
        The account.
    endpoint, variant
        Whose metrics they are.
    since, until
        From when to when, aware; what lies ahead shows once its time has come.
    """
    begin, end = (int(each.timestamp()) * 1000 // MINUTE_MS for each in (since, until))
    place = {"EndpointName": endpoint, "VariantName": variant}
    minutes = range(begin + 1, end)
    asked = {minute: _asked(minute) for minute in minutes}
    for name, each_minute in {
        "Invocations": _counted(asked),
        "InvocationsPerInstance": _counted(asked),
        "Invocation4XXErrors": _errors(asked),
        "ModelLatency": _latencies(asked, _MODEL_US),
        "OverheadLatency": _latencies(asked, _OVERHEAD_US),
    }.items():
        account.put_metric(INVOCATIONS, name, place, each_minute)
    for name, idle, busy in (
        ("CPUUtilization", 2.0, 4.5),
        ("MemoryUtilization", 11.0, 0.2),
        ("DiskUtilization", 6.5, 0.0),
    ):
        used = ((minute * MINUTE_MS, idle + busy * count) for minute, count in asked.items())
        account.put_metric(INSTANCES, name, place, used, unit="Percent")


def _asked(minute: int) -> int:
    """Tell how often an endpoint is asked in a minute since the epoch."""
    turn = 2 * math.pi * (minute * MINUTE_MS % DAY_MS) / DAY_MS
    usual = _QUIETEST + (_BUSIEST - _QUIETEST) * (1 - math.cos(turn)) / 2
    return max(0, round(random.Random(minute).gauss(usual, math.sqrt(usual))))


def _counted(asked: dict[int, int]) -> Iterator[tuple[int, float]]:
    return ((minute * MINUTE_MS, 1.0) for minute, count in asked.items() for _ in range(count))


def _errors(asked: dict[int, int]) -> Iterator[tuple[int, float]]:
    for minute, count in asked.items():
        for number in range(count):
            failed = (minute * _BUSIEST + number) % _ERRORS_EACH == 0
            yield minute * MINUTE_MS, float(failed)


def _latencies(asked: dict[int, int], usual_us: float) -> Iterator[tuple[int, float]]:
    """Give microseconds: most near the usual, a few much longer."""
    for minute, count in asked.items():
        chance = random.Random(f"{minute} {usual_us}")
        for _ in range(count):
            yield minute * MINUTE_MS, round(chance.lognormvariate(math.log(usual_us), 0.3), 1)

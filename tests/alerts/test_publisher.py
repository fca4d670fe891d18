"""With whose credentials a message goes to a topic."""

from __future__ import annotations

import pytest

from mlflow_smwatch.alerts.service import publisher
from mlflow_smwatch.options import SyncOptions


def target(region: str, account: str | None) -> SyncOptions:
    """Give what is mirrored of one account and Region."""
    role = f"arn:aws:iam::{account}:role/smwatch" if account else None
    return SyncOptions(region=region, assume_role=role)


ONE, TWO = "111111111111", "222222222222"
SEVERAL = (target("eu-west-1", ONE), target("us-east-1", TWO), target("eu-west-1", TWO))


@pytest.mark.parametrize(
    ("region", "account", "targets", "chosen"),
    [
        ("eu-west-1", ONE, SEVERAL, 0),
        ("eu-west-1", TWO, SEVERAL, 2),
        ("ap-south-1", TWO, SEVERAL, 1),
        ("eu-west-1", "333333333333", SEVERAL, None),
        ("us-east-1", ONE, (target("eu-west-1", None),), 0),
    ],
    ids=["first", "Region", "account alone", "nobody's", "no role"],
)
def test_publisher(
    region: str, account: str, targets: tuple[SyncOptions, ...], chosen: int | None
) -> None:
    """A role of the topic's account, of its Region if there is one."""
    found = publisher(f"arn:aws:sns:{region}:{account}:alarms", targets)
    assert found is (None if chosen is None else targets[chosen])

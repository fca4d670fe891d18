"""An account full of secrets, and the environment that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.secrets.canaries import Canaries
from tests.secrets.planted import plant


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An account, and what was planted in it."""

    account: EmulatedAccount
    canaries: Canaries

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead to the account, with credentials that are secrets too."""
        canaries = self.canaries
        return {
            **self.account.environment,
            "AWS_SECRET_ACCESS_KEY": canaries.secret("AWS_SECRET_ACCESS_KEY"),
            "AWS_SESSION_TOKEN": canaries.secret("AWS_SESSION_TOKEN"),
            "MLFLOW_TRACKING_PASSWORD": canaries.secret("MLFLOW_TRACKING_PASSWORD"),
            "MLFLOW_TRACKING_TOKEN": canaries.secret("MLFLOW_TRACKING_TOKEN"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


@pytest.fixture(scope="module")
def planted() -> Iterator[Planted]:
    """Serve the account."""
    with EmulatedAccount() as account:
        yield Planted(account=account, canaries=plant(account))


@pytest.fixture(scope="module")
def environment(planted: Planted) -> Iterator[dict[str, str]]:
    """Let this process's environment lead to the account."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in planted.environment.items():
            patch.setenv(name, value)
        yield planted.environment

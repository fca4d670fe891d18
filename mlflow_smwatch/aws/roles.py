"""Credentials of a role in this or another account, which renew themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
)

from mlflow_smwatch.aws.ledger import Ledger

SESSION_NAME = "mlflow-smwatch"
"""Stands in CloudTrail, and in the caller's ARN, for what is done in a role."""


def role_credentials(
    role_arn: str, source: boto3.Session, config: Config, ledger: Ledger
) -> Credentials:
    """Make the credentials of a role (``AssumeRole``); no call is made before they are needed.

    Parameters
    ----------
    role_arn
        Of the role.
    source
        Has the credentials of the caller, and the Region of the ``sts`` endpoint.
    config
        Of the client.
    ledger
        Counts the calls.

    Returns
    -------
    Credentials
        botocore's own, which assumes the role anew a quarter of an hour before they expire.
    """

    def sts(service: str, **keys: str) -> Any:
        client = source.client(service, config=config, **keys)
        ledger.attach(client)
        return client

    arguments = {"RoleSessionName": SESSION_NAME}
    fetcher = AssumeRoleCredentialFetcher(
        sts, source.get_credentials(), role_arn, arguments, cache=_Forgetful()
    )
    credentials: Credentials = DeferredRefreshableCredentials(
        fetcher.fetch_credentials, "assume-role"
    )
    return credentials


class _Forgetful(dict[str, Any]):
    """Keeps no credentials: whoever asks for new ones is not to get those that were refused."""

    def __setitem__(self, key: str, value: object) -> None:
        """Keep nothing."""


def give(session: botocore.session.Session, credentials: Credentials) -> None:
    """Let a session use these credentials, and look for no others."""
    session.register_component("credential_provider", _Given(credentials))


@dataclass(frozen=True, slots=True)
class _Given:
    """Takes the place of botocore's chain of credential providers."""

    credentials: Credentials

    def load_credentials(self) -> Credentials:
        return self.credentials

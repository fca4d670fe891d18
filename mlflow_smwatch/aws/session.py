"""boto3's standard chain → the clients of one account and Region."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore import exceptions as boto
from botocore.config import Config

from mlflow_smwatch._version import __version__
from mlflow_smwatch.aws import raw_events
from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.operations import GET_CALLER_IDENTITY
from mlflow_smwatch.aws.refusals import ask, aws_errors, no_credentials
from mlflow_smwatch.aws.renewal import Renewal
from mlflow_smwatch.aws.roles import give, role_credentials
from mlflow_smwatch.aws.timestamps import parse_fast
from mlflow_smwatch.core.errors import AwsUnreachableError, CredentialsError, UsageError
from mlflow_smwatch.core.redact import Redaction

__all__ = ["Aws", "ask", "aws_errors", "connect"]

_ATTEMPTS = 10
_CONNECT_TIMEOUT_S = 10
_OF_EVERYONE = Redaction()
_PRICING_REGION = "us-east-1"
_READ_TIMEOUT_S = 30
"""An SQS queue may take 20 seconds for its answer ("ReceiveMessage", WaitTimeSeconds)."""


@dataclass
class Aws:
    """The clients of one account and Region; every call goes through one ledger.

    A client is made when it is first used, whichever thread that is, and by one thread at a time:
    boto3's clients may be shared among threads, its sessions may not ("boto3 guide, Session").

    Attributes
    ----------
    region
        Region name.
    ledger
        Counts, prices and paces the calls.
    redaction
        Takes the secrets out of what SageMaker answers.
    """

    session: boto3.Session
    region: str
    config: Config
    ledger: Ledger
    redaction: Redaction
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def sagemaker(self) -> Any:
        """The ``sagemaker`` client."""
        return self._client("sagemaker")

    @property
    def cloudwatch(self) -> Any:
        """The ``cloudwatch`` client."""
        return self._client("cloudwatch")

    @property
    def sqs(self) -> Any:
        """The ``sqs`` client."""
        return self._client("sqs")

    @property
    def sagemaker_metrics(self) -> Any:
        """The ``sagemaker-metrics`` client."""
        return self._client("sagemaker-metrics")

    @property
    def logs(self) -> Any:
        """The ``logs`` client."""
        return self._client("logs")

    @property
    def s3(self) -> Any:
        """The ``s3`` client; botocore follows a bucket into its own Region."""
        return self._client("s3")

    @cached_property
    def _renewal(self) -> Renewal:
        return Renewal(self.session.get_credentials())

    @property
    def pricing(self) -> Any:
        """The ``pricing`` client; AWS serves the Price List API in few Regions."""
        return self._client("pricing")

    def client(self, service: str) -> Any:
        """Give the client of a service by botocore's name."""
        return self._client(service)

    @cached_property
    def account(self) -> str:
        """The caller's account number (``GetCallerIdentity``, one call)."""
        caller = self._client("sts").get_caller_identity
        return str(ask(GET_CALLER_IDENTITY, caller, {}, "Account")["Account"])

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        region = _PRICING_REGION if service == "pricing" else self.region
        try:
            client = self.session.client(service, region_name=region, config=self.config)
        except ValueError as error:  # a Region or an endpoint that is none
            message = f"AWS cannot be reached ({error}): check the Region and the endpoint"
            raise AwsUnreachableError(message) from error
        self.ledger.attach(client)
        self._renewal.attach(client)
        if service == "logs":
            raw_events.register(client)
        return client


def connect(
    region: str | None,
    profile: str | None,
    workers: int,
    role_arn: str | None = None,
    redaction: Redaction = _OF_EVERYONE,
) -> Aws:
    """Find credentials, Region and endpoints as every AWS tool does; no call is made.

    Parameters
    ----------
    region, profile
        Override boto3's own choice.
    workers
        How many threads will call at once.
    role_arn
        Of a role that is assumed with these credentials, before the first call and whenever its own
        are about to expire (``AssumeRole``); None to use them as they are.
    redaction
        What is a secret; without it, what is one for everybody.

    Returns
    -------
    Aws

    Raises
    ------
    CredentialsError
        When there are no credentials or no Region.
    UsageError
        When the profile does not exist.
    """
    try:
        core = _botocore_session(profile)
        configured = core.get_scoped_config()
        defaults_mode = core.get_config_variable("defaults_mode")
        session = boto3.Session(botocore_session=core, region_name=region)
        credentials = session.get_credentials()
    except boto.ProfileNotFound as error:
        message = f"{error}: 'aws configure list-profiles' names those that exist"
        raise UsageError(message) from error
    except boto.BotoCoreError as error:
        raise CredentialsError(no_credentials(str(error))) from error
    if not session.region_name:
        message = "no AWS Region: give --region, or set AWS_DEFAULT_REGION"
        raise CredentialsError(message)
    if credentials is None:
        raise CredentialsError(no_credentials("none found"))
    config = Config(
        retries=_retries(configured),
        # None leaves it to the defaults mode, where the user's environment or profile has one
        connect_timeout=_CONNECT_TIMEOUT_S if defaults_mode == "legacy" else None,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=max(10, workers),
        user_agent_extra=f"mlflow-smwatch/{__version__}",
    )
    region = session.region_name
    ledger = Ledger(region)
    if role_arn is not None:
        assumed = role_credentials(role_arn, session, config, ledger)
        core = _botocore_session(profile)
        give(core, assumed)
        session = boto3.Session(botocore_session=core, region_name=region)
    return Aws(session=session, region=region, config=config, ledger=ledger, redaction=redaction)


def _botocore_session(profile: str | None) -> botocore.session.Session:
    core = botocore.session.Session(profile=profile)
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    parse_fast(core)
    return core


@cache
def _loader(data_path: str | None) -> Any:
    """Share the service models, the dear part of a client, among all passes of a process."""
    return botocore.loaders.create_loader(data_path)


def _retries(configured: Mapping[str, Any]) -> Any:
    """Retry patiently, unless the user's environment or profile says otherwise."""
    retries: dict[str, object] = {}
    if "AWS_RETRY_MODE" not in os.environ and "retry_mode" not in configured:
        retries["mode"] = "adaptive"
    if "AWS_MAX_ATTEMPTS" not in os.environ and "max_attempts" not in configured:
        retries["total_max_attempts"] = _ATTEMPTS
    return retries

"""boto3's standard chain → the clients of one account and Region, and its errors → ours."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from mlflow_smwatch.aws.operations import GET_CALLER_IDENTITY, permission
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    AwsUnreachableError,
    CredentialsError,
    InvalidRequestError,
    LogsGoneError,
    ObjectGoneError,
    RetriableError,
    SmwatchError,
    UnknownJobError,
    UsageError,
)
from mlflow_smwatch.core.visible import visible

_DENIED = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "403"}
)
"""Answers to ``HEAD`` have no body: there botocore gives the HTTP status for the code."""

_GONE: Mapping[str, type[SmwatchError]] = {
    "ResourceNotFoundException": LogsGoneError,
    "NoSuchKey": ObjectGoneError,
    "NoSuchBucket": ObjectGoneError,
    "404": ObjectGoneError,
}
_CREDENTIALS = frozenset(
    {
        "ExpiredTokenException",
        "ExpiredToken",
        "RequestExpired",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "OptInRequired",
    }
)
_CREDENTIAL_ERRORS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.NoAuthTokenError,
)
_UNREACHABLE = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
_NONE = re.compile(r"not f|n't find|not exist", re.IGNORECASE)
"""How a ValidationException says that there is no such job."""

_ATTEMPTS = 10
_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 30
"""An SQS queue may take 20 seconds for its answer ("ReceiveMessage", WaitTimeSeconds)."""

_WHOLE_ATTEMPTS = 3
_DETAIL_LIMIT = 300


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
    """

    session: boto3.Session
    region: str
    config: Config
    ledger: Ledger
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
    def account(self) -> str:
        """The caller's account number (``GetCallerIdentity``, one call)."""
        with aws_errors(GET_CALLER_IDENTITY):
            return str(self._client("sts").get_caller_identity()["Account"])

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        try:
            client = self.session.client(service, region_name=self.region, config=self.config)
        except ValueError as error:  # a Region or an endpoint that is none
            message = f"AWS cannot be reached ({error}): check the Region and the endpoint"
            raise AwsUnreachableError(message) from error
        self.ledger.attach(client)
        if service == "logs":
            raw_events.register(client)
        return client


def connect(region: str | None, profile: str | None, workers: int) -> Aws:
    """Find credentials, Region and endpoints as every AWS tool does; no call is made.

    Parameters
    ----------
    region, profile
        Override boto3's own choice.
    workers
        How many threads will call at once.

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
        core = botocore.session.Session(profile=profile)
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        configured = core.get_scoped_config()
        defaults_mode = core.get_config_variable("defaults_mode")
        session = boto3.Session(botocore_session=core, region_name=region)
        credentials = session.get_credentials()
    except boto.ProfileNotFound as error:
        message = f"{error}: 'aws configure list-profiles' names those that exist"
        raise UsageError(message) from error
    except boto.BotoCoreError as error:
        raise CredentialsError(_no_credentials(str(error))) from error
    if not session.region_name:
        message = "no AWS Region: give --region, or set AWS_DEFAULT_REGION"
        raise CredentialsError(message)
    if credentials is None:
        raise CredentialsError(_no_credentials("none found"))
    config = Config(
        retries=_retries(configured),
        # None leaves it to the defaults mode, where the user's environment or profile has one
        connect_timeout=_CONNECT_TIMEOUT_S if defaults_mode == "legacy" else None,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=max(10, workers),
        user_agent_extra=f"mlflow-smwatch/{__version__}",
    )
    region = session.region_name
    return Aws(session=session, region=region, config=config, ledger=Ledger(region))


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


def _no_credentials(detail: str) -> str:
    return (
        f"no AWS credentials ({detail}): run 'aws configure' or 'aws sso login',"
        " set AWS_PROFILE, or give --profile"
    )


@contextmanager
def aws_errors(action: str) -> Iterator[None]:
    """Turn what boto3 raises inside into this package's errors.

    Parameters
    ----------
    action
        The operation of the call, such as ``sagemaker:Search``.

    Raises
    ------
    CredentialsError, AwsUnreachableError
        Nothing can be done.
    AccessDeniedError
        This action is not allowed.
    LogsGoneError
        There is no such log group or stream.
    ObjectGoneError
        There is no such bucket or object.
    UnknownJobError
        The call named something that AWS does not have.
    InvalidRequestError
        AWS, or botocore before it, does not take the request.
    RetriableError
        Anything else, after botocore's own retries.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _client_error(error, action) from error
    except _CREDENTIAL_ERRORS as error:
        raise CredentialsError(_no_credentials(_line(str(error)))) from error
    except _UNREACHABLE as error:
        detail = _line(str(error))
        message = (
            f"AWS cannot be reached ({detail}): check the network, the Region and the endpoint"
        )
        raise AwsUnreachableError(message) from error
    except boto.ParamValidationError as error:
        raise _invalid(action, _line(str(error))) from error
    except boto.BotoCoreError as error:
        message = f"{action} failed: {_line(str(error))}; run again later"
        raise RetriableError(message) from error


def ask(
    action: str, operation: Callable[..., Any], request: Mapping[str, Any], *keys: str
) -> Mapping[str, Any]:
    """Call an operation until its answer is whole.

    boto3 takes a body that was cut off for an empty answer; without its members ``keys`` an answer
    says nothing, not even that there is nothing.

    Parameters
    ----------
    action
        IAM action, for errors.
    operation
        A client's method.
    request
        Its arguments.
    *keys
        Members that every answer has.

    Raises
    ------
    SmwatchError
        As :func:`aws_errors` says.
    RetriableError
        When every answer was cut off.
    """
    for _ in range(_WHOLE_ATTEMPTS):
        with aws_errors(action):
            answer: Mapping[str, Any] = operation(**request)
        if all(key in answer for key in keys):
            return answer
    message = (
        f"{action} answered without {' and '.join(keys)} {_WHOLE_ATTEMPTS} times; run again later"
    )
    raise RetriableError(message)


def _client_error(error: boto.ClientError, action: str) -> SmwatchError:
    codes = {error.response["Error"].get("Code"), error.response["Error"].get("QueryErrorCode")}
    detail = _line(str(error.response["Error"].get("Message", "")))
    code = _line(str(error.response["Error"].get("Code", "")))
    if codes & _DENIED:
        return AccessDeniedError(permission(action), detail or code)
    if codes & _CREDENTIALS:
        message = f"AWS does not accept the credentials ({code}: {detail}): renew them"
        return CredentialsError(message)
    if code in _GONE:
        return _GONE[code](f"{action}: {detail}")
    if code == "ResourceNotFound" or (code == "ValidationException" and _NONE.search(detail)):
        return UnknownJobError(detail)
    if code in {"ValidationException", "InvalidParameterException"}:
        return _invalid(action, detail)
    message = f"{action} failed ({code}: {detail}); run again later"
    return RetriableError(message)


def _invalid(action: str, detail: str) -> InvalidRequestError:
    return InvalidRequestError(f"{action} does not take the request ({detail})")


def _line(text: str) -> str:
    """Put what AWS said on one line, cut to a length that can be shown."""
    return visible(" ".join(text.split()))[:_DETAIL_LIMIT]

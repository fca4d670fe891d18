"""What AWS refuses, and answers that were cut off → this package's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from mlflow_smwatch.aws.operations import ASSUME_ROLE, permission
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
)
from mlflow_smwatch.core.redact import Redaction
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
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_OTHER_TIME = re.compile(r"signature expired|not yet current", re.IGNORECASE)
"""How AWS says in a signature's refusal that it was made at another time than it is there."""

_NOT_AWS = (ResponseParserError, AttributeError, TypeError, ValueError, LookupError)
"""What botocore's parsers raise for a body that is none of AWS's, such as a proxy's page."""

_CREDENTIAL_ERRORS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.NoAuthTokenError,
)
_UNREACHABLE = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
_NONE = re.compile(r"not ?found|not f|n't find|not exist", re.IGNORECASE)
"""How a ValidationException says that there is no such job."""

_ASSUME_ROLE = ASSUME_ROLE.rpartition(":")[2]
_WHOLE_ATTEMPTS = 3
_DETAIL_LIMIT = 300
_REQUEST_ERRORS = frozenset(
    {"ValidationException", "InvalidParameterException", "InvalidNextToken"}
)


class _UnreadableError(RetriableError):
    """The answer is none that AWS gives."""


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
    except boto.BotoCoreError as error:
        raise _core_error(error, action) from error
    except RuntimeError as error:
        if "credentials" not in str(error):
            raise
        message = f"{_line(str(error))} Renew them, and set this machine's clock right"
        raise CredentialsError(message) from error
    except _NOT_AWS as error:
        message = (
            f"{action} got an answer that is none of AWS's ({type(error).__name__}): check what"
            " stands between, such as a proxy or AWS_ENDPOINT_URL, or run again later"
        )
        raise _UnreadableError(message) from error


def ask(
    action: str, operation: Callable[..., Any], request: Mapping[str, Any], *keys: str
) -> Mapping[str, Any]:
    """Call an operation until its answer is whole.

    boto3 takes a body that was cut off, or a proxy's page, for an empty answer; without its members
    ``keys`` an answer says nothing, not even that there is nothing.

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
        When every answer was cut off, or was not AWS's.
    """
    message = (
        f"{action} answered without {' and '.join(keys)} {_WHOLE_ATTEMPTS} times; run again later"
    )
    for _ in range(_WHOLE_ATTEMPTS):
        try:
            with aws_errors(action):
                answer: Mapping[str, Any] = operation(**request)
        except _UnreadableError as error:
            message = str(error)
            continue
        if all(key in answer for key in keys):
            return answer
    raise RetriableError(message)


def _core_error(error: boto.BotoCoreError, action: str) -> SmwatchError:
    detail = _line(str(error))
    if isinstance(error, _CREDENTIAL_ERRORS):
        return CredentialsError(no_credentials(detail))
    if isinstance(error, _UNREACHABLE):
        message = (
            f"AWS cannot be reached ({detail}): check the network, the Region and the endpoint"
        )
        return AwsUnreachableError(message)
    if isinstance(error, boto.ParamValidationError):
        return _invalid(action, detail)
    return RetriableError(f"{action} failed: {detail}; run again later")


def _client_error(error: boto.ClientError, action: str) -> SmwatchError:
    codes = {error.response["Error"].get("Code"), error.response["Error"].get("QueryErrorCode")}
    detail = _line(str(error.response["Error"].get("Message", "")))
    code = _line(str(error.response["Error"].get("Code", "")))
    if codes & (_CREDENTIALS | _CLOCK) or error.operation_name == _ASSUME_ROLE:
        return _credentials_error(error.operation_name, f"{code}: {detail}", codes)
    if codes & _DENIED:
        return AccessDeniedError(permission(action), detail or code)
    if code in _GONE:
        return _GONE[code](f"{action}: {detail}")
    if code == "ResourceNotFound" or (code == "ValidationException" and _NONE.search(detail)):
        return UnknownJobError(detail)
    if code in _REQUEST_ERRORS:
        return _invalid(action, detail)
    message = f"{action} failed ({code}: {detail}); run again later"
    return RetriableError(message)


def _credentials_error(operation: str, detail: str, codes: set[str | None]) -> CredentialsError:
    """Say whose fault it is: the caller's credentials may be bad where a role is assumed too."""
    if codes & _CLOCK or (codes & _CREDENTIALS and _OTHER_TIME.search(detail)):
        message = (
            f"AWS does not take what this machine signs at its time ({detail}): set its clock"
            " right, then run again"
        )
    elif codes & _CREDENTIALS:
        message = f"AWS does not accept the credentials ({detail}): renew them"
    else:
        message = (
            f"the role cannot be assumed ({detail}): let its trust policy name the caller,"
            f" and allow the caller sts:{operation}"
        )
    return CredentialsError(message)


def _invalid(action: str, detail: str) -> InvalidRequestError:
    return InvalidRequestError(f"{action} does not take the request ({detail})")


def _line(text: str) -> str:
    """Put what AWS said on one line, without secrets, cut to a length that can be shown."""
    return visible(Redaction().text(" ".join(text.split())))[:_DETAIL_LIMIT]


def no_credentials(detail: str) -> str:
    """Say that there are no credentials, and what to do."""
    return (
        f"no AWS credentials ({detail}): run 'aws configure' or 'aws sso login',"
        " set AWS_PROFILE, or give --profile"
    )

"""What AWS refuses, and answers that were cut off → this package's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto

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

_ASSUME_ROLE = ASSUME_ROLE.rpartition(":")[2]
_WHOLE_ATTEMPTS = 3
_DETAIL_LIMIT = 300


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
        raise CredentialsError(no_credentials(_line(str(error)))) from error
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
    if codes & _CREDENTIALS or error.operation_name == _ASSUME_ROLE:
        return _credentials_error(error.operation_name, f"{code}: {detail}", codes)
    if codes & _DENIED:
        return AccessDeniedError(permission(action), detail or code)
    if code in _GONE:
        return _GONE[code](f"{action}: {detail}")
    if code == "ResourceNotFound" or (code == "ValidationException" and _NONE.search(detail)):
        return UnknownJobError(detail)
    if code in {"ValidationException", "InvalidParameterException"}:
        return _invalid(action, detail)
    message = f"{action} failed ({code}: {detail}); run again later"
    return RetriableError(message)


def _credentials_error(operation: str, detail: str, codes: set[str | None]) -> CredentialsError:
    """Say whose fault it is: the caller's credentials may be bad where a role is assumed too."""
    if codes & _CREDENTIALS:
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
    """Put what AWS said on one line, cut to a length that can be shown."""
    return visible(" ".join(text.split()))[:_DETAIL_LIMIT]


def no_credentials(detail: str) -> str:
    """Say that there are no credentials, and what to do."""
    return (
        f"no AWS credentials ({detail}): run 'aws configure' or 'aws sso login',"
        " set AWS_PROFILE, or give --profile"
    )

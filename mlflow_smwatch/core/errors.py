"""Every exception of the package, grouped by what the caller does next.

::

    SmwatchError
    ├── UsageError            the request itself is wrong            → exit 2
    ├── StopError             nothing can be done                    → exit 3
    │   ├── CredentialsError  no, wrong or expired AWS credentials
    │   ├── AwsUnreachableError
    │   ├── LimitReachedError the user's own limit on calls or dollars
    │   └── TrackingError     MLflow is absent, refused or not MLflow's
    ├── AccessDeniedError     one AWS operation is not allowed: go without its part
    ├── LogsGoneError         the job's log group or stream does not exist: go without its part
    ├── ObjectGoneError       there is no such object or bucket in S3: go without it
    ├── RetriableError        AWS went on failing after all retries: this job later, others now
    └── JobError              this job cannot be mirrored: go on with the others
        ├── UnknownJobError   AWS does not know the job
        └── InvalidRequestError  AWS does not take the request, now or later
"""

from __future__ import annotations

NOT_THERE = "AWS has no"
"""How it is said of a name that it stands for nothing in one account and Region."""


class SmwatchError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(SmwatchError):
    """The request is wrong: an option, a name or an ARN cannot be understood."""


class StopError(SmwatchError):
    """Nothing can be done until the user mends something outside."""


class CredentialsError(StopError):
    """AWS credentials are missing, wrong or expired."""


class AwsUnreachableError(StopError):
    """No connection to the AWS endpoint."""


class LimitReachedError(StopError):
    """One more AWS call would exceed what the user allows a pass: it was not sent."""


class TrackingError(StopError):
    """MLflow cannot be reached, is refused, or is not MLflow's database."""


class AccessDeniedError(SmwatchError):
    """One AWS operation is not allowed to the caller.

    Parameters
    ----------
    action
        The IAM action that is missing, such as ``sagemaker:Search``.
    detail
        What AWS said.
    """

    def __init__(self, action: str, detail: str) -> None:
        self.action = action
        self.detail = detail
        super().__init__(f"{action} is denied: allow this action to the caller's role ({detail})")


class LogsGoneError(SmwatchError):
    """The job's log group or stream does not exist, or no longer: go without its part."""


class ObjectGoneError(SmwatchError):
    """S3 has no such object or bucket, or no longer: go without it."""


class RetriableError(SmwatchError):
    """AWS went on throttling or failing after all retries."""


class JobError(SmwatchError):
    """One job cannot be mirrored; the others can."""


class UnknownJobError(JobError):
    """AWS does not know a job of that name."""


class InvalidRequestError(JobError):
    """AWS does not take a request as it stands; the same one later would fare no better."""


def reason(error: BaseException) -> str:
    """Say in words why something failed; what is not one of our errors is named as such."""
    if isinstance(error, SmwatchError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}; please report it"

"""One cheap call for each permission: who may not ask is refused, all others are told something.

What is asked for by name does not exist, so that nothing is read. Where a policy allows some names
only, one of the account's own is asked for instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from botocore.config import Config

from mlflow_smwatch.aws import operations as op
from mlflow_smwatch.aws.grants import ANY_OBJECT, Grant
from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.aws.partitions import partition_of
from mlflow_smwatch.aws.permissions import needed
from mlflow_smwatch.aws.probe_requests import (
    NOTHING,
    REQUESTS,
    Names,
    RealNames,
    Request,
    call,
)
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    JobError,
    LogsGoneError,
    ObjectGoneError,
    RetriableError,
    StopError,
)
from mlflow_smwatch.core.findings import BAD, WARN, Finding, failed
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.policy import Place

_ANSWERED = (JobError, LogsGoneError, ObjectGoneError)
_ALLOWED = "allowed"
_WAITING = "ApproximateNumberOfMessages"
_ATTEMPTS = 3
_NO_QUEUE = "check the queue's URL, --region and --profile"


def hasty(aws: Aws) -> Aws:
    """Give the same clients, which soon give up asking."""
    retries: Any = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
    return replace(aws, config=aws.config.merge(Config(retries=retries)))


@dataclass
class Prober:
    """Asks for each permission of one account and Region.

    Attributes
    ----------
    aws
        The clients.
    needs
        What the user wants.
    account
        Twelve digits.
    """

    aws: Aws
    needs: Needs
    account: str

    def __post_init__(self) -> None:
        """Prepare what is asked for."""
        partition = partition_of(self.aws.region)
        place = Place(partition=partition, region=self.aws.region, account=self.account)
        self._nothing = Names(place)
        self._real = RealNames(place, self.aws, self.needs.search)

    def findings(self) -> Iterator[Finding]:
        """Ask for each permission that the user's wishes take.

        Raises
        ------
        StopError
            When AWS is not to be reached any more.
        """
        for grant in needed(self.needs):
            ask = self._asking(grant)
            if ask is not None:
                yield self._finding(grant, ask)

    def _finding(self, grant: Grant, ask: Callable[[], str]) -> Finding:
        try:
            said = ask()
        except AccessDeniedError as error:
            return Finding(
                check=grant.action,
                status=BAD,
                detail=f"denied: {error.detail}",
                fix=f"allow {grant.action} to this caller: 'smwatch policy' prints it, in the"
                f" statement {grant.sid}",
            )
        except StopError:
            raise
        except RetriableError as error:
            found = failed(grant.action, error, WARN)
            is_queue = grant.action.startswith("sqs:")
            return replace(found, status=BAD, fix=_NO_QUEUE) if is_queue else found
        return Finding(check=grant.action, detail=said)

    def _asking(self, grant: Grant) -> Callable[[], str] | None:
        """Choose how to ask; None for what the mirror itself does not call."""
        operation = grant.operation
        service = operation.partition(":")[0]
        others: dict[str, Callable[[Grant], str]] = {
            "logs": self._logs,
            "s3": self._objects,
            "sqs": self._queue,
        }
        if service in others:
            return lambda: others[service](grant)
        if operation == op.LIST_TAGS:
            return lambda: self._ask(operation, self._tags)
        request = REQUESTS.get(operation)
        return None if request is None else lambda: self._ask(operation, request)

    def _ask(self, operation: str, request: Callable[[Names], Request]) -> str:
        """Ask for nothing, and where that is denied for something that there is."""
        nothing = request(self._nothing)
        try:
            self._call(operation, nothing)
        except AccessDeniedError:
            real = self._real_request(request)
            if real is None or real == nothing:
                raise
            self._call(operation, real)
            return "allowed for what there is; denied for a name that nothing has"
        return _ALLOWED

    def _real_request(self, request: Callable[[Names], Request]) -> Request | None:
        """Name things that there are; None where there are none, or none can be had."""
        try:
            return request(self._real)
        except LookupError:
            return None

    def _call(self, operation: str, request: Request) -> None:
        with suppress(*_ANSWERED):
            call(self.aws, operation, request)

    def _tags(self, names: Names) -> Request:
        first = next(kind for word, kind in KINDS.items() if word in self.needs.kinds)
        return {"ResourceArn": names.arn(first)}

    def _logs(self, grant: Grant) -> str:
        """Ask about each log group that is read."""
        for resource in grant.resources(self.needs):
            group = resource.split(":")[2].replace("*", NOTHING)
            request: dict[str, Any] = {"logGroupName": group, "limit": 1}
            if grant.operation == op.GET_LOG_EVENTS:
                request["logStreamName"] = f"{NOTHING}/{NOTHING}"
            self._call(grant.operation, request)
        return _ALLOWED

    def _objects(self, grant: Grant) -> str:
        """Ask for a model of the account: S3 says of a bucket that is not there only that."""
        if ANY_OBJECT not in grant.resources(self.needs) and grant.operation != op.LIST_OBJECTS:
            return "not asked: S3 tells those who may not list that what is not there is denied"
        model = self._model()
        if model is None:
            return "not asked: no training job here has left a model yet"
        request: dict[str, Any] = {"Bucket": model.bucket}
        if grant.operation == op.LIST_OBJECTS:
            request |= {"Prefix": model.key, "MaxKeys": 1}
        else:
            request["Key"] = model.key
        self._call(grant.operation, request)
        return f"{_ALLOWED} in the bucket {model.bucket}"

    def _model(self) -> S3Place | None:
        """Find where a training job has left its model."""
        over = {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Completed"}
        request = {
            "Resource": "TrainingJob",
            "SearchExpression": {"Filters": [over]},
            "MaxResults": 1,
        }
        with suppress(AccessDeniedError, RetriableError, LookupError, *_ANSWERED):
            job = call(self.aws, op.SEARCH, request)["Results"][0]["TrainingJob"]
            return S3Place.parse(job["ModelArtifacts"]["S3ModelArtifacts"])
        return None

    def _queue(self, grant: Grant) -> str:
        """Ask the queue, and leave its messages alone: to be received counts for each of them."""
        request: dict[str, Any] = {"QueueUrl": self.needs.queue_url}
        entry = {"Id": "nothing", "ReceiptHandle": NOTHING}
        if grant.operation == op.RECEIVE_MESSAGE:
            if self._messages():
                return "not asked: messages wait, and to be received counts for each of them"
            request |= {"MaxNumberOfMessages": 1, "VisibilityTimeout": 0, "WaitTimeSeconds": 0}
        elif grant.operation == op.GET_QUEUE_ATTRIBUTES:
            request["AttributeNames"] = [_WAITING]
        elif grant.operation == op.DELETE_MESSAGES:
            request["Entries"] = [entry]
        else:
            request["Entries"] = [{**entry, "VisibilityTimeout": 0}]
        self._call(grant.operation, request)
        return _ALLOWED

    def _messages(self) -> int:
        """Tell how many messages wait; one where that is not told."""
        request = {"QueueUrl": self.needs.queue_url, "AttributeNames": [_WAITING]}
        with suppress(AccessDeniedError, RetriableError, *_ANSWERED):
            answer = call(self.aws, op.GET_QUEUE_ATTRIBUTES, request)
            return int(answer.get("Attributes", {}).get(_WAITING, 0))
        return 1

"""An SQS queue of job events: messages are received, held while a job is written, and deleted.

Standard and FIFO queues. A message that is not deleted becomes visible again by itself, and goes to
the dead-letter queue after as many times as the queue's redrive policy says ("Amazon SQS visibility
timeout", "Amazon SQS dead-letter queues").
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from mlflow_smwatch.aws.operations import (
    CHANGE_VISIBILITY,
    DELETE_MESSAGES,
    GET_QUEUE_ATTRIBUTES,
    RECEIVE_MESSAGE,
)
from mlflow_smwatch.aws.session import Aws, aws_errors
from mlflow_smwatch.core.errors import AccessDeniedError, SmwatchError, StopError

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 20
"""The longest long poll ("ReceiveMessage")."""

_BATCH = 10
_DEFAULT_VISIBILITY_S = 30
_GLANCE_S = 0.5
_JOIN_S = 1.0
_NO_QUEUE = frozenset(
    {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message that was received.

    Attributes
    ----------
    id
        The same each time that the message is received.
    receipt
        Handle of this one receipt.
    body
        What was sent.
    """

    id: str
    receipt: str
    body: str


class JobQueue:
    """One queue, in the Region of the clients.

    Parameters
    ----------
    aws
        The clients.
    url
        The queue's URL, as ``GetQueueUrl`` answers it.
    """

    def __init__(self, aws: Aws, url: str) -> None:
        self.url = url
        self._aws = aws

    @cached_property
    def visibility_s(self) -> int:
        """For how long a message is kept from others, seconds (``GetQueueAttributes``, one call).

        30 where that may not be asked, or where the queue keeps nothing from others.
        """
        wanted = ["VisibilityTimeout"]
        try:
            with self._errors(GET_QUEUE_ATTRIBUTES):
                answer = self._aws.sqs.get_queue_attributes(
                    QueueUrl=self.url, AttributeNames=wanted
                )
        except AccessDeniedError as error:
            logger.warning("messages are kept for %d s: %s", _DEFAULT_VISIBILITY_S, error)
            return _DEFAULT_VISIBILITY_S
        return int(answer.get("Attributes", {}).get(wanted[0], 0)) or _DEFAULT_VISIBILITY_S

    def receive(self, wait_s: int) -> tuple[QueueMessage, ...]:
        """Receive up to ten messages (``ReceiveMessage``).

        Parameters
        ----------
        wait_s
            For how long to wait for the first one, whole seconds, 20 at most.

        Returns
        -------
        tuple of QueueMessage
            Empty where none came.

        Raises
        ------
        StopError
            There is no such queue, or it may not be read.
        RetriableError
            Anything else, after all retries.
        """
        request = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": _BATCH,
            "WaitTimeSeconds": min(LONGEST_WAIT_S, wait_s),
            "VisibilityTimeout": self.visibility_s,
        }
        try:
            with self._errors(RECEIVE_MESSAGE):
                answer = self._aws.sqs.receive_message(**request)
        except AccessDeniedError as error:
            raise StopError(str(error)) from error
        return tuple(
            QueueMessage(id=each["MessageId"], receipt=each["ReceiptHandle"], body=each["Body"])
            for each in answer.get("Messages", ())
        )

    def poll(self, wait_s: int, stopped: threading.Event) -> tuple[QueueMessage, ...]:
        """Receive as :meth:`receive` does, but give up soon after ``stopped`` is set.

        A thread waits for the answer. Messages in an answer that nobody waits for any more are
        given back to the queue.

        Parameters
        ----------
        wait_s
            Whole seconds, 20 at most.
        stopped
            Looked at twice a second.

        Raises
        ------
        StopError, RetriableError
            As with :meth:`receive`.
        """
        answer: Future[tuple[QueueMessage, ...]] = Future()
        arguments = (answer, wait_s)
        threading.Thread(
            target=self._answer, args=arguments, name="smwatch-poll", daemon=True
        ).start()
        while not (stopped.is_set() and answer.cancel()):
            if wait([answer], timeout=_GLANCE_S).done:
                return answer.result()
        return ()

    def keep(self, messages: Sequence[QueueMessage]) -> tuple[QueueMessage, ...]:
        """Keep messages from others for another while (``ChangeMessageVisibilityBatch``).

        Returns
        -------
        tuple of QueueMessage
            Those that are kept; the others are logged. AWS keeps none for more than twelve hours.
        """
        failed = self._change_visibility(messages, self.visibility_s)
        for message, why in failed.items():
            logger.warning("message %s is not kept from others any more: %s", message.id, why)
        return tuple(message for message in messages if message not in failed)

    def release(self, messages: Sequence[QueueMessage]) -> None:
        """Give messages back at once, to whoever receives next; what fails comes back later."""
        try:
            self._change_visibility(messages, 0)
        except SmwatchError as error:
            logger.debug("messages come back only after %d s: %s", self.visibility_s, error)

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages (``DeleteMessageBatch``).

        One that cannot be deleted is tried once more and then logged. It comes again, which does
        no harm: a job that is mirrored already is found so.

        Raises
        ------
        StopError, AccessDeniedError, RetriableError
            When nothing could be deleted.
        """
        failed = self._delete(messages)
        failed = self._delete(tuple(failed)) if failed else failed
        for message, why in failed.items():
            logger.warning("message %s is not deleted and comes again: %s", message.id, why)

    @contextmanager
    def held(self, messages: Sequence[QueueMessage]) -> Iterator[None]:
        """Keep messages from others inside the block, however long that takes."""
        done = threading.Event()
        arguments = (done, tuple(messages))
        keeper = threading.Thread(
            target=self._keep_until, args=arguments, name="smwatch-hold", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join(_JOIN_S)

    def _keep_until(self, done: threading.Event, messages: tuple[QueueMessage, ...]) -> None:
        """Extend thrice in each visibility time, so that one failure costs nothing."""
        while messages and not done.wait(self.visibility_s / 3):
            try:
                messages = self.keep(messages)
            except SmwatchError as error:
                logger.warning("messages may come to others as well: %s", error)

    def _answer(self, answer: Future[tuple[QueueMessage, ...]], wait_s: int) -> None:
        try:
            messages = self.receive(wait_s)
        except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
            return
        if answer.set_running_or_notify_cancel():
            answer.set_result(messages)
        elif messages:
            self.release(messages)

    def _delete(self, messages: Sequence[QueueMessage]) -> dict[QueueMessage, str]:
        return self._send(DELETE_MESSAGES, self._aws.sqs.delete_message_batch, messages)

    def _change_visibility(
        self, messages: Sequence[QueueMessage], seconds: int
    ) -> dict[QueueMessage, str]:
        call = self._aws.sqs.change_message_visibility_batch
        return self._send(CHANGE_VISIBILITY, call, messages, VisibilityTimeout=seconds)

    def _send(
        self,
        action: str,
        call: Callable[..., Any],
        messages: Sequence[QueueMessage],
        **more: int,
    ) -> dict[QueueMessage, str]:
        """Call a batch operation; give the entries that failed, and why.

        A batch's answer is HTTP 200 also where entries failed ("DeleteMessageBatch").
        """
        failed: dict[QueueMessage, str] = {}
        for begin in range(0, len(messages), _BATCH):
            batch = messages[begin : begin + _BATCH]
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt, **more}
                for number, message in enumerate(batch)
            ]
            with self._errors(action):
                answer = call(QueueUrl=self.url, Entries=entries)
            for each in answer.get("Failed", ()):
                failed[batch[int(each["Id"])]] = f"{each['Code']} {each.get('Message', '')}".strip()
        return failed

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        with aws_errors(action):
            try:
                yield
            except ClientError as error:
                why = error.response["Error"]
                if _NO_QUEUE.isdisjoint({why.get("Code"), why.get("QueryErrorCode")}):
                    raise
                message = (
                    f"there is no queue {self.url} in {self._aws.region}: check the URL,"
                    " --region and --profile"
                )
                raise StopError(message) from error

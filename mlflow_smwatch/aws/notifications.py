"""Messages to topics of SNS: the one thing that a watch writes into AWS, where a topic is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mlflow_smwatch.aws.operations import PUBLISH
from mlflow_smwatch.aws.session import Aws, aws_errors

_SUBJECT_LIMIT = 100
_GROUP = "smwatch"


def publish(aws: Aws, topic_arn: str, subject: str, message: str) -> None:
    """Send a message to all who subscribe to a topic (``Publish``).

    Parameters
    ----------
    aws
        Clients of the topic's Region.
    topic_arn
        Its ARN; that of a FIFO topic ends with ``.fifo``.
    subject
        One line; AWS takes 100 characters of ASCII ("Publish", Subject).
    message
        Text.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    subject = subject.encode("ascii", "replace").decode()[:_SUBJECT_LIMIT]
    with aws_errors(PUBLISH):
        aws.client("sns").publish(
            TopicArn=topic_arn, Subject=subject, Message=message, **_fifo(topic_arn, message)
        )


def _fifo(topic_arn: str, message: str) -> Mapping[str, str]:
    """Say what a FIFO topic asks for: a message that is sent again within minutes counts once."""
    if not topic_arn.endswith(".fifo"):
        return {}
    digest = hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
    return {"MessageGroupId": _GROUP, "MessageDeduplicationId": digest}

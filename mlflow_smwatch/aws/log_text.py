"""A log stream as text: the whole stream into a file, or its end for reading.

The file is what the job wrote, one event after the other, colours and other control characters
included. In the end that is for reading these are left out, and each line begins with the time of
its event: ``2026-01-31T12:00:00.123Z message``; an event of several lines gives several, all with
its time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Any

from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS, GET_LOG_EVENTS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.keys import legal_value
from mlflow_smwatch.core.log_streams import START
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.visible import visible

TAIL_LINES = 1_000

_STREAMS_PER_PAGE = 50
_EMPTY_PAGES = 20
_HOUR_MS = 3_600_000
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, moves of the cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # commands to the terminal, such as titles and links
    r"|\x1b[@-Z\\^_]"
)
_LINE_ENDS = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a stream.

    Attributes
    ----------
    lines
        In the order of the stream, each with its time, without line ends; only what can be shown.
    found
        Whether the end was found: not where CloudWatch gives one empty page after the other.
    """

    lines: tuple[str, ...]
    found: bool = True


def stream_names(aws: Aws, group: str, prefix: str, since_ms: int) -> list[str]:
    """List the names of streams (``DescribeLogStreams``, 50 a call), in order.

    Parameters
    ----------
    aws
        Account and Region.
    group
        Name of the log group.
    prefix
        How the names begin; empty for all.
    since_ms
        When the job was created: a stream whose last event is an hour older is that of an earlier
        job of the same name.

    Raises
    ------
    LogsGoneError
        The group does not exist.
    AccessDeniedError, RetriableError, StopError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    request: dict[str, Any] = {"logGroupName": group, "limit": _STREAMS_PER_PAGE}
    if prefix:
        request["logStreamNamePrefix"] = prefix
    names: list[str] = []
    describe = aws.logs.describe_log_streams
    for answer in answers(DESCRIBE_LOG_STREAMS, describe, request, "logStreams", "nextToken"):
        names += [
            str(each["logStreamName"])
            for each in answer["logStreams"]
            if each.get("lastEventTimestamp", since_ms) > since_ms - _HOUR_MS
        ]
    return names


def write_stream(aws: Aws, group: str, stream: str, file: IO[bytes], until_ms: int) -> None:
    """Write a whole stream as UTF-8 text, in constant memory.

    Parameters
    ----------
    aws
        Account and Region.
    group, stream
        Names of the log group and of the stream; the stream's has a slash.
    file
        Where to.
    until_ms
        The present moment: a stream that is being written has no other end.

    Raises
    ------
    LogsGoneError
        The group or the stream does not exist, or no longer.
    AccessDeniedError, RetriableError, StopError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    job, _, rest = stream.partition("/")
    for page in LogReader(aws).read(group, job, rest, START, until_ms):
        file.write("".join(map(_line, page.messages)).encode())


def read_tail(aws: Aws, group: str, stream: str, lines: int = TAIL_LINES) -> Tail:
    """Read the end of a stream (``GetLogEvents``, one call; more only past empty pages).

    Parameters
    ----------
    aws
        Account and Region.
    group, stream
        Names of the log group and of the stream.
    lines
        Most lines; AWS gives no more than 1 MB.

    Raises
    ------
    LogsGoneError
        The group or the stream does not exist, or no longer.
    AccessDeniedError, RetriableError, StopError
        As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
    """
    request: dict[str, Any] = {
        "logGroupName": group,
        "logStreamName": stream,
        "startFromHead": False,
        "limit": lines,
    }
    keys = ("events", "nextBackwardToken")
    for _ in range(_EMPTY_PAGES):
        answer = ask(GET_LOG_EVENTS, aws.logs.get_log_events, request, *keys)
        found = bool(answer["events"]) or answer["nextBackwardToken"] == request.get("nextToken")
        if found:
            break
        request["nextToken"] = answer["nextBackwardToken"]
    shown = [
        f"{iso_utc(event['timestamp'])} {line}"
        for event in answer["events"]
        for line in readable_lines(event["message"])
    ]
    return Tail(tuple(shown[-lines:]), found)


def readable_lines(message: str) -> list[str]:
    r"""Cut a message at ``\\n`` and ``\\r``, and leave out what does not show.

    Returns
    -------
    list of str
        Its lines that are not blank; one blank line where none is left.
    """
    text = _ESCAPES.sub("", message).replace("\b", "")
    lines = [visible(line.expandtabs()) for line in _LINE_ENDS.split(text)]
    return [line for line in lines if line.strip()] or [""]


def _line(message: str) -> str:
    """Give a message as UTF-8 can hold it, with one line end."""
    return legal_value(message, len(message)).removesuffix("\n").removesuffix("\r") + "\n"

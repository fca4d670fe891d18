"""SQS's long polls, as many short ones: moto would answer nobody else in the meantime."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from mlflow_smwatch.demo.wire import Call, HttpRequest, Reply

RECEIVE = "sqs:ReceiveMessage"
POLL_S = 0.05


def receive(
    forward: Callable[[Call, HttpRequest], Reply],
    call: Call,
    request: HttpRequest,
    is_served: Callable[[], bool],
) -> Reply:
    """Answer ``ReceiveMessage`` with the first messages that come within its waiting time.

    Parameters
    ----------
    forward
        Lets moto answer.
    call, request
        What is asked. Without a waiting time in it moto does what the queue's attribute says.
    is_served
        Whether the account still is: nobody waits for an answer beyond that.
    """
    wait_s = call.parameters.get("WaitTimeSeconds")
    if not isinstance(wait_s, int) or call.protocol != "json":
        return forward(call, request)
    body = json.dumps({**call.parameters, "WaitTimeSeconds": 0}).encode()
    short = replace(request, body=body)
    end = time.monotonic() + wait_s
    while True:
        reply = forward(call, short)
        answered = reply.status != HTTPStatus.OK or b'"MessageId"' in reply.body
        if answered or time.monotonic() >= end or not is_served():
            return reply
        time.sleep(POLL_S)

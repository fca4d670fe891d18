"""Takes log events out of an answer as JSON gives them, past botocore's parser.

botocore walks through every event of ``GetLogEvents`` by its service model, which costs several
times what ``json`` takes and changes nothing: an event is two numbers and a text.
"""

from __future__ import annotations

import json
from typing import Any

_OK = 200


def register(client: Any) -> None:
    """Let a ``logs`` client give events without parsing them one by one."""
    client.meta.events.register("before-parse.cloudwatch-logs.GetLogEvents", _take_events)


def _take_events(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Move the events of a whole answer to where botocore adds them to what it has parsed."""
    if response_dict["status_code"] != _OK:
        return
    try:
        answer = json.loads(response_dict["body"])
    except ValueError:  # cut off: botocore and its caller deal with it
        return
    if isinstance(answer, dict) and isinstance(answer.get("events"), list):
        customized_response_dict["events"] = answer.pop("events")
        response_dict["body"] = json.dumps(answer).encode()

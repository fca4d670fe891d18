"""Calls whose answers are checked as they come over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.demo.conftest import Clients


def call(clients: Clients, operation: str, **parameters: Any) -> dict[str, Any]:
    """Carry an operation out; what comes over the wire must be as botocore's model says."""
    client = clients.sagemaker
    bodies: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    event = f"before-parse.sagemaker.{operation}"
    client.meta.events.register(event, keep)
    try:
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
    finally:
        client.meta.events.unregister(event, keep)
    shape = client.meta.service_model.operation_model(operation).output_shape
    if shape:
        report = ParamValidator().validate(json.loads(bodies[0]), shape)
        assert not report.has_errors(), report.generate_report()
    answer.pop("ResponseMetadata")
    return answer


def code_of(clients: Clients, operation: str, **parameters: Any) -> str:
    """Give the code of the error that an operation must end in."""
    with pytest.raises(ClientError) as caught:
        call(clients, operation, **parameters)
    code: str = caught.value.response["Error"]["Code"]
    return code

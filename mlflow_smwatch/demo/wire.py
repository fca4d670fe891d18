"""The protocols that AWS clients speak: HTTP requests to named operations, answers to bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from moto.core.parse import QueryParser
from moto.core.serialize import QuerySerializer
from werkzeug.datastructures import Headers, MultiDict

from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.validation import Answer, Parameters, service_model

TARGETS = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
    "AWSPriceListService": "pricing",
}
SIGNING_NAMES = {"monitoring": "cloudwatch"}
REST_METRICS = {"/BatchGetMetrics", "/BatchPutMetrics"}
QUERY_COMPATIBLE = {
    "AccessDeniedException": "AccessDenied",
    "ThrottlingException": "Throttling",
    "ExpiredTokenException": "ExpiredToken",
    "ValidationException": "ValidationError",
}
CLOUDWATCH_SHAPES = {
    "InvalidParameterValue": "InvalidParameterValueException",
    "InvalidParameterCombination": "InvalidParameterCombinationException",
    "MissingParameter": "MissingRequiredParameterException",
    "ValidationError": "ValidationException",
    "AccessDenied": "AccessDeniedException",
    "Throttling": "ThrottlingException",
    "ExpiredToken": "ExpiredTokenException",
}
S3_OPERATIONS = {
    ("GET", "service"): "ListBuckets",
    ("PUT", "bucket"): "CreateBucket",
    ("GET", "bucket"): "ListObjectsV2",
    ("HEAD", "bucket"): "HeadBucket",
    ("DELETE", "bucket"): "DeleteBucket",
    ("PUT", "object"): "PutObject",
    ("GET", "object"): "GetObject",
    ("HEAD", "object"): "HeadObject",
    ("DELETE", "object"): "DeleteObject",
}
SCOPE_PARTS = 5
REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request, read to its end.

    Attributes
    ----------
    method, path, query
        Of the request line; the path is still quoted.
    headers
        Keys in lower case.
    body
        Bytes as sent.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, understood.

    Attributes
    ----------
    service, operation
        As IAM names them.
    protocol
        ``json``, ``query`` or ``rest``.
    region
        From the signature.
    parameters
        Parsed, but not checked.
    """

    service: str
    operation: str
    protocol: str
    region: str
    parameters: Parameters

    @property
    def name(self) -> str:
        """Give the name, as in ``sagemaker:Search``."""
        return f"{self.service}:{self.operation}"


def read_call(request: HttpRequest, default_region: str) -> Call:
    """Find out what a request asks for."""
    region, signing_name = _signed_for(request.headers.get("authorization", ""))
    region = region or default_region
    target = request.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.rpartition(".")
        return Call(
            service=TARGETS.get(prefix, signing_name),
            operation=operation,
            protocol="json",
            region=region,
            parameters=_json_object(body_of(request)),
        )
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body_of(request).decode(), keep_blank_values=True))
        service = SIGNING_NAMES.get(signing_name, signing_name)
        operation = form.pop("Action", "Unknown")
        return Call(
            service=service, operation=operation, protocol="query", region=region, parameters=form
        )
    return _rest_call(request, region, signing_name)


def access_key_of(request: HttpRequest) -> str:
    """Read out of a signature by whose key it was made; empty where nothing is signed."""
    _, _, scope = request.headers.get("authorization", "").partition("Credential=")
    return scope.partition("/")[0]


def body_of(request: HttpRequest) -> bytes:
    """Give the body, unpacked if it was compressed."""
    if request.headers.get("content-encoding") == "gzip":
        return gzip.decompress(request.body)
    return request.body


def _signed_for(authorization: str) -> tuple[str, str]:
    """Read Region and service out of a signature's credential scope."""
    _, _, scope = authorization.partition("Credential=")
    parts = scope.split(",")[0].split("/")
    return (parts[2], parts[3]) if len(parts) == SCOPE_PARTS else ("", "s3")


def _json_object(body: bytes) -> Parameters:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _rest_call(request: HttpRequest, region: str, signing_name: str) -> Call:
    query: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
    if request.path in REST_METRICS:
        return Call(
            service="sagemaker-metrics",
            operation=request.path.strip("/"),
            protocol="rest",
            region=region,
            parameters=_json_object(body_of(request)),
        )
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    level = "object" if key else "bucket" if bucket else "service"
    operation = S3_OPERATIONS.get((request.method, level), request.method)
    named = {k: v for k, v in (("Bucket", bucket), ("Key", key)) if v}
    return Call(
        service=signing_name,
        operation=operation,
        protocol="rest",
        region=region,
        parameters={**named, **query},
    )


def query_parameters(call: Call) -> Parameters:
    """Parse the form of a query request by botocore's model."""
    model = service_model(call.service).operation_model(call.operation)
    parsed: Parameters = QueryParser(model).parse(
        {
            "body": "",
            "headers": Headers(),
            "method": "POST",
            "url_params": {},
            "url_path": "/",
            "values": MultiDict(call.parameters),
        }
    )
    return parsed


def answer_reply(call: Call, answer: Answer) -> Reply:
    """Put an answer into the form of its protocol; times in it are seconds."""
    if call.protocol == "query":
        model = service_model(call.service).operation_model(call.operation)
        body = str(QuerySerializer(model).serialize(answer)["body"])
        return _reply(200, "text/xml", body)
    return _reply(200, _json_type(call), json.dumps(answer))


def error_reply(call: Call, error: AwsError) -> Reply:
    """Put an error into the form of its service."""
    if call.service == "s3":
        body = _xml("Error", error.code, error.message, f"<RequestId>{REQUEST_ID}</RequestId>")
        return _reply(
            error.status if error.code != "AccessDenied" else 403, "application/xml", body
        )
    if call.protocol == "query":
        kind = (
            "<Type>Sender</Type>"
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            else "<Type>Receiver</Type>"
        )
        inner = _xml("Error", error.code, error.message, kind)
        body = f"<ErrorResponse>{inner}<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        return _reply(error.status, "text/xml", body)
    if call.service == "cloudwatch":
        return _query_compatible_error(call, error)
    text = json.dumps({"__type": error.code, "message": error.message})
    return _reply(error.status, _json_type(call), text, ("x-amzn-ErrorType", error.code))


def service_error(call: Call, error: AwsError) -> AwsError:
    """Rename a general error as the service spells it (S3, STS and CloudWatch: no Exception)."""
    is_legacy = call.service in {"s3", "cloudwatch"} or call.protocol == "query"
    code = QUERY_COMPATIBLE.get(error.code, error.code) if is_legacy else error.code
    is_denied = code == "AccessDenied" and call.protocol != "json"
    return AwsError(code, error.message, 403 if is_denied else error.status)


def _query_compatible_error(call: Call, error: AwsError) -> Reply:
    """Answer as CloudWatch does in JSON: the old code goes into a header."""
    shape = CLOUDWATCH_SHAPES.get(error.code, error.code)
    full = f"com.amazonaws.cloudwatch.v2010_08_01#{shape}"
    fault = "Sender" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    text = json.dumps({"__type": full, "message": error.message})
    legacy = ("x-amzn-query-error", f"{error.code};{fault}")
    return _reply(error.status, _json_type(call), text, legacy)


def _json_type(call: Call) -> str:
    version = "1.0" if call.service in {"cloudwatch", "sqs"} else "1.1"
    return f"application/x-amz-json-{version}"


def _xml(element: str, code: str, message: str, more: str) -> str:
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    return f"<{element}>{more}{inner}</{element}>"


def _reply(status: int, content_type: str, body: str, *headers: tuple[str, str]) -> Reply:
    fixed = (("Content-Type", content_type), ("x-amzn-RequestId", REQUEST_ID))
    return Reply(status=status, headers=(*fixed, *headers), body=body.encode())

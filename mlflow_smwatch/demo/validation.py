"""Checks request parameters against botocore's service models, as AWS does before anything else.

Parsed JSON goes in; the same values, timestamps turned into aware datetimes, come out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import cache
from typing import Any, TypeAlias

import re2
from botocore.model import Shape
from moto.core.model import ServiceModel
from moto.core.utils import get_service_model

from mlflow_smwatch.demo.errors import refuse

Json: TypeAlias = Any
Parameters: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]

VALIDATION_CODES = {
    "sagemaker": "ValidationException",
    "sagemaker-metrics": "ValidationException",
    "logs": "InvalidParameterException",
    "cloudwatch": "ValidationError",
    "pricing": "InvalidParameterException",
}
INTEGERS = {"integer", "long"}
NUMBERS = {"integer", "long", "float", "double"}
SIZED = {"string", "list", "map"}
TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
}


@cache
def service_model(service: str) -> ServiceModel:
    """Load botocore's model of a service, by botocore's name of it."""
    model: ServiceModel = get_service_model(service)
    return model


def check_parameters(service: str, operation: str, parameters: Parameters) -> Parameters:
    """Check the parameters of one request.

    Parameters
    ----------
    service, operation
        Names as in ``logs:GetLogEvents``.
    parameters
        The request's JSON object. Unknown keys are dropped, as AWS ignores them.

    Returns
    -------
    dict
        The same with timestamps as aware datetimes.

    Raises
    ------
    AwsError
        A value has the wrong type, or breaks a constraint of the model.
    """
    shape = service_model(service).operation_model(operation).input_shape
    check = _Check(VALIDATION_CODES[service])
    checked: Parameters = check.value(shape, parameters, "") if shape else {}
    check.finish()
    return checked


class _Check:
    """One walk through the parameters, collecting what is wrong."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.errors: list[str] = []

    def finish(self) -> None:
        if not self.errors:
            return
        plural = "" if len(self.errors) == 1 else "s"
        text = f"{len(self.errors)} validation error{plural} detected: {'; '.join(self.errors)}"
        refuse(self.code, text)

    def value(self, shape: Shape, value: Json, path: str) -> Json:
        kind = shape.type_name
        if kind == "timestamp":
            return _timestamp(value)
        if kind in {"float", "double"}:
            return _number(value)
        expected = TYPES.get(kind)
        if expected and (not isinstance(value, expected) or _is_wrong_bool(kind, value)):
            refuse("SerializationException", f"{path or 'request'}: not a {kind}")
        if shape.metadata:
            self._constraints(shape, value, path)
        walk = _WALKS.get(kind)
        return walk(self, shape, value, path) if walk else value

    def _constraints(self, shape: Shape, value: Json, path: str) -> None:
        for problem in _problems(shape, value):
            shown = "" if isinstance(value, (list, dict)) else f"'{value}' "
            self.errors.append(f"Value {shown}at '{path}' failed to satisfy constraint: {problem}")

    def structure(self, shape: Json, value: Parameters, path: str) -> Parameters:
        for name in shape.required_members:
            if value.get(name) is None:
                self.errors.append(
                    f"Value null at '{_join(path, name)}' failed to satisfy constraint: "
                    "Member must not be null"
                )
        members = shape.members
        return {
            name: self.value(members[name], item, _join(path, name))
            for name, item in value.items()
            if name in members and item is not None
        }

    def list(self, shape: Json, value: list[Any], path: str) -> list[Any]:
        member = shape.member
        return [
            self.value(member, item, f"{path}.{i}.member") for i, item in enumerate(value, start=1)
        ]

    def map(self, shape: Json, value: Parameters, path: str) -> Parameters:
        for key in value:
            self.value(shape.key, key, f"{path}.key")
        return {k: self.value(shape.value, item, f"{path}.{k}") for k, item in value.items()}


_WALKS: dict[str, Callable[[_Check, Any, Any, str], Any]] = {
    "structure": _Check.structure,
    "list": _Check.list,
    "map": _Check.map,
}


def _join(path: str, name: str) -> str:
    first = name[:1].lower() + name[1:]
    return f"{path}.{first}" if path else first


def _is_wrong_bool(kind: str, value: object) -> bool:
    return kind in INTEGERS and isinstance(value, bool)


def _problems(shape: Shape, value: Json) -> Iterator[str]:
    limits = shape.metadata
    kind = shape.type_name
    if kind in SIZED:
        yield from _range_problems(limits, len(value), "length")
    elif kind in NUMBERS:
        yield from _range_problems(limits, value, "value")
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and kind == "string" and not _pattern(limits["pattern"])(value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"


def _range_problems(limits: dict[str, Any], size: float, what: str) -> Iterator[str]:
    if "min" in limits and size < limits["min"]:
        yield f"Member must have {what} greater than or equal to {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"Member must have {what} less than or equal to {limits['max']}"


@cache
def _pattern(pattern: str) -> Callable[[str], object]:
    r"""Compile a Java pattern of the model; the second engine knows ``\p{L}``."""
    try:
        return re.compile(pattern, re.DOTALL).fullmatch
    except re.error:
        match: Callable[[str], object] = re2.compile(pattern).fullmatch
        return match


def _timestamp(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    try:
        if isinstance(value, str):
            return _timestamp(datetime.fromisoformat(value.replace("Z", "+00:00")))
        return datetime.fromtimestamp(_number(value), tz=timezone.utc)
    except (ValueError, OverflowError):
        refuse("SerializationException", f"not a timestamp: {value!r}")


def _number(value: object) -> float:
    """Take a number, or one of the words that JSON has no literal for."""
    if isinstance(value, str) and value in {"NaN", "Infinity", "-Infinity"}:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse("SerializationException", f"not a number: {value!r}")
    return float(value)

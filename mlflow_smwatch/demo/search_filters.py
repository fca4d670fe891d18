"""Search's conditions: property names, their types, and which operators each type knows.

Source: SageMaker API reference, Search, SearchExpression, Filter, NestedFilters.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NoReturn

from botocore.model import Shape

from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
TEXT_ONLY = {"Contains", "In"}
NUMBERS = {"integer", "long", "float", "double"}
KINDS = {"string": "text", "boolean": "boolean", "timestamp": "timestamp"}
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z?")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
ELEMENTS = 50
MANY_CONTAINS = {
    "Experiment": {"DisplayName", "ExperimentName", "Tags"},
    "ExperimentTrial": {"DisplayName", "TrialName", "Tags"},
    "ExperimentTrialComponent": {
        "DisplayName",
        "TrialComponentName",
        "Tags",
        "InputArtifacts",
        "OutputArtifacts",
    },
}


def refuse_search(message: str) -> NoReturn:
    """Raise Search's error."""
    refuse("ValidationException", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property name that was looked up in the record's shape.

    Attributes
    ----------
    name
        As given.
    kind
        ``text``, ``number``, ``boolean``, ``timestamp``, ``either`` (a hyperparameter: text that
        may be compared as a number) or ``structure`` (only its existence can be asked).
    path
        The keys from the record down.
    """

    name: str
    kind: str
    path: tuple[str, ...]

    def values(self, record: Answer) -> list[Json]:
        """Give all values in a record; several where a list lies on the path."""
        match self.path:
            case ("Tags", key):
                return [tag["Value"] for tag in record.get("Tags", ()) if tag["Key"] == key]
            case ("Metrics", name):
                return list(_metric_values(record, name))
        return list(_values(record, self.path))


def find_property(shape: Shape, name: str) -> Property:
    """Look a property name up.

    Parameters
    ----------
    shape
        Of the record, from botocore's model.
    name
        Such as ``TrainingJobName``, ``HyperParameters.lr``, ``Tags.team``, ``Metrics.loss`` or
        ``InputDataConfig.DataSource.S3DataSource.S3Uri``.

    Raises
    ------
    AwsError
        The record has no such property.
    """
    head, _, rest = name.partition(".")
    if rest and head == "Tags":
        return Property(name=name, kind="text", path=(head, rest))
    if rest and head == "Metrics":
        return Property(name=name, kind="number", path=(head, rest))
    path: list[str] = []
    here: Json = shape
    left = name
    while left:
        here = _item_of(here)
        if here.type_name == "map":
            path.append(left)
            kind = "either" if here.value.type_name == "string" else _kind(here.value)
            return Property(name=name, kind=kind, path=tuple(path))
        part, _, left = left.partition(".")
        if here.type_name != "structure" or part not in here.members:
            refuse_search(f"Unknown property name: {name}")
        path.append(part)
        here = here.members[part]
    return Property(name=name, kind=_kind(_item_of(here)), path=tuple(path))


def _item_of(shape: Json) -> Json:
    while shape.type_name == "list":
        shape = shape.member
    return shape


def _kind(shape: Shape) -> str:
    if shape.type_name in NUMBERS:
        return "number"
    return KINDS.get(shape.type_name, "structure")


def _values(value: Json, path: tuple[str, ...]) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _metric_values(record: Answer, name: str) -> Iterator[Json]:
    for metric in record.get("FinalMetricDataList", ()):
        if metric["MetricName"] == name:
            yield metric["Value"]
    for metric in record.get("Metrics", ()):
        if metric["MetricName"] == name and "Last" in metric:
            yield metric["Last"]


class Condition:
    """A search expression, checked and ready to be asked about records.

    Parameters
    ----------
    resource
        Search's Resource.
    shape
        Of its record.
    expression
        Search's SearchExpression; None matches everything.

    Raises
    ------
    AwsError
        A limit is crossed, or an operator does not fit its property.
    """

    def __init__(self, resource: str, shape: Shape, expression: Parameters | None) -> None:
        self._resource = resource
        self._shape = shape
        self._contains = 0
        self._elements = 0
        self.matches: Callable[[Answer], bool] = (
            (lambda _record: True) if expression is None else self._expression(expression)
        )
        if self._elements > ELEMENTS:
            refuse_search(
                f"The search expression has {self._elements} filters, nested filters and "
                f"subexpressions; the limit is {ELEMENTS}."
            )
        if self._contains > 1:
            refuse_search("'CONTAINS' operator usage limit of 1 exceeded.")

    def _expression(self, expression: Parameters) -> Callable[[Answer], bool]:
        parts = [
            *(self._filter(one) for one in expression.get("Filters", ())),
            *(self._nested(one) for one in expression.get("NestedFilters", ())),
            *(self._subexpression(one) for one in expression.get("SubExpressions", ())),
        ]
        if not parts:
            refuse_search("At least one subexpression, filter, or nested filter is required.")
        combine = any if expression.get("Operator") == "Or" else all
        return lambda record: combine(part(record) for part in parts)

    def _subexpression(self, expression: Parameters) -> Callable[[Answer], bool]:
        self._elements += 1
        return self._expression(expression)

    def _nested(self, nested: Parameters) -> Callable[[Answer], bool]:
        """One object of the list must satisfy all filters."""
        self._elements += 1
        prefix = nested["NestedPropertyName"]
        outer = find_property(self._shape, prefix)
        tests = [self._nested_filter(one, outer) for one in nested["Filters"]]
        return lambda record: any(
            all(test(item) for test in tests) for item in outer.values(record)
        )

    def _nested_filter(self, one: Parameters, outer: Property) -> Callable[[Json], bool]:
        name = one["Name"]
        if not name.startswith(f"{outer.name}."):
            refuse_search(f"{name} is not a property of {outer.name}.")
        found, test = self._test(one)
        inner = found.path[len(outer.path) :]
        return lambda item: test(list(_values(item, inner)))

    def _filter(self, one: Parameters) -> Callable[[Answer], bool]:
        found, test = self._test(one)
        return lambda record: test(found.values(record))

    def _test(self, one: Parameters) -> tuple[Property, Callable[[list[Json]], bool]]:
        self._elements += 1
        found = find_property(self._shape, one["Name"])
        name = one.get("Operator", "Equals")
        if name == "Contains" and found.path[0] not in MANY_CONTAINS.get(self._resource, ()):
            self._contains += 1
        return found, value_test(found, name, one.get("Value"))


def value_test(
    found: Property, operator_name: str, value: str | None
) -> Callable[[list[Json]], bool]:
    """Make the test that an operator applies to a property's values.

    Parameters
    ----------
    found
        The property.
    operator_name
        Search's Operator.
    value
        Search's Value, always text.

    Raises
    ------
    AwsError
        The operator or the value does not fit the property's type.
    """
    if operator_name in {"Exists", "NotExists"}:
        return lambda values: bool(values) == (operator_name == "Exists")
    if value is None:
        refuse_search(f"A value is needed for {found.name} with operator {operator_name}.")
    if found.kind == "structure":
        refuse_search(f"{found.name} can be used with Exists and NotExists only.")
    if operator_name in TEXT_ONLY:
        return _text_test(found, operator_name, value)
    if operator_name in ORDERINGS:
        return _ordering_test(found, operator_name, value)
    equal = _equality(found, value)
    return lambda values: any(map(equal, values)) == (operator_name == "Equals")


def _text_test(found: Property, operator_name: str, value: str) -> Callable[[list[Json]], bool]:
    if found.kind not in {"text", "either"}:
        refuse_search(f"{operator_name} is supported for text only, not for {found.name}.")
    if operator_name == "Contains":
        return lambda values: any(value in one for one in values)
    wanted = set(value.split(","))
    return lambda values: any(one in wanted for one in values)


def _ordering_test(found: Property, operator_name: str, value: str) -> Callable[[list[Json]], bool]:
    if found.kind in {"text", "boolean"}:
        refuse_search(f"{operator_name} is not supported for the {found.kind} {found.name}.")
    compare = ORDERINGS[operator_name]
    if found.kind == "timestamp":
        instant = _instant(found, value)
        return lambda values: any(compare(one, instant) for one in values)
    number = _number(found, value)
    if found.kind == "number":
        return lambda values: any(compare(one, number) for one in values)
    return lambda values: any(compare(one, number) for one in _as_numbers(values, value))


def _equality(found: Property, value: str) -> Callable[[Json], bool]:
    wanted: Json = value
    if found.kind == "number":
        wanted = _number(found, value)
    elif found.kind == "timestamp":
        wanted = _instant(found, value)
    elif found.kind == "boolean":
        if value.lower() not in {"true", "false"}:
            refuse_search(f"{found.name} must be compared with true or false, not {value}.")
        wanted = value.lower() == "true"
    return lambda one: bool(one == wanted)


def _number(found: Property, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        message = f"{found.name} must be compared with a number, not {value}."
        refuse_search(message)


def _as_numbers(values: Iterable[Json], wanted: str) -> Iterator[float]:
    """Read hyperparameters as numbers: as integers where the wanted value is one."""
    read = float if re.fullmatch(r"[+-]?\d+", wanted) is None else _integer_part
    for one in values:
        if NUMBER.fullmatch(one):
            yield read(one)


def _integer_part(text: str) -> float:
    return float(int(float(text)))


def _instant(found: Property, value: str) -> float:
    match = TIMESTAMP.fullmatch(value)
    try:
        if match:
            naive = datetime.fromisoformat(match.group(1))
            return naive.replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        pass
    message = f"{found.name} must be compared with YYYY-mm-ddTHH:MM:SS, not {value}."
    refuse_search(message)

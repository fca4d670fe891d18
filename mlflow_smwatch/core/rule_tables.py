"""Tables ``[[rule]]`` of a configuration file → rules; each mistake is one line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_choice import compiled_name
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_key, legal_value
from mlflow_smwatch.core.rules import (
    COMPARISONS,
    UNITS_MS,
    Condition,
    MetricName,
    Rule,
    Silence,
    StatusIn,
    Threshold,
)
from mlflow_smwatch.core.tags import RESOURCE_TAG_PREFIX

SHORTEST_SILENCE_MS = 5 * 60_000
"""CloudWatch's points come minutes late; who expects them earlier is alarmed for ever."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .-]{0,99}")
_SPAN = re.compile(r"(\d+)([smhdw])")
_CONDITIONS = ("metric", "no-data", "status")
KEYS = (
    "name",
    "kinds",
    "name-matches",
    "tag",
    *_CONDITIONS,
    *COMPARISONS,
    "for",
    "repeat",
    "notify",
)
_STATUSES = frozenset(
    word for kind in KINDS.values() for pair in kind.run_status for word in pair
) | {"SCHEDULED"}


def read_rules(where: str, tables: object) -> tuple[Rule, ...]:
    """Read the tables ``[[rule]]`` of a configuration file.

    Parameters
    ----------
    where
        The file, for messages.
    tables
        What the file has under ``rule``.

    Raises
    ------
    UsageError
        When a table cannot be understood.
    """
    rules: dict[str, Rule] = {}
    for number, table in enumerate(tables if isinstance(tables, list) else [tables], 1):
        rule = _rule(f"{where}: [[rule]] {number}", table)
        if rule.name in rules:
            message = f"{where}: [[rule]] {number}: name: {rule.name} is given twice"
            raise UsageError(message)
        rules[rule.name] = rule
    return tuple(rules.values())


def _rule(where: str, table: object) -> Rule:
    if not isinstance(table, dict):
        message = f"{where}: give a table of keys"
        raise UsageError(message)
    given = {key.replace("_", "-"): value for key, value in table.items()}
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = f"{where}: name: give up to 100 letters, digits, blanks and _ . - of them"
        raise UsageError(message)
    where = f"{where} ({name})"
    for key in given:
        if key not in KEYS:
            message = f"{where}: {key}: unknown; choose from {', '.join(sorted(KEYS))}"
            raise UsageError(message)
    return Rule(
        name=name,
        condition=_condition(where, given),
        kinds=frozenset(_kinds(where, given)),
        name_matches=_pattern(where, given),
        tags=_tags(where, given.get("tag", {})),
        repeat_ms=_span(where, "repeat", given["repeat"]) if "repeat" in given else None,
        notify=_texts(where, given, "notify"),
    )


def _condition(where: str, given: Mapping[str, Any]) -> Condition:
    compared = [key for key in COMPARISONS if key in given]
    if len(compared) + ("no-data" in given) + ("status" in given) != 1:
        choice = ", ".join((*COMPARISONS, "no-data"))
        message = f"{where}: give one condition: metric with one of {choice}; or status"
        raise UsageError(message)
    if "for" in given and not compared:
        message = f"{where}: for: goes with {', '.join(COMPARISONS)}"
        raise UsageError(message)
    if "status" in given:
        return _status(where, given)
    return _threshold(where, given, compared[0]) if compared else _silence(where, given)


def _status(where: str, given: Mapping[str, Any]) -> StatusIn:
    if "metric" in given:
        message = f"{where}: metric: does not go with status"
        raise UsageError(message)
    statuses = _texts(where, given, "status")
    for each in statuses or ("",):
        if each not in _STATUSES:
            message = f"{where}: status {each!r}: choose from {', '.join(sorted(_STATUSES))}"
            raise UsageError(message)
    return StatusIn(statuses=frozenset(statuses))


def _threshold(where: str, given: Mapping[str, Any], comparison: str) -> Threshold:
    value = given[comparison]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or math.isnan(value):
        message = f"{where}: {comparison}: give a number"
        raise UsageError(message)
    metric = _metric(where, given)
    if metric is None:
        message = f"{where}: metric: give the key of an MLflow metric"
        raise UsageError(message)
    for_ms = _span(where, "for", given["for"]) if "for" in given else 0
    return Threshold(metric=metric, comparison=comparison, value=float(value), for_ms=for_ms)


def _silence(where: str, given: Mapping[str, Any]) -> Silence:
    for_ms = _span(where, "no-data", given["no-data"])
    if for_ms < SHORTEST_SILENCE_MS:
        message = f"{where}: no-data: give 5m or more, since metrics come minutes late"
        raise UsageError(message)
    return Silence(metric=_metric(where, given), for_ms=for_ms)


def _metric(where: str, given: Mapping[str, Any]) -> MetricName | None:
    texts = _texts(where, given, "metric")
    return MetricName(texts) if texts else None


def _span(where: str, key: str, value: object) -> int:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None or not int(found[1]):
        message = f"{where}: {key}: give a span such as 90s, 10m, 6h"
        raise UsageError(message)
    return int(found[1]) * UNITS_MS[found[2]]


def _kinds(where: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = _texts(where, given, "kinds")
    for each in kinds:
        if each not in KINDS:
            message = f"{where}: kinds: {each} is none; choose from {', '.join(KINDS)}"
            raise UsageError(message)
    return kinds


def _pattern(where: str, given: Mapping[str, Any]) -> str | None:
    pattern = given.get("name-matches")
    if pattern is None:
        return None
    if not isinstance(pattern, str) or compiled_name(pattern) is None:
        message = f"{where}: name-matches: give a regular expression that RE2 takes"
        raise UsageError(message)
    return pattern


def _texts(where: str, given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = given.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(each, str) and each for each in texts):
        message = f"{where}: {key}: give a text or a list of texts"
        raise UsageError(message)
    return tuple(dict.fromkeys(texts))


def _tags(where: str, value: object) -> tuple[tuple[str, str], ...]:
    """Read resource tags; give them as they stand on a run."""
    texts = [value] if isinstance(value, str) else value
    pairs: list[tuple[object, object]] | None = None
    if isinstance(texts, dict):
        pairs = list(texts.items())
    elif isinstance(texts, list):
        parts = [str(each).partition("=") for each in texts]
        pairs = [(key, text if equals else None) for key, equals, text in parts]
    if pairs is None or not all(key and isinstance(text, str) for key, text in pairs):
        message = f'{where}: tag: give a list such as ["key=value"] or a table {{key = "value"}}'
        raise UsageError(message)
    return tuple(
        (legal_key(f"{RESOURCE_TAG_PREFIX}{key}"), legal_value(str(text), TAG_VALUE_LIMIT))
        for key, text in pairs
    )

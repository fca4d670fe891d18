"""Tables ``[[source]]`` → sources; what cannot be understood is refused with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from mlflow_smwatch.core.definitions import BROKEN, unusable
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.job_choice import ANY_VALUE, compiled_name
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.series import AVERAGE
from mlflow_smwatch.core.sources import Source, SourceSeries
from mlflow_smwatch.core.templates import require_template, rewritten
from mlflow_smwatch.core.visible import visible

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAMESPACE = re.compile(r"[^:\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,254}")
_METRIC = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_DIMENSION = re.compile(r"(?!:)(?=.*[!-~])[ -~]{1,255}")
"""``Metric`` and ``Dimension`` in the API reference of CloudWatch."""

_DIMENSIONS = 30
_PERCENT = r"(?:100|[0-9]{1,2})(?:\.[0-9]{1,10})?"
_BOUND = rf"(?:{_PERCENT}%|[0-9]+(?:\.[0-9]+)?)"
_RANGE = rf"\((?:{_BOUND}:{_BOUND}?|:{_BOUND})\)"
_STAT = re.compile(
    "SampleCount|Sum|Average|Minimum|Maximum|IQM"
    rf"|(?:p|tm|tc|ts|wm){_PERCENT}|(?:TM|TC|TS|WM|PR){_RANGE}"
)
""""CloudWatch statistics definitions" in the user guide of CloudWatch."""

SERIES_KEYS = ("namespace", "metrics", "stat", "dimensions", "label")
"""Keys of ``[[source.series]]``."""

SOURCE_KEYS = (
    "name",
    "kinds",
    "name-matches",
    "tag",
    *SERIES_KEYS[:-1],
    "series",
    "log-groups",
    "streams",
    "definitions",
)
"""Keys of ``[[source]]``."""

_METRIC_KEYS = ("name", "stat")
_DEFINITION_KEYS = ("name", "regex")
_TEXT, _TEXTS, _PAIRS = "a text", "a text or a list of texts", 'a table such as {key = "value"}'


@dataclass(frozen=True, slots=True)
class _Table:
    """One table, its keys with dashes.

    Attributes
    ----------
    where
        Its place, for messages.
    values
        What it holds.
    """

    where: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, where: str, given: object, allowed: Sequence[str]) -> _Table:
        """Take a table that has no key but these."""
        if not isinstance(given, Mapping):
            message = f"{where}: give a table with {', '.join(allowed)}"
            raise UsageError(message)
        values: dict[str, object] = {}
        for key, value in given.items():
            name = str(key).replace("_", "-")
            if name not in allowed or name in values:
                wrong = "given twice" if name in values else "unknown"
                message = f"{where}: {visible(str(key))}: {wrong}; choose from {', '.join(allowed)}"
                raise UsageError(message)
            values[name] = value
        return cls(where, values)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Refuse the value of a key."""
        raise UsageError(visible(f"{self.where}: {key}: {why}"))

    def text(self, key: str) -> str | None:
        """Give a text; None where the key is not there."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            self.refuse(key, f"give {_TEXT}")
        return value

    def required(self, key: str) -> str:
        """Give a text that must be there."""
        text = self.text(key)
        if text is None:
            self.refuse(key, f"missing; give {_TEXT}")
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts, of which there may be one alone; empty without the key."""
        value = self.values.get(key, [])
        each = [value] if isinstance(value, str) else value
        if not isinstance(each, (list, tuple)) or not all(
            isinstance(one, str) and one for one in each
        ):
            self.refuse(key, f"give {_TEXTS}")
        return tuple(each)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Give the keys and values of a table within this one; empty without the key."""
        value = self.values.get(key, {})
        fits = isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())
        if not isinstance(value, Mapping) or not fits:
            self.refuse(key, f"give {_PAIRS}")
        return tuple((str(name), str(each)) for name, each in value.items())

    def items(self, key: str, kinds: tuple[type, ...], expected: str) -> Sequence[Any]:
        """Give a list of what is of some types; empty without the key."""
        value = self.values.get(key, [])
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, kinds) for one in value):
            self.refuse(key, f"give {expected}")
        return value


def sources_of(where: str, tables: object) -> tuple[Source, ...]:
    """Read tables of sources.

    Parameters
    ----------
    where
        Where they stand, for messages.
    tables
        The list of them; what is a :class:`.Source` already stays as it is.

    Raises
    ------
    UsageError
        When one cannot be understood; the message has its number, the key and what is allowed.
    """
    if not isinstance(tables, (list, tuple)):
        message = f"{where}: source: give tables, [[source]]"
        raise UsageError(message)
    sources = tuple(
        each if isinstance(each, Source) else _source(f"{where}: source {number}", each)
        for number, each in enumerate(tables, 1)
    )
    for name, count in Counter(each.name for each in sources).items():
        if count > 1:
            message = f"{where}: source: name: {name!r} is given {count} times; each has its own"
            raise UsageError(message)
    return sources


def _source(where: str, given: object) -> Source:
    table = _Table.of(where, given, SOURCE_KEYS)
    source = Source(
        name=_name(table),
        kinds=_kinds(table),
        name_matches=_name_pattern(table),
        tag=table.pairs("tag"),
        log_groups=table.texts("log-groups"),
        streams=table.texts("streams") or (ANY_VALUE,),
        definitions=tuple(_definitions(table)),
    )
    if source.name_matches is None and not source.tag:
        table.refuse("name-matches", "give name-matches, tag or both: whose runs it is for")
    source = replace(source, series=tuple(_all_series(table)))
    _require_something(table, source)
    _require_templates(table, source)
    return source


def _name(table: _Table) -> str:
    name = table.required("name")
    if not _NAME.fullmatch(name):
        table.refuse("name", f"{name!r}: give 1 to 64 letters, digits, - and _")
    return name


def _kinds(table: _Table) -> tuple[str, ...]:
    kinds = table.texts("kinds")
    for each in kinds:
        if each not in KINDS:
            table.refuse("kinds", f"{each!r}: unknown; choose from {', '.join(KINDS)}")
    return kinds


def _name_pattern(table: _Table) -> str | None:
    pattern = table.text("name-matches")
    if pattern is not None and compiled_name(pattern) is None:
        table.refuse("name-matches", f"{pattern!r}: not a pattern of RE2")
    return pattern


def _definitions(table: _Table) -> Iterator[MetricDefinition]:
    given = table.items("definitions", (Mapping,), "a list of tables {name, regex}")
    for number, each in enumerate(given, 1):
        one = _Table.of(f"{table.where}: definitions {number}", each, _DEFINITION_KEYS)
        name, regex = one.required("name"), one.required("regex")
        if not _METRIC.fullmatch(name):
            one.refuse("name", "give 1 to 255 characters on one line")
        code = unusable(regex)
        if code is not None:
            why = "does not compile" if code == BROKEN else "has no group around the number"
            one.refuse("regex", f"{regex!r}: {why}; give a pattern such as loss=(\\S+)")
        yield MetricDefinition(name=name, regex=regex)


def _all_series(table: _Table) -> Iterator[SourceSeries]:
    """Read the series of the table itself, then of ``[[source.series]]``; no key comes twice."""
    taken: set[str] = set()
    given = table.items("series", (Mapping,), "a list of tables, [[source.series]]")
    tables = [table] if "metrics" in table.values else []
    for number, each in enumerate(given, 1):
        inherited = {key: table.values[key] for key in ("namespace", "stat") if key in table.values}
        one = _Table.of(f"{table.where}: series {number}", each, SERIES_KEYS)
        tables.append(_Table(one.where, {**inherited, **one.values}))
    for one in tables:
        for series in _series(one):
            if series.key in taken:
                why = f"{series.key!r} is there already; give each set of dimensions a label"
                one.refuse("metrics", why)
            taken.add(series.key)
            yield series


def _series(table: _Table) -> Iterator[SourceSeries]:
    namespace = table.required("namespace")
    if not _NAMESPACE.fullmatch(namespace):
        table.refuse("namespace", f"{namespace!r}: 1 to 255 characters, no colon in front")
    dimensions = table.pairs("dimensions")
    if len(dimensions) > _DIMENSIONS:
        table.refuse("dimensions", f"{len(dimensions)} are given; a metric has up to 30")
    for name, _ in dimensions:
        if not _DIMENSION.fullmatch(name):
            table.refuse("dimensions", f"{name!r} is no name of a dimension")
    label, stat = table.text("label"), _stat(table) or AVERAGE
    metrics = table.items("metrics", (str, Mapping), "texts, or tables {name, stat}")
    if not metrics:
        table.refuse("metrics", "missing; give texts, or tables {name, stat}")
    for number, each in enumerate(metrics, 1):
        given = {"name": each} if isinstance(each, str) else each
        one = _Table.of(f"{table.where}: metrics {number}", given, _METRIC_KEYS)
        name, own = one.required("name"), _stat(one) or stat
        if not _METRIC.fullmatch(name):
            one.refuse("name", f"{name!r}: 1 to 255 characters on one line")
        parts = (label, _literal(name), None if own == stat else _literal(own))
        yield SourceSeries(
            key="/".join(part for part in parts if part),
            namespace=namespace,
            metric_name=name,
            stat=own,
            dimensions=dimensions,
        )


def _stat(table: _Table) -> str | None:
    stat = table.text("stat")
    if stat is not None and not _STAT.fullmatch(stat):
        allowed = "Average, Sum, Minimum, Maximum, SampleCount, IQM, p90, tm90, TM(10%:90%), …"
        table.refuse("stat", f"{stat!r}: choose from {allowed}")
    return stat


def _literal(text: str) -> str:
    """Write a text so that it has no places."""
    return text.replace("{", "{{").replace("}", "}}")


def _require_something(table: _Table, source: Source) -> None:
    if not source.series and not source.log_groups:
        table.refuse("metrics", "give metrics, series or log-groups: what is attached")
    if not source.series:
        for key in ("namespace", "stat", "dimensions"):
            _require_companion(table, key, "metrics")
    if not source.log_groups:
        for key in ("streams", "definitions"):
            _require_companion(table, key, "log-groups")


def _require_companion(table: _Table, key: str, other: str) -> None:
    if key in table.values:
        table.refuse(key, f"has no effect without {other}")


def _require_templates(table: _Table, source: Source) -> None:
    """Refuse texts whose places cannot be filled, and dimensions that can never have a value."""
    texts: list[tuple[str, str]] = [("log-groups", each) for each in source.log_groups]
    texts += [("streams", part) for each in source.streams for part in each.split(ANY_VALUE)]
    texts += [("label", each.key) for each in source.series]
    texts += [("dimensions", text) for each in source.series for _, text in each.dimensions]
    groups = _groups_of(source.name_matches)
    for key, text in dict.fromkeys(texts):
        try:
            require_template(text, groups)
        except UsageError as error:
            table.refuse(key, str(error))
        if key == "streams" and ":" in rewritten(text, lambda _: ""):
            table.refuse(key, f"{text!r}: no name of a log stream holds a colon")


def _groups_of(pattern: str | None) -> int:
    compiled = compiled_name(pattern) if pattern else None
    return compiled.groups if compiled else 0

"""Inserts rows into MLflow's tables, many by one statement, and says what of them was new.

Rows are tuples. SQLite prepares a statement once and takes them one by one, PostgreSQL takes one
array a column (so the statement's text is always the same), and MySQL's drivers join them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, Table, TextClause, text

Row = tuple[Any, ...]
_Item = TypeVar("_Item")

KEYS_AT_ONCE = 500
"""How many values one statement compares with, as in MLflow's own."""

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"'})


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """How rows go into a table.

    Attributes
    ----------
    table
        The table.
    columns
        Names of the columns, in the order of a row's values.
    if_there
        What becomes of a row whose primary key is there, after ``ON CONFLICT`` (SQLite,
        PostgreSQL); without it the database refuses.
    if_there_in_mysql
        The same after ``ON DUPLICATE KEY UPDATE``.
    at_once
        How many rows one statement takes in PostgreSQL; the drivers of the others see to it.
    """

    table: Table
    columns: tuple[str, ...]
    if_there: str = ""
    if_there_in_mysql: str = ""
    at_once: int = 250


def insert_rows(connection: Connection, insertion: Insertion, rows: Sequence[Row]) -> int:
    """Insert rows.

    Parameters
    ----------
    connection
        Within a transaction.
    insertion
        Where they go.
    rows
        Values of its columns.

    Returns
    -------
    int
        How many rows are new or were changed; MySQL, which does not say, gives all.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        return sum(
            _insert_columns(connection, insertion, some) for some in chunks(rows, insertion.at_once)
        )
    statement = row_statement(insertion, connection.dialect.name, connection.dialect.paramstyle)
    changed = connection.exec_driver_sql(statement, list(rows)).rowcount
    return changed if connection.dialect.name == "sqlite" else len(rows)


def chunks(items: Sequence[_Item], size: int = KEYS_AT_ONCE) -> Iterator[Sequence[_Item]]:
    """Cut a sequence into pieces of so many items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@cache
def row_statement(insertion: Insertion, dialect: str, paramstyle: str) -> str:
    """Write the statement for a driver that takes rows: that of SQLite or MySQL."""
    mark = "?" if paramstyle == "qmark" else "%s"
    in_mysql = dialect != "sqlite"
    quote = "`" if in_mysql else '"'
    names = ", ".join(f"{quote}{name}{quote}" for name in insertion.columns)
    values = ", ".join([mark] * len(insertion.columns))
    said = f"INSERT INTO {insertion.table.name} ({names}) VALUES ({values})"  # noqa: S608 - constants
    if not insertion.if_there:
        return said
    if in_mysql:
        return f"{said} ON DUPLICATE KEY UPDATE {insertion.if_there_in_mysql}"
    return f"{said} ON CONFLICT {insertion.if_there}"


@cache
def _statement_of_columns(insertion: Insertion) -> TextClause:
    """Write the statement for PostgreSQL."""
    names = ", ".join(f'"{name}"' for name in insertion.columns)
    arrays = ", ".join(
        f"CAST(:{name} AS {_type_of(insertion.table, name)[0]}[])" for name in insertion.columns
    )
    said = f"INSERT INTO {insertion.table.name} ({names}) SELECT * FROM unnest({arrays}) AS new"  # noqa: S608 - constants
    return text(f"{said} ON CONFLICT {insertion.if_there}" if insertion.if_there else said)


def _insert_columns(connection: Connection, insertion: Insertion, rows: Sequence[Row]) -> int:
    """Insert rows by arrays in PostgreSQL's own text form, which no driver takes apart."""
    columns = {
        name: "{" + ",".join(_type_of(insertion.table, name)[1](values)) + "}"
        for name, values in zip(insertion.columns, zip(*rows, strict=True), strict=True)
    }
    return connection.execute(_statement_of_columns(insertion), columns).rowcount


@cache
def _type_of(table: Table, column: str) -> tuple[str, Callable[[Sequence[Any]], Iterable[str]]]:
    """Give PostgreSQL's type for a column of an array, and how its values are written."""
    kind = table.c[column].type
    if isinstance(kind, Boolean):
        return "boolean", partial(map, str)
    if isinstance(kind, Float):
        return "float8", partial(map, repr)
    if isinstance(kind, (Integer, BigInteger)):
        return "bigint", partial(map, _number)
    return "varchar", _texts


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def _texts(values: Sequence[str | None]) -> Iterable[str]:
    """Write texts; one that comes again and again is written once."""
    known = {value: _quoted(value) for value in set(values)}
    return map(known.__getitem__, values)


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else f'"{value.translate(_ESCAPED)}"'

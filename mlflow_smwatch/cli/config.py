"""The configuration file: TOML → click's default map, below options and variables.

The keys are the options' long names. What stands at the top is for all commands that have the
option; what stands in a table named like a command is for that command and wins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from mlflow_smwatch.cli.values import Pattern, address, dimension, role, tag, time, words
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.rule_tables import read_rules
from mlflow_smwatch.core.rule_targets import read_targets, require_targets
from mlflow_smwatch.core.sources import read_sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_Command = TypeVar("_Command", bound=Callable[..., Any])

FILE = "smwatch.toml"

_USED = "mlflow_smwatch.config"
_READERS: Mapping[str, tuple[type, Callable[[str, object], tuple[Any, ...]]]] = {
    "source": (list, read_sources),
    "rule": (list, read_rules),
    "notify": (dict, read_targets),
}
"""Table, or list of tables, that is no option's → which of both, and what reads it."""

_TABLES = "mlflow_smwatch.tables"
_TEXT: tuple[tuple[type, ...], str] = ((str,), "a text")
_VALUES: dict[object, tuple[tuple[type, ...], str]] = {
    click.types.BoolParamType: ((bool,), "true or false"),
    click.types.IntParamType: ((int,), "a whole number"),
    click.IntRange: ((int,), "a whole number"),
    click.types.FloatParamType: ((int, float), "a number"),
    click.FloatRange: ((int, float), "a number"),
    words: ((str, list), "a text or a list of texts"),
    role: ((str, list), "a text or a list of texts"),
    address: ((str, list), "a text or a list of texts"),
    Pattern: ((str, list), "a text or a list of texts"),
    tag: ((str, list, dict), 'a list such as ["key=value"] or a table such as {key = "value"}'),
    dimension: ((str, list, dict), 'a list such as ["key=value"] or a table {key = "value"}'),
    time: ((str, date), "a text or a TOML time"),
}
"""Kind of option → what TOML may give for it."""


def config_option(
    option: Callable[..., Callable[[Any], Any]],
) -> Callable[[Any], Any]:
    """Declare ``--config``; it is read before all other options, since it holds their defaults.

    Parameters
    ----------
    option
        What declares an option.

    Returns
    -------
    Callable
        A decorator.
    """
    return option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_take,
        help=f"File of options (TOML). Default: {FILE}, if it is there.",
    )


def _take(ctx: click.Context, _: click.Parameter, given: Path | None) -> None:
    path = given if given is not None else Path(FILE)
    if given is None and not path.is_file():
        return
    group = ctx.find_root().command
    commands = group.commands if isinstance(group, click.Group) else {}
    ctx.default_map = _default_map(path, commands, ctx)
    ctx.meta[_USED] = str(path)


def from_file(table: str, parameter: str) -> Callable[[_Command], _Command]:
    """Give a command what the file has in the tables of a name, ``[[source]]``.

    Parameters
    ----------
    table
        Their name.
    parameter
        As what the command's function takes them: a tuple, empty without a file.

    Returns
    -------
    Callable
        A decorator.
    """

    def declare(command: _Command) -> _Command:
        @wraps(command)
        def with_tables(*positional: Any, **given: Any) -> object:
            tables = click.get_current_context().meta.get(_TABLES, {})
            return command(*positional, **given, **{parameter: tables.get(table, ())})

        return cast("_Command", with_tables)

    return declare


def naming_the_file(ctx: click.Context, message: str) -> str:
    """Put the file's name before a message about a value that came from it.

    Parameters
    ----------
    ctx
        The context of the command that was called.
    message
        What is wrong; it begins with the option's long name.

    Returns
    -------
    str
        The message, unchanged for a value that came from elsewhere.
    """
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if source is click.core.ParameterSource.DEFAULT_MAP and message.startswith(
            f"{option.opts[-1]} "
        ):
            return f"{ctx.meta[_USED]}: {message}"
    return message


def file_that_was_read(ctx: click.Context) -> str | None:
    """Return the path of the configuration file; None where none was read, or it gives nothing.

    Parameters
    ----------
    ctx
        The context of the command that was called.
    """
    return ctx.meta.get(_USED) if ctx.default_map else None


def is_from_the_file(parameter: str) -> bool:
    """Tell whether the called command has the value of an option from the file.

    Parameters
    ----------
    parameter
        The name that the option has in Python.
    """
    ctx = click.get_current_context(silent=True)
    source = ctx.get_parameter_source(parameter) if ctx else None
    return source is click.core.ParameterSource.DEFAULT_MAP


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command that a file may hold.

    Parameters
    ----------
    command
        Any command of the program.

    Returns
    -------
    dict
        Long name without dashes in front → option.
    """
    return {
        next(name for name in option.opts if name.startswith("--"))[2:]: option
        for option in command.params
        if isinstance(option, click.Option) and option.expose_value
    }


def _default_map(
    path: Path, commands: Mapping[str, click.Command], ctx: click.Context
) -> dict[str, Any]:
    """Read and check the whole file, and keep what the called command has."""
    document = _read(path)
    for name, (shape, _) in _READERS.items():
        if shape is list and isinstance(document.get(name), dict):
            message = f"{path}: [{name}]: give [[{name}]], a table for each {name}"
            raise UsageError(message)
    ctx.meta[_TABLES] = read_tables = {
        name: read(str(path), document.pop(name))
        for name, (shape, read) in _READERS.items()
        if isinstance(document.get(name), shape)
    }
    require_targets(str(path), read_tables.get("rule", ()), read_tables.get("notify", ()))
    known = {
        name: each for command in commands.values() for name, each in options_of(command).items()
    }
    known |= options_of(ctx.command)
    top = {key: value for key, value in document.items() if key not in commands}
    for key, value in top.items():
        if _has_tables(value) and key.replace("_", "-") not in known:
            of_files = (
                f"[[{name}]]" if shape is list else f"[{name}]"
                for name, (shape, _) in _READERS.items()
            )
            tables = ", ".join([*(f"[{name}]" for name in sorted(commands)), *of_files])
            message = f"{path}: [{key}]: unknown; choose from {tables}"
            raise UsageError(message)
    found = _values(str(path), top, known, ctx)
    for name in document.keys() & commands.keys():
        if not isinstance(document[name], dict):
            message = f"{path}: {name}: give a table of options, [{name}]"
            raise UsageError(message)
        own = _values(f"{path}: [{name}]", document[name], options_of(commands[name]), ctx)
        if commands[name] is ctx.command:
            found |= own
    own_options = options_of(ctx.command)
    return {
        str(own_options[name].name): each for name, each in found.items() if name in own_options
    }


def _has_tables(value: object) -> bool:
    """Whether TOML has one table, or several, where a value is."""
    each = value if isinstance(value, list) and value else [value]
    return all(isinstance(one, dict) for one in each)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UsageError(message) from error
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{path}: not UTF-8 (at line {line})"
        raise UsageError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{path}: {error}"
        raise UsageError(message) from error


def _values(
    where: str, table: Mapping[str, Any], known: Mapping[str, click.Option], ctx: click.Context
) -> dict[str, Any]:
    """Check each key and value of one table; give them by the options' long names."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in known:
            choice = ", ".join(sorted(known))
            message = f"{where}: {key}: unknown; choose from {choice}"
            raise UsageError(message)
        if name in found:
            message = f"{where}: {key}: given twice; give {name} or {name.replace('-', '_')}"
            raise UsageError(message)
        found[name] = _value(f"{where}: {key}", known[name], value, ctx)
    return found


def _value(where: str, option: click.Option, value: object, ctx: click.Context) -> object:
    """Check a value as one of the command line is checked."""
    kind = option.type.func if isinstance(option.type, click.types.FuncParamType) else None
    types, expected = _VALUES.get(kind or type(option.type), _TEXT)
    if not _fits(value, types):
        message = f"{where}: give {expected}"
        raise UsageError(message)
    plain = _plain(option, value)
    try:
        option.type_cast_value(ctx, plain)
    except click.BadParameter as error:
        message = f"{where}: {error.message}"
        raise UsageError(message) from error
    except UsageError as error:
        message = f"{where}: {error}"
        raise UsageError(message) from error
    return plain


def _fits(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool) and bool not in types:
        return False
    parts = value if isinstance(value, list) else ()
    if isinstance(value, dict):
        parts = list(value.values())
    return isinstance(value, types) and all(isinstance(part, str) for part in parts)


def _plain(option: click.Option, value: object) -> object:
    """Give a value the form that click takes."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return list(value.items())
    if option.multiple and isinstance(value, str):
        return [value]
    return value

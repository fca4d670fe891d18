"""Types of option values that click does not have: text → value, as one of the file may be too."""

from __future__ import annotations

import click

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.own_patterns import patterns_in


class Pattern(click.types.StringParamType):
    """A regular expression, which may have spaces and commas in it; in a variable one a line."""

    name = "pattern"

    def split_envvar_value(self, rv: str) -> tuple[str, ...]:
        """Split the value of a variable.

        Parameters
        ----------
        rv
            One pattern a line.
        """
        return patterns_in(rv)


def words(value: str | list[str]) -> tuple[str, ...]:
    """Split a comma list; what is a list already stays one.

    Parameters
    ----------
    value
        Text or list of texts.

    Returns
    -------
    tuple of str
        Without spaces around and without empty words.
    """
    each = value if isinstance(value, list) else value.split(",")
    return tuple(word.strip() for word in each if word.strip())


def time(value: str) -> str:
    """Take an ISO time, or how long ago; it is read where the clock is.

    Parameters
    ----------
    value
        Text.

    Returns
    -------
    str
        The same.
    """
    return value


def dimension(value: str | tuple[str, str]) -> tuple[str, str]:
    """Split a dimension ``KEY=VALUE`` at the first equals sign; a pair stays one.

    Parameters
    ----------
    value
        Text or a pair of texts.

    Returns
    -------
    tuple of str
        Name and value.

    Raises
    ------
    UsageError
        When there is no name or no equals sign.
    """
    return _pair("--dimension", value)


def role(value: str) -> str:
    """Take the ARN of a role, whose name may have commas in it.

    Parameters
    ----------
    value
        Text.

    Returns
    -------
    str
        The same.
    """
    return value


def address(value: str) -> str:
    """Take an address for messages; it is read where the rules are.

    Parameters
    ----------
    value
        Text.

    Returns
    -------
    str
        The same.
    """
    return value


def tag(value: str | tuple[str, str]) -> tuple[str, str]:
    """Split a resource tag ``KEY=VALUE`` at the first equals sign; a pair stays one.

    Parameters
    ----------
    value
        Text or a pair of texts.

    Returns
    -------
    tuple of str
        Key and value.

    Raises
    ------
    UsageError
        When there is no key or no equals sign.
    """
    return _pair("--tag", value)


def _pair(option: str, value: str | tuple[str, str]) -> tuple[str, str]:
    if isinstance(value, tuple):
        return value
    key, separator, text = value.partition("=")
    if not key or not separator:
        message = f"{option} {value!r}: give KEY=VALUE"
        raise UsageError(message)
    return key, text

"""Which jobs a table of the configuration file is for: by kind, name and resource tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlflow_smwatch.core.patterns import compile_re2

ANY_VALUE = "*"
"""Stands for any value of a tag; no value holds one ("Tag your AWS resources")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChoice:
    """Some jobs.

    Attributes
    ----------
    kinds
        Words of their kinds; empty for all.
    pattern
        Pattern of RE2 that the whole name of a job matches; None for any name.
    tags
        Resource tags that a job has, as key and value; ``*`` is any value.
    """

    kinds: tuple[str, ...] | frozenset[str] = ()
    pattern: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def takes(self, kind: str, name: str, tags: Mapping[str, str]) -> bool:
        """Tell whether a job is one of them.

        Parameters
        ----------
        kind
            Word of its kind.
        name
            Its name.
        tags
            Its tags, by keys as of those that it must have.
        """
        if self.kinds and kind not in self.kinds:
            return False
        if not all(key in tags and value in {ANY_VALUE, tags[key]} for key, value in self.tags):
            return False
        return self.pattern is None or name_match(self.pattern, name) is not None


@lru_cache(maxsize=1024)
def compiled_name(pattern: str) -> Any | None:  # noqa: ANN401 (re2 has no types)
    """Compile a pattern on names for RE2; None where it cannot be."""
    return compile_re2(pattern)


def name_match(pattern: str, name: str) -> Any | None:  # noqa: ANN401 (re2 has no types)
    """Match a whole name; None where it does not match. Names and groups are bytes."""
    compiled = compiled_name(pattern)
    return compiled.fullmatch(name.encode("utf-8", "surrogatepass")) if compiled else None

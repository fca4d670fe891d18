"""Replaces methods of classes, and puts back exactly what was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Method = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """A method that was replaced.

    Attributes
    ----------
    owner, name
        The class, and the method's name in it.
    original, replacement
        As they stand in the class: a function, or a classmethod or staticmethod around one.
    """

    owner: type
    name: str
    original: Any
    replacement: Any

    def undo(self) -> None:
        """Put the original back; what somebody else has put there meanwhile stays."""
        if vars(self.owner).get(self.name) is self.replacement:
            setattr(self.owner, self.name, self.original)


def replace_method(owner: type, name: str, wrap: Callable[[Method], Method]) -> Patch | None:
    """Replace a method of a class by a wrapper around it.

    Parameters
    ----------
    owner
        The class.
    name
        Of a method that the class itself defines.
    wrap
        Makes the wrapper of a function.

    Returns
    -------
    Patch or None
        None where the class does not define such a method.
    """
    original = vars(owner).get(name)
    if isinstance(original, classmethod | staticmethod):
        replacement: Any = type(original)(wrap(original.__func__))
    elif callable(original):
        replacement = wrap(original)
    else:
        return None
    setattr(owner, name, replacement)
    return Patch(owner, name, original, replacement)

"""Calls back when a module has been imported, by the hooks that ``mlflow.autolog`` uses itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import ModuleType

from mlflow.utils.import_hooks import register_post_import_hook


def after_import(module_name: str, hook: Callable[[ModuleType], None]) -> None:
    """Call a function with a module as soon as it is imported; at once if it has been.

    Parameters
    ----------
    module_name
        With dots.
    hook
        Must not raise: that would break the import. A second one of the same ``__name__`` for the
        same module takes the place of the first.
    """
    module = sys.modules.get(module_name)
    if module is not None:
        hook(module)
        return
    with contextlib.suppress(KeyError):  # it was imported, and taken out of sys.modules again
        register_post_import_hook(hook, module_name)

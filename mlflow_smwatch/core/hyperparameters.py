"""Hyperparameters as the SageMaker Python SDK writes them: values as JSON, settings of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable

SDK_PREFIX = "sagemaker_"

Pairs = tuple[tuple[str, str], ...]
"""Names and values."""


def decoded(value: str) -> str:
    r"""Decode a value that is a JSON string literal (``"\"adam\""`` → ``adam``); keep others.

    The SageMaker Python SDK writes hyperparameters as JSON.
    """
    if not value.startswith('"'):
        return value
    try:
        content = json.loads(value)
    except ValueError:
        return value
    return content if isinstance(content, str) else value


def sdk_settings(hyperparameters: Iterable[tuple[str, str]]) -> Pairs:
    """Pick the settings of the SDK, decoded, their names without ``sagemaker_``."""
    return tuple(
        (name.removeprefix(SDK_PREFIX), decoded(value))
        for name, value in hyperparameters
        if name.startswith(SDK_PREFIX)
    )


def own_values(hyperparameters: Iterable[tuple[str, str]]) -> Pairs:
    """Pick the user's hyperparameters, decoded."""
    return tuple(
        (name, decoded(value)) for name, value in hyperparameters if not name.startswith(SDK_PREFIX)
    )

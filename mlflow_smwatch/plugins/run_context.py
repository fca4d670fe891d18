"""``mlflow.run_context_provider``: the class is made when MLflow, or anyone, asks for it.

MLflow asks while it is itself being imported; so whoever comes here first must import MLflow
before the class that derives from one of MLflow's.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow_smwatch.plugins.container_context import SageMakerRunContext

__all__ = ["SageMakerRunContext"]


def __getattr__(name: str) -> object:
    """Import the class."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    importlib.import_module("mlflow.tracking.context.abstract_context")

    from mlflow_smwatch.plugins.container_context import SageMakerRunContext

    return SageMakerRunContext

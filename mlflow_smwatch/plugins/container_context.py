"""MLflow's run context provider: runs that are started in a SageMaker job say of which job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mlflow.tracking.context.abstract_context import RunContextProvider

CONTAINER_ROOT = "/opt/ml"
"""Where SageMaker puts the files of a container."""


class SageMakerRunContext(RunContextProvider):
    """Tags runs with the job in whose container they are started; elsewhere it does nothing.

    The container is looked at once, when the first run is started.

    Parameters
    ----------
    root
        Where the container's files are.
    environment
        The environment variables, the process's own if None.
    """

    def __init__(
        self, root: str = CONTAINER_ROOT, environment: Mapping[str, str] | None = None
    ) -> None:
        self._root = Path(root)
        self._environment = os.environ if environment is None else environment

    def in_context(self) -> bool:
        """Tell whether this is the container of a job whose ARN is known."""
        return bool(self._tags)

    def tags(self) -> dict[str, str]:
        """Give the job's tags, as :func:`mlflow_smwatch.core.container.container_tags` does."""
        return dict(self._tags)

    @cached_property
    def _tags(self) -> dict[str, str]:
        from mlflow_smwatch.core.container import container_tags

        return container_tags(self._environment, self._read) or {}

    def _read(self, path: str) -> str | None:
        """Read a file of the container; one that cannot be read says nothing, but is there."""
        try:
            return (self._root / path).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            return ""

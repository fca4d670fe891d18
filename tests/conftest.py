"""What holds for every test."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def mlflow_forgets() -> Iterator[None]:
    """Let no test choose a tracking URI for those after it in the same process."""
    yield
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None:
        mlflow.set_tracking_uri(None)


@pytest.fixture(autouse=True)
def loggers_speak() -> Iterator[None]:
    """Let no command that runs in this process silence our loggers for the tests after it."""
    yield
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("mlflow_smwatch") and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)

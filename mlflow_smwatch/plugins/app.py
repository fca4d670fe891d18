"""``mlflow.app``: ``mlflow server --app-name smwatch`` is MLflow's own server, with the mirror.

The pages are routes of MLflow's Flask application, which its ASGI application mounts: so MLflow's
checks of Host and origin, and its security headers, hold for them under every server.
"""

from __future__ import annotations

import atexit
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask, Response

    from mlflow_smwatch.server.lifespan import Application
    from mlflow_smwatch.server.service import Service

logger = logging.getLogger(__name__)

_SERVER = "_MLFLOW_SGI_NAME"  # as in mlflow.environment_variables


def create_app() -> Flask | Application:
    """Make the application of one worker: ASGI for uvicorn, WSGI for gunicorn and waitress.

    Returns
    -------
    Application or Flask
        MLflow's application. Whatever of the mirror fails, MLflow is served.
    """
    if os.environ.get(_SERVER) == "uvicorn":
        return _asgi()
    from mlflow.server import app as flask_app

    service = _service_on(flask_app)
    if service is not None:
        service.start()
        atexit.register(service.stop)
    return flask_app


def _asgi() -> Application:
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app as fastapi_app

    application: Application = fastapi_app
    try:
        from mlflow_smwatch.server.lifespan import with_lifespan
    except Exception as error:  # noqa: BLE001 - MLflow serves in any case
        _complain(error)
        return application
    service = _service_on(flask_app)
    if service is None:
        return application
    return with_lifespan(application, service.start, service.stop)


def _service_on(flask_app: Flask) -> Service | None:
    """Add the pages to MLflow's routes; None where that fails."""
    try:
        from mlflow.version import VERSION

        from mlflow_smwatch.server.service import make_service

        service = make_service(os.environ, VERSION)
        _add_pages(flask_app, service)
    except Exception as error:  # noqa: BLE001 - MLflow serves in any case
        _complain(error)
        return None
    return service


def _complain(error: Exception) -> None:
    logger.warning("smwatch is not served: %s: %s", type(error).__name__, error)


def _add_pages(flask_app: Flask, service: Service) -> None:
    from mlflow.server.handlers import STATIC_PREFIX_ENV_VAR

    from mlflow_smwatch.server.pages import PATHS

    prefix = os.environ.get(STATIC_PREFIX_ENV_VAR, "").rstrip("/")
    for path in PATHS:

        def view(path: str = path) -> Response:
            answer = service.pages.answer(path)
            return flask_app.response_class(
                answer.body, answer.status, answer.headers, content_type=answer.content_type
            )

        flask_app.add_url_rule(f"{prefix}{path}", f"smwatch {path}", view, methods=["GET"])

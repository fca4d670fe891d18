from __future__ import annotations

import socket
import threading

import pytest
from mlflow import MlflowClient
from sagemaker_mlflow.mlflow_sagemaker_store import MlflowSageMakerStore

from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.tracking.pages import ui_address
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.uris import absolute_uri, shown_uri

SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/team"


def test_uri_is_passed_through() -> None:
    """An ARN reaches MLflow as it is; it has no page with a fixed address."""
    assert absolute_uri(SERVER) == SERVER
    assert shown_uri(SERVER) == SERVER
    assert ui_address(SERVER) is None


def test_plugin_is_found() -> None:
    """MLflow gives the store of sagemaker-mlflow for an ARN."""
    client = MlflowClient(tracking_uri=SERVER)
    assert isinstance(client._tracking_client.store, MlflowSageMakerStore)


def test_first_request_goes_to_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening asks the plugin's endpoint, signed; what it answers ends in one line."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(
            "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}"
        )
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEMULATEDACCOUNT0")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulated")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

        def refuse_once() -> None:
            connection, _ = listener.accept()
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse_once)
        thread.start()
        with pytest.raises(TrackingError) as error:
            open_tracking(SERVER)
        thread.join()
    (request,) = seen
    head = request.decode()
    assert "/api/2.0/mlflow/experiments/search" in head.splitlines()[0]
    assert f"x-mlflow-sm-tracking-server-arn: {SERVER}" in head
    assert "Authorization: AWS4-HMAC-SHA256 Credential=AKIAEMULATEDACCOUNT0/" in head
    assert SERVER in str(error.value)
    assert "\n" not in str(error.value)

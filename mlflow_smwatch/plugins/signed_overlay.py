"""The overlay before a repository whose files clients may fetch by signed addresses."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlflow.entities.presigned_download import PresignedDownloadUrlResponse
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED
from mlflow.store.artifact.artifact_repo import MultipartDownloadMixin

from mlflow_smwatch.core.shown_paths import run_path
from mlflow_smwatch.plugins.mlflow_errors import mlflow_errors
from mlflow_smwatch.plugins.overlay_repository import Overlay


class SignedOverlay(Overlay, MultipartDownloadMixin):
    """The overlay where MLflow has signed addresses; attributes as of :class:`.Overlay`."""

    def get_download_presigned_url(
        self, artifact_path: str, expiration: int = 300
    ) -> PresignedDownloadUrlResponse:
        """Sign the address of a file; an object of the job's is fetched from S3 itself."""
        spot = self.spot(artifact_path)
        job = self.job_of(spot, artifact_path) if spot else None
        if spot is None or job is None:
            stored: PresignedDownloadUrlResponse = self.plain.get_download_presigned_url(
                artifact_path, expiration
            )
            return stored
        with mlflow_errors():
            signed = job.signed_url(spot.shown, expiration)
        if signed:
            return PresignedDownloadUrlResponse(url=signed[0], headers={}, file_size=signed[1])
        if run_path(urlsplit(self.overlay_uri).path):
            message = f"{spot.shown} is made when it is downloaded: it has no address of its own"
            raise MlflowException(message, NOT_IMPLEMENTED)
        # without a size, MLflow's client downloads through the server
        return PresignedDownloadUrlResponse(url="", headers={}, file_size=None)

"""A repository of MLflow's that also shows what AWS has of the job that a run stands for."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.file_utils import create_tmp_dir

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_files import parts_of
from mlflow_smwatch.core.shown_paths import (
    DOCUMENT,
    FILES,
    FOLDER,
    LINEAGE_PAGE,
    TREES,
    RunPath,
    ShownPath,
    gone,
    run_path,
    shown_path,
)
from mlflow_smwatch.plugins.mlflow_errors import mlflow_errors
from mlflow_smwatch.tracking.mlflow_features import (
    is_tracking_server_process,
    local_path,
    signs_downloads,
)
from mlflow_smwatch.tracking.serving import uri_of, workspace

if TYPE_CHECKING:  # SQLAlchemy and boto3 are loaded when a run, and its job, are looked at
    from mlflow_smwatch.overlay.claims import Claim
    from mlflow_smwatch.overlay.shown_job import ShownJob

logger = logging.getLogger(__name__)

READ_THROUGH = frozenset({*TREES, LINEAGE_PAGE})
"""What is shown as it is now, whatever the repository holds under these names."""

_classes: dict[type[Any], type[Any]] = {}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path of a repository leads: into a run's artifacts, at ``sagemaker`` or below."""

    run: RunPath
    shown: ShownPath


class Overlay(ArtifactRepository):
    """The overlay; stands before a repository's own class.

    Attributes
    ----------
    overlay_uri
        The place, with ``smwatch+`` before it; ``artifact_uri`` is that of the repository below.
    store_uri
        Where the runs are; None for a server's own store, or MLflow's choice in a client.
    plain
        The repository below, which knows nothing of the overlay: what is stored is its business.
    """

    overlay_uri: str
    store_uri: str | None
    plain: Any

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """List a folder."""
        if self._is_run_root(path):
            return self._root_listing(path)
        spot = self.spot(path)
        claim = self._claim(spot) if spot else None
        if spot is None or claim is None:
            return self._listed(path)
        if not spot.shown.part:
            return self._folder_listing(path, claim)
        if spot.shown.part in FILES:
            return []
        job = self._open(claim)
        if job is None:
            return self._listed(path)
        with mlflow_errors():
            found = job.entries(spot.shown)
        infos = (FileInfo(_joined(path, e.name), e.is_folder, e.size) for e in found)
        return sorted(infos, key=lambda info: info.path)

    def _is_directory(self, artifact_path: str | None) -> bool:
        spot = self.spot(artifact_path)
        job = self.job_of(spot, artifact_path) if spot else None
        if spot is None or job is None:
            return bool(self.plain._is_directory(artifact_path))  # noqa: SLF001
        with mlflow_errors():
            return not job.is_file(spot.shown)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete what is stored; what AWS has stays."""
        self.plain.delete_artifacts(artifact_path)

    def get_local_path(self, artifact_path: str) -> str | None:
        """Return where a file lies on this machine; None for what AWS has, or may have.

        A server asks this in the thread that serves all: so nobody is asked for it.
        """
        spot = self.spot(artifact_path)
        if spot is None:
            return local_path(self.plain, artifact_path)
        return self._stored_path(artifact_path) if spot.shown.part == DOCUMENT else None

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Download a file or a folder.

        All artifacts of a run at once are those that are stored with it: what is read through is
        downloaded where ``sagemaker`` or something below is named.
        """
        if self._is_run_root(artifact_path):
            return self._stored(artifact_path, dst_path)
        spot = self.spot(artifact_path)
        job = self.job_of(spot, artifact_path) if spot else None
        if spot is None or job is None:
            return self._stored(artifact_path, dst_path)
        folder = dst_path or str(create_tmp_dir())  # type: ignore[no-untyped-call]
        with mlflow_errors():
            return self._write(job, spot.shown, artifact_path or "", folder)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        spot = self.spot(remote_file_path)
        job = self.job_of(spot, remote_file_path) if spot else None
        if spot is None or job is None:
            self.plain._download_file(remote_file_path, local_path)  # noqa: SLF001
            return
        with mlflow_errors():
            job.write(spot.shown, Path(local_path))

    def _root_listing(self, path: str | None) -> list[FileInfo]:
        """List the artifacts of a run; AWS is not asked, and nothing of ours breaks it."""
        stored = self._listed(path)
        folder = _joined(path, FOLDER)
        if any(info.path == folder for info in stored):
            return stored
        try:
            spot = self.spot(folder)
            claim = self._claim(spot) if spot else None
        except Exception:
            logger.warning("the run of %s cannot be read", self.overlay_uri, exc_info=True)
            return stored
        shown = [FileInfo(folder, is_dir=True, file_size=None)] if claim else []
        return sorted([*stored, *shown], key=lambda info: info.path)

    def _folder_listing(self, path: str | None, claim: Claim) -> list[FileInfo]:
        """List ``sagemaker``: what is stored there, and what the job has.

        Where AWS cannot be asked, what jobs of this kind have: why it cannot is said where one of
        these is opened.
        """
        try:
            job = self._open(claim)
        except MlflowException as error:
            logger.warning("artifacts of run %s: %s", claim.run.run_id, error)
            kept, parts = self._kept(path, TREES), parts_of(claim.kind)
        else:
            if job is None:
                return self._listed(path)
            kept, parts = self._kept(path), job.parts
        have = {posixpath.basename(info.path) for info in kept}
        made = [
            FileInfo(_joined(path, name), is_dir=False, file_size=None)
            for name in FILES
            if name not in have
        ]
        trees = [FileInfo(_joined(path, name), is_dir=True, file_size=None) for name in parts]
        return sorted([*kept, *made, *trees], key=lambda info: info.path)

    def _write(self, job: ShownJob, shown: ShownPath, path: str, folder: str) -> str:
        """Write a file, or all of a folder, into a folder of this machine.

        A server answers with files alone: it would read a whole folder only to say so.
        """
        if shown.part and job.is_file(shown):
            file = self._destination(path, folder)
            job.write(shown, file)
            return str(file)
        if is_tracking_server_process():
            if not job.entries(shown):
                raise gone(shown)
            message = f"{shown} is a folder: list it, and download the files in it"
            raise UsageError(message)
        for info in self._kept(path) if not shown.part else ():
            self.plain.download_artifacts(info.path, folder)
        start, files = len(str(shown)), list(job.files(shown))
        if not files:
            raise gone(shown)
        for each in files:
            below = _joined(path, str(each)[start:].lstrip("/"))
            file = self._destination(below, folder)
            if each.part not in FILES or not file.exists():
                job.write(each, file)
        return str(Path(folder, path))

    def _destination(self, path: str, folder: str) -> Path:
        """Make the folders of a file that is downloaded, and refuse one outside of them."""
        return Path(str(self._create_download_destination(path, folder)))  # type: ignore[no-untyped-call]

    def _stored(self, path: str | None, folder: str | None) -> str:
        """Download what the repository itself holds."""
        local = local_path(self.plain, path or "") if folder is None else None
        return local or str(self.plain.download_artifacts(path, folder))

    def _listed(self, path: str | None) -> list[FileInfo]:
        """List what the repository itself holds."""
        found: list[FileInfo] = self.plain.list_artifacts(path)
        return found

    def _kept(self, path: str | None, but: Collection[str] = READ_THROUGH) -> list[FileInfo]:
        """List what the repository holds in ``sagemaker``, but for what is made or read."""
        return [info for info in self._listed(path) if posixpath.basename(info.path) not in but]

    def _stored_path(self, path: str) -> str | None:
        try:
            return local_path(self.plain, path)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _is_stored(self, path: str | None) -> bool:
        """Whether the repository itself holds a file."""
        folder, _ = posixpath.split(path or "")
        return any(info.path == path for info in self._listed(folder or None))

    def _is_run_root(self, path: str | None) -> bool:
        found = run_path(_joined(urlsplit(self.overlay_uri).path, path or ""))
        return found is not None and not found.rest

    def spot(self, path: str | None) -> Spot | None:
        """Find where a path leads; None for what is the repository's own."""
        run = run_path(_joined(urlsplit(self.overlay_uri).path, path or ""))
        if run is None:
            return None
        with mlflow_errors():
            shown = shown_path(run.rest)
        return Spot(run, shown) if shown else None

    def _claim(self, spot: Spot) -> Claim | None:
        from mlflow_smwatch.overlay.claimed_runs import claimed_runs

        with mlflow_errors():
            return claimed_runs.claim(spot.run, self.overlay_uri, self.store_uri)

    def _open(self, claim: Claim) -> ShownJob | None:
        from mlflow_smwatch.overlay.reader import reader

        lineage = uri_of(self.store_uri) if workspace() is None else None
        with mlflow_errors():
            return reader.open(claim, lineage)

    def job_of(self, spot: Spot, path: str | None) -> ShownJob | None:
        """Open the job of a path; None for what is the repository's own.

        A description that is stored is that of the moment when the mirror wrote it. A page of
        lineage that is stored is for those who cannot have a new one.
        """
        stored = spot.shown.part in FILES and self._is_stored(path)
        if stored and spot.shown.part == DOCUMENT:
            return None
        try:
            claim = self._claim(spot)
            return self._open(claim) if claim else None
        except MlflowException as error:
            if not stored:
                raise
            logger.warning("the stored %s of run %s: %s", path, spot.run.run_id, error)
            return None


def with_overlay(
    repository: ArtifactRepository, overlay_uri: str, store_uri: str | None
) -> ArtifactRepository:
    """Put the overlay before a repository, which stays what it is to all who look at it.

    Parameters
    ----------
    repository
        One of MLflow's.
    overlay_uri
        Its place, with ``smwatch+`` before it.
    store_uri
        Where its runs are; None for a server's own store, or MLflow's choice in a client.
    """
    cls = _overlaid(type(repository))
    shown: Any = object.__new__(cls)
    shown.__dict__.update(repository.__dict__)
    shown.plain, shown.overlay_uri, shown.store_uri = repository, overlay_uri, store_uri
    overlaid: ArtifactRepository = shown
    return overlaid


def _overlaid(base: type[ArtifactRepository]) -> type[Any]:
    """Make the class of a repository with the overlay before it, once."""
    if base not in _classes:
        members = {"__doc__": base.__doc__, "__module__": __name__}
        bases = (_overlay_of(base), base)
        _classes[base] = type(f"Overlaid{base.__name__}", bases, members)
    return _classes[base]


def _overlay_of(base: type[ArtifactRepository]) -> type[Overlay]:
    if not signs_downloads(base):
        return Overlay
    from mlflow_smwatch.plugins.signed_overlay import SignedOverlay

    return SignedOverlay


def _joined(path: str | None, name: str) -> str:
    if not name:
        return path or ""
    return f"{path.rstrip('/')}/{name}" if path else name

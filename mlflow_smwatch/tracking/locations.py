"""Where an experiment and its runs keep artifacts: MLflow's plain form, and the overlay's.

The two differ by their beginning alone, so that what was turned over comes back as it was::

    /srv/mlruns/1            smwatch+file:///srv/mlruns/1
    file:///srv/mlruns/1     smwatch+file://localhost/srv/mlruns/1
    s3://bucket/mlflow/1     smwatch+s3://bucket/mlflow/1        (also gs, wasbs)

MLflow drops an empty authority where it puts a run's place below its experiment's, so
``smwatch+file:/srv`` is the same as ``smwatch+file:///srv``.
"""

from __future__ import annotations

import os
import re

from mlflow_smwatch.core.errors import JobError

OVERLAY = "smwatch+"
"""Beginning of the schemes under which MLflow finds the overlay."""

REMOTE_SCHEMES = ("s3", "gs", "wasbs")
LONGEST_RUN = 200
"""Most characters of ``runs.artifact_uri`` in MLflow's schema."""

_BELOW_EXPERIMENT = len("/") + 32 + len("/artifacts")
_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"  # as in mlflow.server.constants

_FILE_FORMS = (
    ("smwatch+file://localhost/", "file:///"),
    ("smwatch+file:///", "/"),
    ("smwatch+file:/", "/"),
)
_AMBIGUOUS = re.compile(r"[?#\x00-\x1f\x7f]|^/(/|$)")


def is_overlaid(location: str) -> bool:
    """Whether MLflow opens a place through the overlay."""
    return location.startswith(OVERLAY)


def is_servers(location: str) -> bool:
    """Whether a place means what the server was started with (``--artifacts-destination``)."""
    return location.startswith("mlflow-artifacts:")


def server_destination() -> str | None:
    """Return where the server that this process belongs to keeps artifacts; None outside of one."""
    return os.environ.get(_DESTINATION)


def overlaid(location: str) -> str:
    """Return the overlay's form of a place.

    Parameters
    ----------
    location
        As MLflow has it, of an experiment or of a run; the overlay's form is returned as it is.

    Raises
    ------
    JobError
        When it has none, with the reason.
    """
    if is_overlaid(location):
        return location
    if location.startswith(tuple(f"{scheme}://" for scheme in REMOTE_SCHEMES)):
        return OVERLAY + location
    if location.startswith("file:///"):
        return "smwatch+file://localhost/" + _distinct(location, location[len("file://") :])[1:]
    if location.startswith("/"):
        return "smwatch+file://" + _distinct(location, location)
    raise JobError(_why_not(location))


def overlaid_below(base: str, folder: str) -> str:
    """Return the overlay's form of a folder, for an experiment of its own.

    Parameters
    ----------
    base
        Where the folder is: an absolute path or a URI. A file URI means the same as its path.
    folder
        Its name.

    Raises
    ------
    JobError
        When the overlay does not work there, or MLflow has no room for the addresses of runs.
    """
    location = overlaid(f"{base.removeprefix('file://').rstrip('/')}/{folder}")
    excess = len(location) + _BELOW_EXPERIMENT - LONGEST_RUN
    if excess > 0:
        message = (
            f"too long by {excess}, because MLflow keeps {LONGEST_RUN} characters of the address of"
            " a run's artifacts"
        )
        raise JobError(message)
    return location


def plain(location: str) -> str:
    """Return MLflow's form of a place; one that is plain already is returned as it is."""
    for ours, theirs in _FILE_FORMS:
        if location.startswith(ours):
            return theirs + location[len(ours) :]
    return location.removeprefix(OVERLAY)


def _distinct(location: str, path: str) -> str:
    """Refuse a path that would mean something else behind another beginning."""
    if _AMBIGUOUS.search(path):
        message = f"{location!r} cannot be written as a URI that means the same"
        raise JobError(message)
    return path


def _why_not(location: str) -> str:
    if is_servers(location):
        return (
            "the server decides where they are: start it with"
            " --artifacts-destination smwatch+<its destination>"
        )
    return f"the overlay works on local paths, file:///, s3://, gs:// and wasbs://, not {location}"

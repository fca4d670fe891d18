"""The private folder in which the workers of one tracking server meet.

Its name is made of the user and the store, so that all servers of a user over one store on one
computer share one mirror.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlflow_smwatch.core.errors import StopError

_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder and what lies in it.

    Attributes
    ----------
    folder
        Only its owner may look into it.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """The file that the elected worker has locked."""
        return self.folder / "lock"

    @property
    def watch(self) -> Path:
        """The status file of ``smwatch watch``."""
        return self.folder / "watch.json"

    @property
    def worker(self) -> Path:
        """What the elected worker tells of the process that it runs."""
        return self.folder / "worker.json"

    @property
    def store(self) -> Path:
        """What was last read of the store."""
        return self.folder / "store.json"


def place_of(store_uri: str) -> Place:
    """Make the folder of a store, or find it.

    Parameters
    ----------
    store_uri
        The server's backend store, absolute.

    Returns
    -------
    Place

    Raises
    ------
    StopError
        When the folder cannot be made, or is not private to this user.
    """
    digest = hashlib.sha256(store_uri.encode()).hexdigest()[:_DIGITS]
    folder = Path(tempfile.gettempdir(), f"smwatch-{_user()}-{digest}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _require_private(folder)
    except OSError as error:
        message = f"the folder {folder} cannot be made: {error.strerror}; set TMPDIR to another"
        raise StopError(message) from error
    return Place(folder=folder)


def _user() -> str:
    return getpass.getuser() if sys.platform == "win32" else str(os.getuid())


def _require_private(folder: Path) -> None:
    """Refuse what somebody else may have put there: anybody can write to the folder above."""
    if sys.platform == "win32":
        return
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_own or stat.S_IMODE(found.st_mode) & 0o077:
        message = f"{folder} is not this user's alone: remove it, or set TMPDIR to another folder"
        raise StopError(message)

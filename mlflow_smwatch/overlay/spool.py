"""Whole logs on their way to those who download them: read once for all who want one just now."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import IO

from mlflow_smwatch.overlay.fresh import LASTS_S, Fresh

_MOST = 8


class _Spooled:
    """A file of its own on disk, which goes with the last who holds it."""

    def __init__(self, write: Callable[[IO[bytes]], None]) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="smwatch-log-")  # noqa: SIM115 - closed when nobody holds it
        write(self._file.file)
        self._file.flush()

    def put(self, file: Path) -> None:
        """Make it another file too, without a copy where the file system allows."""
        try:
            os.link(self._file.name, file)
        except OSError:
            shutil.copyfile(self._file.name, file)


class Spool:
    """Files that several get which were written once; may be used by several threads.

    Parameters
    ----------
    lasts_s
        For how long a file is kept after it was written, seconds.
    """

    def __init__(self, lasts_s: float = LASTS_S) -> None:
        self._lasts_s = lasts_s
        self._files: Fresh[_Spooled] = Fresh(most=_MOST)

    def put(self, key: Hashable, file: Path, write: Callable[[IO[bytes]], None]) -> None:
        """Write a file, or take what somebody else wrote just now.

        Parameters
        ----------
        key
            What the file holds.
        file
            Where it is wanted; nothing must be there.
        write
            Writes it.
        """
        self._files.get(key, lambda: self._written(key, write), lambda _: self._lasts_s).put(file)

    def _written(self, key: Hashable, write: Callable[[IO[bytes]], None]) -> _Spooled:
        spooled = _Spooled(write)
        timer = threading.Timer(self._lasts_s, self._files.forget, (key,))
        timer.daemon = True
        timer.start()
        return spooled

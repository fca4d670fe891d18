"""One of several processes is elected: it holds a lock that the system frees when it is gone.

The lock is on an open file (``flock``), so a child that inherits the file holds it too: nobody
else is elected before the child of a process that died has ended as well. On Windows the lock
belongs to the process alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Seat:
    """The place of the elected one; held until it is left or the process ends.

    Parameters
    ----------
    path
        The file that is locked; the folder must be there.
    handle
        The open file.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    @property
    def inherited(self) -> tuple[int, ...]:
        """What a child must inherit to hold the seat too."""
        return () if sys.platform == "win32" else (self._handle,)

    def is_held(self) -> bool:
        """Tell whether the locked file is still the one at the path; it is kept from growing old.

        Programs that clean folders for temporary files remove what was not touched for days.
        """
        try:
            os.utime(self._path)
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            return False

    def leave(self) -> None:
        """Let another be elected."""
        os.close(self._handle)


def take_seat(path: Path) -> Seat | None:
    """Try to be elected.

    Parameters
    ----------
    path
        The file to be locked.

    Returns
    -------
    Seat or None
        None where another one is elected.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    seat = Seat(path, handle)
    if _locked(handle) and seat.is_held():
        return seat
    seat.leave()
    return None


def _locked(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

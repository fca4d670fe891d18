"""The end of stdin → an event: a program ends with the one that started it, however that ended.

A pipe from the parent is closed by the operating system when the parent dies, also by SIGKILL.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

GRACE_S = 30.0
"""How long what is in hand may take after that."""

_CUT_OFF = 1
_STDIN = 0


def stop_at_eof(stopped: threading.Event, tell: Callable[[str], None]) -> None:
    """Set an event when stdin ends; end the process if it is still there half a minute later.

    Parameters
    ----------
    stopped
        The event.
    tell
        Called with the reason after the event is set, in another thread.
    """

    def wait() -> None:
        _read_to_the_end()
        stopped.set()
        _tell_if_possible(tell)
        time.sleep(GRACE_S)
        os._exit(_CUT_OFF)

    threading.Thread(target=wait, name="smwatch-stdin", daemon=True).start()


def _read_to_the_end() -> None:
    try:
        while os.read(_STDIN, 4096):
            pass
    except OSError:
        return


def _tell_if_possible(tell: Callable[[str], None]) -> None:
    """Tell; the reader of stderr may be as dead as the writer of stdin."""
    try:
        tell("stdin ended")
    except OSError:
        return

"""Memory of long commands: many threads share few heaps."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2


def share_heaps() -> bool:
    """Have the threads that begin from now on share two heaps.

    glibc gives threads heaps of their own, up to eight for each core, and each keeps the most that
    it ever needed ("mallopt(3)", M_ARENA_MAX).

    Returns
    -------
    bool
        Whether the C library knows this.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS))
    except (AttributeError, OSError, TypeError):
        return False

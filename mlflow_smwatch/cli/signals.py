"""SIGTERM and SIGINT → an event, for commands that finish what they have in hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue


@contextmanager
def stopping(stopped: threading.Event, tell: Callable[[str], None]) -> Iterator[None]:
    """Set an event at SIGTERM or SIGINT; a second Ctrl-C does what it does elsewhere.

    A handler may interrupt the main thread while that holds the event's lock. So the handler only
    puts the signal into a queue, which may be interrupted at any point, and a thread does the rest
    (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).

    Parameters
    ----------
    stopped
        The event.
    tell
        Called with the signal's name after the event is set, in another thread.

    Yields
    ------
    None
    """
    received: SimpleQueue[str | None] = SimpleQueue()
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _: object) -> None:
        received.put(signal.Signals(number).name)
        signal.signal(signal.SIGINT, usual[signal.SIGINT])

    def stop() -> None:
        name = received.get()
        if name is not None:
            stopped.set()
            tell(name)

    thread = threading.Thread(target=stop, name="smwatch-signals", daemon=True)
    thread.start()
    for number in usual:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        received.put(None)
        thread.join()

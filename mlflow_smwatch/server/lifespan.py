"""Starts and ends something with an ASGI server, around any application.

Servers tell of their start and end by the lifespan protocol
(https://asgi.readthedocs.io/en/latest/specs/lifespan.html). uvicorn ends its workers by raising the
signal again that it received: what is registered with ``atexit`` is not called then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def with_lifespan(
    application: Application, start: Callable[[], None], stop: Callable[[], None]
) -> Application:
    """Call something when an application has started, and something else before it ends.

    Parameters
    ----------
    application
        Any ASGI application.
    start
        Must return at once.
    stop
        May take its time; called in another thread.

    Returns
    -------
    Application
    """

    async def around(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(stop)
            return message

        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                start()
            await send(message)

        await application(scope, hear, tell)

    return around

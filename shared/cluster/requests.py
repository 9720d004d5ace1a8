"""Requests as ASGI brings them, for whoever passes them on: their bodies, and work that ends when the other side leaves."""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def body_of(receive: Receive, longest: float = math.inf) -> bytes | None:
    """The body; None for one that is longer than so many bytes, or breaks off."""
    parts, size = [], 0
    while size <= longest and (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            return b"".join(parts) if size <= longest else None
    return None


def again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read once more before whatever comes after it."""
    first: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> MutableMapping[str, Any]:
        return first.pop() if first else await receive()

    return read


async def while_there(receive: Receive, work: Awaitable[None]) -> None:
    """Do the work for as long as whoever asked for it is there. The body must have been read before."""

    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing

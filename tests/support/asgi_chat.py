"""Chats straight into the application, for floods: no client of ours takes time from it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

from tests.support.http_stack import HTTP_SCOPE

PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Told:
    """An answer: its status, and the whole of its body."""

    status: int
    body: bytes

    @property
    def whole(self) -> bool:
        """Whether it is an answer, and came to its end."""
        if self.status != 200:
            return False
        return b'"error"' not in self.body and (self.body.endswith(b"data: [DONE]\n\n") or self.body.startswith(b"{"))


async def ask(app: ASGIApp, body: dict[str, Any], address: str = "127.0.0.1") -> Told:
    """One chat of a client at that address, who stays until the end."""
    data = orjson.dumps(body)
    incoming: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]
    parts: list[bytes] = []
    status = 0

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop()

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    headers = [*HTTP_SCOPE["headers"], (b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    scope = {"method": "POST", "path": PATH, "raw_path": PATH.encode(), "headers": headers, "client": (address, 50000)}
    await app({**HTTP_SCOPE, **scope, "state": {}}, receive, send)
    return Told(status, b"".join(parts))


async def flood(app: ASGIApp, bodies: Iterable[tuple[dict[str, Any], str]], *, at_once: int) -> list[Told]:
    """Ask all of these (body, address), so many at once."""
    waiting = iter(bodies)
    told: list[Told] = []

    async def work() -> None:
        for body, address in waiting:
            told.append(await ask(app, body, address))

    await asyncio.gather(*(work() for _ in range(at_once)))
    return told

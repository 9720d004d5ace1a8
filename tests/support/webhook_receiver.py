"""Somebody who takes webhooks: a real HTTP server on loopback that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

HANG = "hang"
"""An answer that never comes."""


class Receiver:
    """Gives its answers in turn, the last one for ever: each a status line and headers, or HANG."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.received: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.port = 0
        self._answers = list(answers)

    def url(self, path: str = "/services/T0KEN") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:"))
            self.received.append({"head": head, **json.loads(await reader.readexactly(length))})
            self.asked.set()
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer == HANG:
                await reader.read()
                self.left.set()
                return
            content = "" if answer.startswith("204") else "Content-Length: 2\r\n"
            writer.write(f"HTTP/1.1 {answer}\r\n{content}Connection: close\r\n\r\n".encode())
            writer.write(b"ok" if content else b"")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver(*answers: str) -> AsyncIterator[Receiver]:
    taker = Receiver(answers)
    listener = await asyncio.start_server(taker.answer, "127.0.0.1", 0)
    taker.port = listener.sockets[0].getsockname()[1]
    try:
        yield taker
    finally:
        listener.close()
        if hasattr(listener, "close_clients"):
            listener.close_clients()
        await asyncio.sleep(0)

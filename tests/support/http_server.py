"""Our server on a free port in this process, and raw connections to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

from http_api.limits import Limits
from http_api.server import Server, Shutdown


class Running:
    """A server that is up."""

    def __init__(self, port: int, server: Server) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.server = server

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own, read to the end of that connection."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return parsed(await asyncio.wait_for(reader.read(), 5))
        finally:
            writer.close()


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of raw bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body


@asynccontextmanager
async def serving(
    app: ASGIApp,
    *,
    on_stopping: Callable[[], None] = lambda: None,
    shutdown: Shutdown | None = None,
    send_buffer: int = 0,
    **limits: Any,
) -> AsyncIterator[Running]:
    """Serve the application for the length of the block; `send_buffer` is what the kernel keeps for a slow client."""
    listener = socket.socket()
    if send_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    ready = asyncio.Event()
    server = Server(
        app,
        limits=Limits(**limits),
        max_message_bytes=10**6,
        on_ready=ready.set,
        shutdown=shutdown or Shutdown(stop=on_stopping),
        handle_signals=False,
    )
    task = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.wait_for(ready.wait(), 5)
        yield Running(listener.getsockname()[1], server)
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        await _abandon(server)
        listener.close()


async def _abandon(server: Server) -> None:
    """End at once what a graceful end would wait for."""
    for listening in server.servers:
        listening.close()
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=5)

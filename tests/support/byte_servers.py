"""Servers that answer byte for byte what a test says, over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[["Seen"], Awaitable[None]]


@dataclass
class Seen:
    """One connection as the server has it: what came, and how to answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    asked: asyncio.Semaphore
    requests: list[bytes] = field(default_factory=list)

    async def request(self) -> bytes:
        """The next request; empty when the client has left."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        whole = head + await self.reader.readexactly(length)
        self.requests.append(whole)
        self.asked.release()
        return whole

    async def say(self, *parts: bytes) -> None:
        """Each part in a packet of its own, as far as that can be had."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()


@dataclass
class Server:
    """Where it listens, and every connection that it had."""

    port: int
    connections: list[Seen] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    noticed: int = 0

    async def has_had(self, number: int) -> None:
        """Wait until it has had so many requests in all."""
        async with asyncio.timeout(5):
            while self.noticed < number:
                await self.asked.acquire()
                self.noticed += 1

    @property
    def requests(self) -> list[bytes]:
        """Everything that was asked, in order of connections."""
        return [request for seen in self.connections for request in seen.requests]


@asynccontextmanager
async def serving(handler: Handler, *, trust: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """`handler` runs for each connection, which is closed after it."""
    found = Server(0)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen = Seen(reader, writer, len(found.connections), found.asked)
        found.connections.append(seen)
        try:
            await handler(seen)
        except ConnectionError:
            pass
        finally:
            found.left.set()
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=trust)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer whose length is known."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def always(answer: bytes) -> Handler:
    """Says the same to every request."""

    async def handler(seen: Seen) -> None:
        while await seen.request():
            await seen.say(answer)

    return handler

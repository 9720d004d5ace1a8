"""A TCP proxy between the gateway and PostgreSQL that can lose the answer to a COMMIT, as a broken network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

COMMIT = b"COMMIT\x00"
"""How a COMMIT ends in the simple query protocol, which psycopg uses for it."""
PART = 65536


class PostgresProxy:
    """Passes connections on to a server's socket file. While `lose_every` is n, every n-th COMMIT is passed on, its answer
    is read and dropped, and both ends of the connection are closed; 0 loses none. `lost` counts them.
    """

    def __init__(self, path: Path) -> None:
        self.port = 0
        self.lose_every = 0
        self.lost = 0
        self._path = path
        self._commits = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["PostgresProxy"]:
        """Serve for the length of the block."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                await self._joined(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _joined(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self._path)
        losing = asyncio.Event()
        try:
            ways = (
                asyncio.create_task(self._forth(client, to_server, losing)),
                asyncio.create_task(self._back(server, to_client, losing)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_server.close()

    async def _forth(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, losing: asyncio.Event) -> None:
        while part := await client.read(PART):
            if part.endswith(COMMIT) and self.lose_every:
                self._commits += 1
                if self._commits % self.lose_every == 0:
                    losing.set()
            server.write(part)
            await server.drain()

    async def _back(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, losing: asyncio.Event) -> None:
        while part := await server.read(PART):
            if losing.is_set():
                self.lost += 1
                return
            client.write(part)
            await client.drain()

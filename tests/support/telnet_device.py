"""A telnet device on loopback that says what a test wants and keeps what it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TelnetDevice:
    """Greets, answers each line with itself in brackets, and keeps every byte."""

    def __init__(self, greeting: bytes) -> None:
        self.port = 0
        self.received = bytearray()
        self.changed = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []
        self._greeting = greeting

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        writer.write(self._greeting)
        line = b""
        try:
            while data := await reader.read(4096):
                self.received += data
                self.changed.set()
                line += data
                while b"\r\n" in line:
                    whole, _, line = line.partition(b"\r\n")
                    writer.write(b"[" + whole.split(b"\xf0")[-1] + b"]\r\n")
        except OSError:
            pass
        finally:
            self.hung_up.set()
            writer.close()

    async def got(self, part: bytes) -> None:
        """Until that part has come."""
        async with asyncio.timeout(5):
            while part not in self.received:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running_telnet_device(greeting: bytes = b"login: ") -> AsyncIterator[TelnetDevice]:
    """A device, gone when the block ends."""
    device = TelnetDevice(greeting)
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    device.port = server.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        server.close()
        for writer in device.writers:
            writer.transport.abort()
        await server.wait_closed()

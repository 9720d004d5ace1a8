"""A telnet device on loopback that says what a test wants and keeps what it was sent."""

import asyncio
import contextlib
import re
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
async def running_telnet_device(
    greeting: bytes = b"login: ", kind: type[TelnetDevice] = TelnetDevice
) -> AsyncIterator[TelnetDevice]:
    """A device, gone when the block ends."""
    device = kind(greeting)
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    device.port = server.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        server.close()
        for writer in device.writers:
            writer.transport.abort()
        await server.wait_closed()


class Appliance:
    """What a network device is like: it asks for a name and a password, echoes late, pages by the size it was told,
    and wants to know what terminal it talks to. One connection is one dialogue."""

    NAME, PASSWORD, LINES = "admin", "tr0ub4dor", 60

    def __init__(self) -> None:
        self.port = 0
        self.rows = 0
        self.reports: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._typed = bytearray()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._reader, self._writer = reader, writer
        self.writers.append(writer)
        writer.write(bytes([255, 253, 24, 255, 253, 31, 255, 251, 1, 255, 251, 3, 255, 253, 39, 255, 253, 32]))
        with contextlib.suppress(OSError, EOFError):
            if await self._login():
                await self._shell()
        writer.close()

    async def _login(self) -> bool:
        name = await self._ask("\r\nUsername: ")
        password = await self._ask("Password: ", echo=False)
        if (name, password) != (self.NAME, self.PASSWORD):
            self._say("% Login invalid\r\n")
            return False
        return True

    async def _shell(self) -> None:
        while (command := await self._ask("switch#")) != "exit":
            if command == "show log":
                await self._page()
            elif command == "resize":
                self._say("\x1b7\x1b[999;999H\x1b[6n\x1b8")
                self.reports.append(await self._until(b"R"))
            elif command == "who":
                self._say("\x1b[c")
                self.reports.append(await self._until(b"c"))
            elif command:
                self._say(f"% Unknown command: {command}\r\n")

    async def _page(self) -> None:
        rows = max(self.rows, 2) - 1
        for line in range(1, self.LINES + 1):
            self._say(f"{line:03d} link up\r\n")
            if line % rows == 0 and line < self.LINES:
                self._say(" --More-- ")
                key = await self._key()
                self._say("\b" * 10 + " " * 10 + "\b" * 10)
                if key == b"q":
                    return

    async def _ask(self, prompt: str, *, echo: bool = True) -> str:
        self._say(prompt)
        line = b""
        while (key := await self._key()) not in (b"\r", b"\n"):
            line += key
            if echo:
                await asyncio.sleep(0.002)  # a slow device is what this stands for
                self._writer.write(key)
        self._say("\r\n")
        return line.decode()

    async def _until(self, end: bytes) -> bytes:
        said = b""
        while not said.endswith(end):
            said += await self._key()
        return said

    async def _key(self) -> bytes:
        while not self._typed:
            data = await self._reader.read(4096)
            if not data:
                raise EOFError
            self._take(data)
        key = bytes(self._typed[:1])
        del self._typed[:1]
        return key

    def _take(self, data: bytes) -> None:
        for found in re.finditer(rb"\xff\xfa\x1f..(..)\xff\xf0", data, re.DOTALL):
            self.rows = int.from_bytes(found[1], "big")
        data = re.sub(rb"\xff\xfa.*?\xff\xf0|\xff[\xfb-\xfe].", b"", data, flags=re.DOTALL)
        self._typed += data.replace(b"\r\n", b"\r").replace(b"\r\0", b"\r")

    def _say(self, text: str) -> None:
        self._writer.write(text.encode())


@asynccontextmanager
async def running_appliance() -> AsyncIterator[Appliance]:
    """A device with a login, a prompt and a pager, gone when the block ends."""
    device = Appliance()
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    device.port = server.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        server.close()
        for writer in device.writers:
            writer.transport.abort()
        await server.wait_closed()

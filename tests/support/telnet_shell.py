"""A telnet host on loopback with a real shell on a real terminal behind it, as telnetd has."""

import asyncio
import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

GREETING = bytes([255, 251, 1, 255, 251, 3, 255, 253, 31])  # WILL ECHO, WILL SUPPRESS-GO-AHEAD, DO NAWS
_SIZE = re.compile(rb"\xff\xfa\x1f(....)\xff\xf0", re.DOTALL)
_COMMAND = re.compile(rb"\xff[\xfb-\xfe].", re.DOTALL)


class TelnetShell:
    """Where it listens, and what it runs."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.port = 0
        self._env = env
        self._running: list[tuple[asyncio.StreamWriter, asyncio.subprocess.Process]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One login."""
        loop = asyncio.get_running_loop()
        master, slave = os.openpty()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            'exec <>"$0" >&0 2>&0 && exec bash --norc -i',
            os.ttyname(slave),
            stdin=subprocess.DEVNULL,
            env=dict(self._env),
            start_new_session=True,
        )
        self._running.append((writer, process))
        writer.write(GREETING)
        os.set_blocking(master, False)
        loop.add_reader(master, _pump, master, writer)
        over = asyncio.ensure_future(process.wait())
        over.add_done_callback(lambda _: _last_words(master, writer))
        try:
            while data := await reader.read(4096):
                os.write(master, _typed(data, slave))
        except OSError:
            pass
        finally:
            loop.remove_reader(master)
            if process.returncode is None:
                process.kill()
            await over
            os.close(master)
            os.close(slave)
            writer.close()

    async def end(self) -> None:
        """Hang up on everybody."""
        for writer, process in self._running:
            writer.transport.abort()
            await process.wait()


def _typed(data: bytes, slave: int) -> bytes:
    for size in _SIZE.findall(data):
        cols, rows = struct.unpack("!HH", size)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    return _COMMAND.sub(b"", _SIZE.sub(b"", data)).replace(b"\r\0", b"\r").replace(b"\r\n", b"\r")


def _pump(master: int, writer: asyncio.StreamWriter) -> int:
    try:
        data = os.read(master, 65536)
    except OSError:
        return 0
    if not writer.is_closing():
        writer.write(data.replace(b"\xff", b"\xff\xff"))
    return len(data)


def _last_words(master: int, writer: asyncio.StreamWriter) -> None:
    while _pump(master, writer):
        continue
    writer.close()


@asynccontextmanager
async def running_telnet_shell(env: Mapping[str, str]) -> AsyncIterator[TelnetShell]:
    """A host, gone with its shells when the block ends."""
    shell = TelnetShell(env)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await shell.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    shell.port = server.sockets[0].getsockname()[1]
    try:
        yield shell
    finally:
        server.close()
        await shell.end()
        if serving:
            await asyncio.wait(serving)
        await server.wait_closed()

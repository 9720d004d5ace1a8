"""A Messages server on loopback: it records what it is asked and answers as it is told, byte by byte."""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Request:
    """What a client sent. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes = b""


@dataclass
class Reply:
    """An answer, sent as chunks, one for each of `blocks`.

    `hold` keeps it open after the last block until the client goes; `cut` drops the connection there instead.
    """

    blocks: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    hold: bool = False
    cut: bool = False

    @classmethod
    def stream(cls, *blocks: bytes, hold: bool = False, cut: bool = False) -> Self:
        """An event stream."""
        return cls(blocks, headers={"content-type": "text/event-stream; charset=utf-8"}, hold=hold, cut=cut)


class FakeAnthropic:
    """Use as a context manager. `requests` is what came (`asked` says that something did), `replies` what goes out
    next (to a GET `listed`, where there is one), `client_gone` says that a client left an answer that was held open."""

    def __init__(self, *replies: Reply, listed: Reply | None = None) -> None:
        self.replies = deque(replies)
        self.listed = listed
        self.requests: list[Request] = []
        self.client_gone = asyncio.Event()
        self.asked = asyncio.Event()
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _request(reader)
        self.requests.append(request)
        self.asked.set()
        reply = self.listed if self.listed is not None and request.method == "GET" else self.replies.popleft()
        lines = [f"HTTP/1.1 {reply.status} X", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for block in reply.blocks:
            writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            await writer.drain()
        if reply.cut:
            return False
        if reply.hold:
            await reader.read()
            self.client_gone.set()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body) if body else None, body)

"""The barest proxies one could write: raw ASGI under uvicorn with uvloop and httptools, and one HTTP client.

They forward a chat and do nothing else: no parsing, no checks, no accounts, no log. What a gateway costs above
`bare-aiohttp` is its own work; what it costs above `bare-httpx` it would pay whatever it did.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import uvicorn

CONNECTIONS = 512
KEEP_ALIVE_SECONDS = 60
TIMEOUT_SECONDS = 60
FORWARDED = {b"content-type", b"authorization"}

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, str, AsyncIterator[bytes]]


class Upstream(Protocol):
    """An HTTP client: `post` gives status, media type and body."""

    async def open(self) -> None: ...
    def post(self, url: str, headers: dict[str, str], body: bytes) -> Any: ...


class Aiohttp:
    """The client of aiohttp."""

    async def open(self) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_SECONDS),
        )

    @asynccontextmanager
    async def post(self, url: str, headers: dict[str, str], body: bytes) -> AsyncIterator[Answer]:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            yield response.status, response.headers["content-type"], response.content.iter_any()


class Httpx:
    """The client of httpx."""

    async def open(self) -> None:
        import httpx

        limits = httpx.Limits(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
        )
        self._client = httpx.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS, trust_env=False)

    @asynccontextmanager
    async def post(self, url: str, headers: dict[str, str], body: bytes) -> AsyncIterator[Answer]:
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            yield response.status_code, response.headers["content-type"], response.aiter_raw()


class Proxy:
    """The ASGI application."""

    def __init__(self, upstream: Upstream, base_url: str) -> None:
        self._upstream = upstream
        self._base_url = base_url

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._upstream.open()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name in FORWARDED}
        body = await _read(receive)
        async with self._upstream.post(self._base_url + scope["path"], headers, body) as (status, media, chunks):
            if media.startswith("text/event-stream"):
                await send(_start(status, media))
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            else:
                whole = b"".join([chunk async for chunk in chunks])
                await send(_start(status, media, (b"content-length", b"%d" % len(whole))))
                await send({"type": "http.response.body", "body": whole})


def _start(status: int, media: str, *more: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", media.encode()), *more]}


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


if __name__ == "__main__":
    client, port, base_url = sys.argv[1:]
    upstream: Upstream = Aiohttp() if client == "aiohttp" else Httpx()
    uvicorn.run(
        Proxy(upstream, base_url),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )

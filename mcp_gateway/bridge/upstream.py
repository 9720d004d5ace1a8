"""The running gateway, as the bridge reaches it over HTTP."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import orjson

from mcp_gateway.bridge.trust import Untrusted, checks
from mcp_gateway.folder import HEADER, encoded
from shared.errors import UpstreamBadAnswer
from shared.providers.server_sent_events import EventSplitter, payloads

if TYPE_CHECKING:
    from shared.settings import Settings

VARIABLE = "MCP_GATEWAY_TOKEN"
"""Holds the key for the gateway: on the command line every process could read it."""
ENDPOINT = "/mcp"
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 90.0
"""The gateway says something on every open stream each 15 seconds."""
CLOSE_SECONDS = 2.0
LOOK_SECONDS = 3.0
SIGNS = frozenset({"status", "layers", "uptimeSeconds"})
"""What only a gateway says of its health."""
RETURN_SECONDS = 5.0
RETURN_STEP = 0.1
TEXT_LIMIT = 500

Lost = httpx2.TransportError
"""The connection could not be made, or broke off."""


class Away(Exception):
    """No gateway of ours answers; nothing was sent. Its text, if any, says what does."""


class Response:
    """An answer whose head has come."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def is_stream(self) -> bool:
        """Whether messages come one by one."""
        return self.headers.get("content-type", "").lower().startswith("text/event-stream")

    async def content(self) -> Any:
        """The body as JSON, None where it is none."""
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(await self._response.aread())
        return None

    async def messages(self) -> AsyncIterator[tuple[bytes, dict[str, Any]]]:
        """The messages of a stream, as they came and as what they say. Raises Lost where it breaks off."""
        splitter = EventSplitter()
        try:
            async for block in self._response.aiter_raw():
                for data in payloads(splitter.feed(block)):
                    with suppress(orjson.JSONDecodeError):
                        content = orjson.loads(data)
                        if isinstance(content, dict):
                            yield data, content
        except UpstreamBadAnswer as error:
            raise httpx2.RemoteProtocolError(error.message) from None


class Upstream:
    """One gateway. `base` is its address, with or without `/mcp` at the end.

    One that is being started again is waited for, `patience` seconds at most. Raises ValueError when MCP_GATEWAY_USER
    names no user. `folder` is what the client has open, which a gateway on this machine is told.
    """

    def __init__(self, base: str, key: str = "", *, patience: float = RETURN_SECONDS, folder: str = "") -> None:
        self._patience = patience
        self.base = base.rstrip("/").removesuffix(ENDPOINT).rstrip("/")
        self.is_local = is_loopback(self.base)
        self.has_key = bool(key)
        self._extensions = checks(self.base, has_key=self.has_key)
        headers = {"user-agent": "mcp-gateway-stdio", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        if folder and self.is_local:
            headers[HEADER] = encoded(folder)
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            # a proxy of the environment would send us out and back, or nowhere
            trust_env=not (self.is_local or self._extensions),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def is_ours(self) -> bool | None:
        """Whether what answers there is a gateway; None when nothing does. Raises Untrusted."""
        try:
            answer = await self._client.get(self.base + "/health", timeout=LOOK_SECONDS, extensions=self._extensions)
            found = orjson.loads(answer.content)
        except Untrusted:
            raise
        except Lost:
            return None
        except orjson.JSONDecodeError:
            return False
        return isinstance(found, dict) and found.keys() >= SIGNS

    @asynccontextmanager
    async def post(self, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[Response]:
        """Send a message. Raises Away when it was not sent, Lost when the connection broke off after that."""
        request = self._client.build_request(
            "POST", self.base + ENDPOINT, content=body, headers=dict(headers), extensions=self._extensions
        )
        response = await self._sent(request)
        try:
            yield Response(response)
        finally:
            await response.aclose()

    @asynccontextmanager
    async def listen(self, headers: Mapping[str, str]) -> AsyncIterator[Response]:
        """Open the stream for what the server says by itself. Raises Lost."""
        url, extensions = self.base + ENDPOINT, self._extensions
        async with self._client.stream("GET", url, headers=dict(headers), extensions=extensions) as response:
            yield Response(response)

    async def end_session(self, headers: Mapping[str, str]) -> None:
        """Tell the gateway that the session is over; it then ends what runs in it."""
        with suppress(Lost, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                url, extensions = self.base + ENDPOINT, self._extensions
                await self._client.delete(url, headers=dict(headers), extensions=extensions)

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while True:
            try:
                return await self._client.send(request, stream=True)
            except Untrusted as error:
                raise Away(str(error)) from None
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if loop.time() > until:
                    raise Away() from None
                await asyncio.sleep(RETURN_STEP)


def local_url(settings: Settings) -> str:
    """Where a gateway with these settings is reached from its own machine."""
    host = settings.api_host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{settings.api_port}" if ":" in host else f"http://{host}:{settings.api_port}"


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def key_here() -> str:
    """The key for the gateway, which is then no longer shown to other processes of the user."""
    key = os.environ.get(VARIABLE, "").strip()
    if key:
        from shared.terminal.concealment import conceal

        conceal([VARIABLE])
        del os.environ[VARIABLE]
    return key

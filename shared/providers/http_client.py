"""The one seam to upstream HTTP: post a body, get the answer whole or as blocks; faults come out classified.

The client under it is aiohttp's, the fastest of the well-kept ones (see docs/decisions/upstream-client.md).
"""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork, UpstreamTimeout
from shared.providers.base import Timeouts

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
KEEP_ALIVE_SECONDS = 60
DRAIN_SECONDS = 0.05
STALE_SECONDS = 0.25


class HttpClient:
    """A pool of upstream connections. It opens on first use and belongs to one event loop."""

    def __init__(self, *, max_connections_per_host: int = 512, use_proxy_environment: bool = False) -> None:
        self._max_connections = max_connections_per_host
        self._use_proxy_environment = use_proxy_environment
        self._session: aiohttp.ClientSession | None = None

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeouts: Timeouts) -> "Exchange":
        """Send a request; the answer lives as long as the block does."""
        return Exchange(self.session, "POST", url, headers, body, timeouts)

    def get(self, url: str, *, headers: Mapping[str, str], timeouts: Timeouts) -> "Exchange":
        """Ask for something small."""
        return Exchange(self.session, "GET", url, headers, None, timeouts)

    @property
    def session(self) -> "aiohttp.ClientSession":
        """The pool, opened on first use."""
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(
                limit=0,
                limit_per_host=self._max_connections,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                ttl_dns_cache=60,
                happy_eyeballs_delay=0.25,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=self._use_proxy_environment,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
                auto_decompress=True,
                read_bufsize=256 * 1024,
            )
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Exchange:
    """One request and its answer. Leaving the block early closes the connection, which stops the provider."""

    def __init__(
        self,
        session: "aiohttp.ClientSession",
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> None:
        self._session = session
        self._method = method
        self._url = url
        self._request_headers = headers
        self._body = body
        self._timeouts = timeouts
        self._response: aiohttp.ClientResponse

    async def __aenter__(self) -> Self:
        import aiohttp

        began = time.monotonic()
        try:
            self._response = await self._send()
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            # One that was closed while idle shows at once. Later the provider may have worked, and would bill twice.
            if time.monotonic() - began > STALE_SECONDS or not _closed_before_an_answer(error):
                raise network_error(error) from error
            self._response = await self._send_again()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers; names are case-insensitive."""
        return self._response.headers

    async def read(self, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """The whole body. Raises UpstreamError when it is cut off or larger than `limit` bytes."""
        announced = self._response.content_length
        if announced is not None and announced <= limit and "content-encoding" not in self._response.headers:
            return await self._read_announced()
        parts: list[bytes] = []
        size = 0
        async for block in self.blocks(stall=self._timeouts.total):
            size += len(block)
            if size > limit:
                raise UpstreamBadAnswer(
                    "The provider's answer is too large to handle.", operator_detail=f"over {limit} bytes"
                )
            parts.append(block)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def beginning(self, limit: int = MAX_ERROR_BYTES) -> bytes:
        """What comes of a failure's body, up to `limit` bytes: its status counts even where the rest is too much, or missing."""
        found = bytearray()
        try:
            async for block in self.blocks():
                found += block
                if len(found) >= limit:
                    break
        except UpstreamError:
            pass
        return bytes(found[:limit])

    async def _read_announced(self) -> bytes:
        """A body whose length is known to be within the limit; the exchange's total time bounds the wait."""
        import aiohttp

        try:
            return await self._response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise network_error(error) from error

    async def blocks(self, *, stall: float | None = None) -> AsyncIterator[bytes]:
        """The body as it comes, each block at most `stall` seconds after the one before."""
        import aiohttp

        content = self._response.content
        seconds = self._timeouts.stall if stall is None else stall
        try:
            while not content.at_eof():
                block = content.read_nowait()  # what is here already needs no clock
                if not block:
                    async with asyncio.timeout(seconds):
                        block = await content.readany()
                if block:
                    yield block
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise network_error(error) from error

    async def drain(self) -> None:
        """Give the end of the body, which should be here already, a moment to come, so that the connection is kept."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self.blocks():
                    pass
        except (TimeoutError, UpstreamError):
            pass

    async def _send(self) -> "aiohttp.ClientResponse":
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeouts.total, sock_connect=self._timeouts.connect)
        return await self._session.request(
            self._method,
            self._url,
            data=self._body,
            headers=self._request_headers,
            timeout=timeout,
            allow_redirects=False,
        )

    async def _send_again(self) -> "aiohttp.ClientResponse":
        import aiohttp

        try:
            return await self._send()
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise network_error(error) from error


def _closed_before_an_answer(error: BaseException) -> bool:
    """Whether the connection went without any answer, as a kept-alive one does that was closed while idle."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorError):
        return False  # it was never there
    return isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError | BrokenPipeError) or (
        isinstance(error, aiohttp.ClientOSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
    )


def network_error(error: BaseException) -> UpstreamError:
    """A fault below HTTP in our words; which host it was stays in the operator's log."""
    import aiohttp

    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UpstreamNetwork(
            "The provider's host name cannot be resolved; check its base URL.", operator_detail=detail
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamNetwork("The provider cannot be reached in time.", operator_detail=detail)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("The provider did not answer in time.", operator_detail=detail)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return UpstreamNetwork("The provider's TLS certificate cannot be trusted.", operator_detail=detail)
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamNetwork(
            "The provider cannot be reached; check its base URL and the network.", operator_detail=detail
        )
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return UpstreamNetwork("The provider's base URL is not valid.", operator_detail=detail)
    return UpstreamNetwork("The connection to the provider broke off.", operator_detail=detail)

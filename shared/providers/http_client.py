"""The one seam to upstream HTTP: post a body, get the answer whole or as blocks; faults come out classified.

The client under it is our own, on httptools (see docs/decisions/upstream-client.md).
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from shared.domain.json_values import has_more_values
from shared.domain.trace import CURRENT
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork, UpstreamTimeout
from shared.providers.base import Timeouts
from shared.providers.http.connection import BadAnswer, Connection, GoneUnanswered
from shared.providers.http.content import Unpacked
from shared.providers.http.dialing import Dialer, NotInTime, NotReached
from shared.providers.http.pool import Pool
from shared.providers.http.target import Origin, head_of, target_of

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ANSWER_VALUES = 2_000_000
"""JSON values of an answer. More would hold the event loop while they are parsed: 12 million do so for 1.7 s."""
MAX_ERROR_BYTES = 64 * 1024
DRAIN_SECONDS = 0.05
STALE_SECONDS = 0.25

FAULTS = (OSError, ValueError, TimeoutError, BadAnswer, zlib.error)


class HttpClient:
    """A pool of upstream connections. It opens on first use and belongs to one event loop.

    With `traced` every request says which trace it belongs to.
    """

    def __init__(
        self, *, max_connections_per_host: int = 512, use_proxy_environment: bool = False, traced: bool = False
    ) -> None:
        self._traced = traced
        self._dialer = Dialer(use_proxy_environment=use_proxy_environment)
        self._pool = Pool(self._dialer, most=max_connections_per_host)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeouts: Timeouts) -> "Exchange":
        """Send a request; the answer lives as long as the block does."""
        return self._exchange("POST", url, headers, body, timeouts)

    def get(self, url: str, *, headers: Mapping[str, str], timeouts: Timeouts) -> "Exchange":
        """Ask for something small."""
        return self._exchange("GET", url, headers, None, timeouts)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts
    ) -> "Exchange":
        trace = CURRENT.get() if self._traced and body is not None else None
        if trace is not None:
            headers = {**headers, "traceparent": trace.traceparent}
        try:
            target, more = self._dialer.asked_through(target_of(url))
            head = head_of(
                method, target, {**headers, **more} if more else headers, None if body is None else len(body)
            )
        except ValueError as error:
            raise network_error(error) from error
        return Exchange(self._pool, target.origin, head if body is None else head + body, timeouts)


class Exchange:
    """One request and its answer. Leaving the block early closes the connection, which stops the provider."""

    __slots__ = ("_connection", "_ends", "_loop", "_origin", "_pool", "_request", "_timeouts")

    def __init__(self, pool: Pool, origin: Origin, request: bytes, timeouts: Timeouts) -> None:
        self._pool = pool
        self._origin = origin
        self._request = request
        self._timeouts = timeouts
        self._connection: Connection

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        began = self._loop.time()
        self._ends = began + self._timeouts.total
        try:
            self._connection = await self._asked()
        except FAULTS as error:
            # One that was closed while idle shows at once. Later the provider may have worked, and would bill twice.
            if not isinstance(error, GoneUnanswered) or self._loop.time() - began > STALE_SECONDS:
                raise network_error(error) from error
            self._connection = await self._asked_again()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.give_back(self._origin, self._connection)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._connection.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, their names in lower case."""
        return self._connection.headers

    async def read(self, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """The whole body. Raises UpstreamError when it is cut off, larger than `limit` bytes, or has too many JSON values."""
        parts: list[bytes] = []
        size = 0
        async for block in self.blocks(stall=self._timeouts.total):
            size += len(block)
            if size > limit:
                raise UpstreamBadAnswer(
                    "The provider's answer is too large to handle.", operator_detail=f"over {limit} bytes", begun=True
                )
            parts.append(block)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if size > MAX_ANSWER_VALUES and has_more_values(body, MAX_ANSWER_VALUES):
            raise UpstreamBadAnswer(
                "The provider's answer has too many values to handle.",
                operator_detail=f"over {MAX_ANSWER_VALUES} JSON values",
                begun=True,
            )
        return body

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

    def blocks(self, *, stall: float | None = None) -> "Blocks":
        """The body as it comes, each block at most `stall` seconds after the one before."""
        seconds = self._timeouts.stall if stall is None else stall
        return Blocks(self._connection, self._loop, seconds, self._ends)

    async def drain(self) -> None:
        """Give the end of the body, which should be here already, a moment to come, so that the connection is kept."""
        connection, until = self._connection, self._loop.time() + DRAIN_SECONDS
        try:
            while not connection.complete:
                connection.taken()
                await connection.more(until)
            connection.taken()
        except FAULTS:
            pass

    async def _asked(self) -> Connection:
        """A connection on which the request was sent and the head of its answer has come."""
        connection = self._pool.idle(self._origin)
        if connection is None:
            connection = await self._pool.opened(
                self._origin, connect_seconds=self._timeouts.connect, deadline=self._ends
            )
        try:
            await connection.ask(self._request, self._ends)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _asked_again(self) -> Connection:
        try:
            return await self._asked()
        except FAULTS as error:
            raise network_error(error) from error


class Blocks:
    """A body as it comes. Raises UpstreamError.

    It is no generator: one that is left before its end has to be closed by a task of its own.
    """

    __slots__ = ("_connection", "_ends", "_loop", "_seconds", "_unpacked")

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop, seconds: float, ends: float) -> None:
        self._connection = connection
        self._loop = loop
        self._seconds = seconds
        self._ends = ends
        encoding = connection.headers.get("content-encoding")
        try:
            self._unpacked = None if encoding is None else Unpacked.of(encoding)
        except BadAnswer as error:
            raise network_error(error) from error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        connection, unpacked = self._connection, self._unpacked
        try:
            while True:
                if self._loop.time() >= self._ends:
                    raise TimeoutError("it did not end in time")
                if unpacked is not None and (part := unpacked.part()):
                    await asyncio.sleep(0)  # a little that was packed may be thousands of them, with no wait between
                    return part
                block = connection.taken()
                if block and unpacked is not None:
                    unpacked.feed(block)
                elif block:
                    return block
                elif connection.complete:
                    if unpacked is not None:
                        unpacked.end()
                    raise StopAsyncIteration
                else:
                    await connection.more(min(self._loop.time() + self._seconds, self._ends))
        except FAULTS as error:
            failure = network_error(error)
            failure.begun = True
            raise failure from error


def network_error(error: BaseException) -> UpstreamError:
    """A fault below the answer in our words; which host it was stays in the operator's log."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, socket.gaierror):
        return UpstreamNetwork(
            "The provider's host name cannot be resolved; check its base URL.", operator_detail=detail
        )
    if isinstance(error, NotInTime):
        return UpstreamNetwork("The provider cannot be reached in time.", operator_detail=detail)
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("The provider did not answer in time.", operator_detail=detail)
    if isinstance(error, ssl.SSLCertVerificationError):
        return UpstreamNetwork("The provider's TLS certificate cannot be trusted.", operator_detail=detail)
    if isinstance(error, ssl.SSLError):
        return UpstreamNetwork(
            "The provider does not speak TLS as we do; check its base URL (http:// or https://, and the port).",
            operator_detail=detail,
        )
    if isinstance(error, NotReached):
        return UpstreamNetwork(
            "The provider cannot be reached; check its base URL and the network.", operator_detail=detail
        )
    if isinstance(error, ValueError):
        return UpstreamNetwork("The provider's base URL is not valid.", operator_detail=detail)
    if isinstance(error, BadAnswer | zlib.error):
        return UpstreamNetwork("The provider sent something that is no HTTP answer.", operator_detail=detail)
    return UpstreamNetwork("The connection to the provider broke off.", operator_detail=detail)

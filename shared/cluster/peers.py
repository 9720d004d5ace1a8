"""How this process asks another one of its gateway: a signed call over HTTP, to a socket file or another machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from shared.cluster import wire
from shared.domain.identity import Caller
from shared.domain.nodes import Node
from shared.domain.trace import CURRENT
from shared.errors import Unavailable
from shared.security.node_signatures import NodeSignatures

if TYPE_CHECKING:
    import aiohttp

UNIX = "unix:"
PREFIX = "/internal"
CALL, STREAM, MOUNTED = f"{PREFIX}/call", f"{PREFIX}/stream", f"{PREFIX}/mounted"
SIGNATURE = "x-gateway-node"
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request for what is mounted beside our own routes. `target` is its path and query."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer, its body as it comes."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: AsyncIterator[bytes]


class Peers:
    """Asks other processes. Everything here raises Unavailable when one does not answer, and what it says is wrong."""

    def __init__(self, signatures: NodeSignatures, clock: Callable[[], datetime]) -> None:
        self.signatures = signatures
        self._clock = clock
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def call(
        self,
        node: Node,
        caller: Caller,
        operation: str,
        payload: Mapping[str, Any],
        *,
        strict: bool,
        within: float | None = None,
    ) -> Any:
        """Have an operation run there; its result as JSON."""
        body = _asked(caller, operation, payload, strict=strict)
        try:
            async with asyncio.timeout(within), self._post(node, CALL, body) as response:
                answer = orjson.loads(await response.read())
        except TimeoutError:
            raise away() from None
        if "error" in answer:
            raise wire.error_from_json(answer["error"])
        return answer["result"]

    @asynccontextmanager
    async def stream(
        self, node: Node, caller: Caller, operation: str, payload: Mapping[str, Any], kinds: tuple[type, ...]
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """Have a stream operation run there; leaving the block ends it."""
        async with self._post(node, STREAM, _asked(caller, operation, payload, strict=True)) as response:
            lines = _lines(response)
            first = await anext(lines)  # that it is open, or why it is not
            _raise_if_error(first)
            yield _events(lines, kinds)

    @asynccontextmanager
    async def ask(self, node: Node, caller: Caller, request: Request) -> AsyncIterator[Response]:
        """Have a request answered by what is mounted there; leaving the block ends it."""
        head = {
            "caller": wire.caller_to_json(caller),
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("latin-1"),
        }
        async with self._post(node, MOUNTED, orjson.dumps(head)) as response:
            yield Response(
                status=response.status,
                headers=[(bytes(name), bytes(value)) for name, value in response.raw_headers],
                body=_blocks(response),
            )

    async def aclose(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    @asynccontextmanager
    async def _post(self, node: Node, target: str, body: bytes) -> "AsyncIterator[aiohttp.ClientResponse]":
        import aiohttp

        headers = {
            SIGNATURE: self.signatures.sign(node.id, target, body, now=self._clock().timestamp()),
            "host": "localhost",
            "content-type": "application/json",
        }
        if trace := CURRENT.get():
            headers["traceparent"] = trace.traceparent
        base = "http://localhost" if node.address.startswith(UNIX) else node.address.rstrip("/")
        try:
            async with self._session(node).post(
                base + target, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status == 401:
                    raise away()
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise away(repr(error)) from error

    def _session(self, node: Node) -> "aiohttp.ClientSession":
        import aiohttp

        if node.address not in self._sessions:
            unix = node.address.removeprefix(UNIX) if node.address.startswith(UNIX) else None
            self._sessions[node.address] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0) if unix is None else aiohttp.UnixConnector(unix, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=256 * 1024,
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
        return self._sessions[node.address]


def away(detail: str = "") -> Unavailable:
    """The error when another process does not answer."""
    return Unavailable(
        "The process of the gateway that has this session does not answer; try again, or open a new session.",
        operator_detail=detail,
        retry_after=2,
    )


def _asked(caller: Caller, operation: str, payload: Mapping[str, Any], *, strict: bool) -> bytes:
    return orjson.dumps(
        {"caller": wire.caller_to_json(caller), "operation": operation, "payload": dict(payload), "strict": strict}
    )


async def _blocks(response: "aiohttp.ClientResponse") -> AsyncIterator[bytes]:
    async for block in response.content.iter_any():
        yield block


async def _lines(response: "aiohttp.ClientResponse") -> AsyncIterator[dict[str, Any]]:
    """One JSON object a line; a line may be longer than what the connection holds. Raises Unavailable at a sudden end."""
    rest = bytearray()
    async for block in response.content.iter_any():
        rest += block
        *whole, last = rest.split(b"\n")
        rest = bytearray(last)
        for line in whole:
            yield orjson.loads(line)
    raise away("the stream broke off")


async def _events(lines: AsyncIterator[dict[str, Any]], kinds: tuple[type, ...]) -> AsyncIterator[Any]:
    async for line in lines:
        _raise_if_error(line)
        if "end" in line:
            return
        yield wire.event_from_json(line, kinds)


def _raise_if_error(line: Mapping[str, Any]) -> None:
    if "error" in line:
        raise wire.error_from_json(dict(line["error"]))

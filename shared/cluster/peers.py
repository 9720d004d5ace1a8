"""How this process asks another one of its gateway: a signed call over HTTP, to a socket file or another machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from shared.cluster import wire
from shared.cluster.nodes import Nodes, away
from shared.domain.identity import LOCAL, Caller
from shared.domain.measures import Family
from shared.domain.nodes import UNIX, Node
from shared.domain.trace import CURRENT
from shared.security.node_signatures import NodeSignatures

if TYPE_CHECKING:
    import aiohttp

PREFIX = "/internal"
CALL, STREAM, MOUNTED = f"{PREFIX}/call", f"{PREFIX}/stream", f"{PREFIX}/mounted"
METRICS = f"{PREFIX}/metrics"
SIGNATURE = "x-gateway-node"
CONNECT_SECONDS = 2.0
CHECK_SECONDS = 5.0
LONGEST_REASON = 500


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
    """Asks other processes. Everything here raises Unavailable when one does not answer or goes, and what it says is wrong."""

    def __init__(self, nodes: Nodes, signatures: NodeSignatures, clock: Callable[[], datetime]) -> None:
        self._nodes = nodes
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
        return await self._result(node, CALL, _asked(caller, operation, payload, strict=strict), within)

    async def families(self, node: Node, *, within: float) -> list[Family]:
        """Return what that process measures."""
        found = await self._result(node, METRICS, b"{}", within)
        try:
            return [Family.from_json(family) for family in found]
        except (KeyError, TypeError, ValueError) as error:
            raise away(repr(error)) from None

    @asynccontextmanager
    async def stream(
        self, node: Node, caller: Caller, operation: str, payload: Mapping[str, Any], kinds: tuple[type, ...]
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """Have a stream operation run there; leaving the block ends it."""
        async with self._post(node, STREAM, _asked(caller, operation, payload, strict=True)) as response:
            lines = _lines(self._blocks(node, response))
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
                body=self._blocks(node, response),
            )

    async def _result(self, node: Node, target: str, body: bytes, within: float | None) -> Any:
        try:
            async with (
                asyncio.timeout(within),
                self._post(node, target, body) as response,
                self._nodes.attending(node),
            ):
                answer = _object(await response.read())
        except TimeoutError:
            raise away(f"no answer within {within} seconds") from None
        _raise_if_error(answer)
        if "result" not in answer:
            raise away("the answer has no result")
        return answer["result"]

    async def problem(self, node: Node) -> str:
        """Why a process, this one included, cannot be asked at its address; empty when it can."""
        import aiohttp

        body = _asked(LOCAL, "health", {}, strict=True)
        signature = self.signatures.sign(node.id, CALL, body, now=self._clock().timestamp())
        try:
            async with (
                asyncio.timeout(CHECK_SECONDS),
                self._session(node).post(
                    _base(node) + CALL,
                    data=body,
                    headers={SIGNATURE: signature, "host": "localhost"},
                    allow_redirects=False,
                ) as answer,
            ):
                if answer.status == 401:
                    return "another process answers there, or one with another JWT_SECRET or clock"
                return "" if answer.status == 200 else f"HTTP {answer.status}"
        except TimeoutError:
            return "no answer"
        except (aiohttp.ClientError, OSError) as error:
            return f"not reachable ({type(error).__name__})"

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
        base = _base(node)
        try:
            async with self._nodes.attending(node):
                response = await self._session(node).post(
                    base + target, data=body, headers=headers, allow_redirects=False
                )
            async with response:
                if response.status == 401 or (target != MOUNTED and response.status != 200):
                    said = await anext(self._blocks(node, response), b"")
                    raise away(f"HTTP {response.status}: {said[:LONGEST_REASON].decode('utf-8', 'replace')}")
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise away(repr(error)) from error

    async def _blocks(self, node: Node, response: "aiohttp.ClientResponse") -> AsyncIterator[bytes]:
        while True:
            async with self._nodes.attending(node):
                block = await response.content.readany()
            if not block:
                return
            yield block

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


def _base(node: Node) -> str:
    return "http://localhost" if node.address.startswith(UNIX) else node.address.rstrip("/")


def _asked(caller: Caller, operation: str, payload: Mapping[str, Any], *, strict: bool) -> bytes:
    return orjson.dumps(
        {"caller": wire.caller_to_json(caller), "operation": operation, "payload": dict(payload), "strict": strict}
    )


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """One JSON object a line; a line may be longer than what the connection holds. Raises Unavailable at a sudden end."""
    rest = bytearray()
    async for block in blocks:
        rest += block
        *whole, last = rest.split(b"\n")
        rest = bytearray(last)
        for line in whole:
            yield _object(line)
    raise away("the stream broke off")


async def _events(lines: AsyncIterator[dict[str, Any]], kinds: tuple[type, ...]) -> AsyncIterator[Any]:
    async for line in lines:
        _raise_if_error(line)
        if "end" in line:
            return
        yield wire.event_from_json(line, kinds)


def _object(text: bytes | bytearray) -> dict[str, Any]:
    """Raises Unavailable for what no process of the gateway says."""
    try:
        found = orjson.loads(text)
    except ValueError as error:
        raise away(repr(error)) from None
    if not isinstance(found, dict):
        raise away("the answer is no object")
    return found


def _raise_if_error(line: Mapping[str, Any]) -> None:
    if "error" in line:
        raise wire.error_from_json(line["error"])

"""MCP sessions over HTTP where a gateway has several processes: each stays with the one that began it.

The id of a session says which process that is: `<node>-<the SDK's id>` in the header, `/messages/<node>/` for SSE. So does that of a
chat that outlives its call: `chat-<node>-…`.
"""

import re
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_gateway.identity import caller_in
from shared.cluster.peers import Request
from shared.cluster.requests import again, body_of, while_there
from shared.domain.nodes import Node

if TYPE_CHECKING:
    from shared.gateway import Gateway

SESSION = b"mcp-session-id"
CHAT = re.compile(rb'"chatId"\s*:\s*"chat-([0-9A-Za-z]+)-')
"""A chat that goes on, as its id says which process has it."""
OF_THIS_CONNECTION = frozenset({b"connection", b"transfer-encoding", b"content-length", b"keep-alive", b"date"})


class InItsProcess:
    """Streamable HTTP: a request of a session that another process began goes there."""

    def __init__(self, app: ASGIApp, gateway: "Gateway") -> None:
        self._app = app
        self._gateway = gateway
        self._own = f"{gateway.nodes.id}-".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tag, receive = await self._maker(scope, receive)
        if tag and (node := await self._gateway.nodes.named(tag)) is not None:
            await forward(self._gateway, node, scope, receive, send)
            return
        headers = [
            (name, value.removeprefix(self._own) if name == SESSION else value) for name, value in scope["headers"]
        ]
        await self._app({**scope, "headers": headers}, receive, self._tagged(send))

    async def _maker(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """Which other process has made what a request is about, and what the request is still to be read from.

        In the newer era there are no sessions, but calls that wait for the rest of a chat: these name it.
        """
        if named := next((value for name, value in scope["headers"] if name == SESSION), b""):
            own = named.startswith(self._own)
            return "" if own else named.partition(b"-")[0].decode("latin-1"), receive
        if scope["method"] != "POST" or self._gateway.nodes.alone:
            return "", receive
        body = await _whole_body(receive)
        found = CHAT.search(body)
        tag = found[1].decode("ascii") if found else ""
        return "" if tag == self._gateway.nodes.id else tag, again(body, receive)

    def _tagged(self, send: Send) -> Send:
        async def tag(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, self._own + value if name == SESSION else value) for name, value in message["headers"]
                ]
                message = {**message, "headers": headers}
            await send(message)

        return tag


class MessagesInTheirProcess:
    """SSE: what is posted for a stream that another process holds open goes there."""

    def __init__(self, app: ASGIApp, gateway: "Gateway") -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tag = scope["path"].rstrip("/").rpartition("/")[2]
        node = None if tag == self._gateway.nodes.id else await self._gateway.nodes.named(tag)
        if node is None:
            await self._app(scope, receive, send)
        else:
            await forward(self._gateway, node, scope, receive, send)


async def forward(gateway: "Gateway", node: Node, scope: Scope, receive: Receive, send: Send) -> None:
    """Have another process answer a request, and end that when the client leaves. Raises Unavailable."""
    query = scope.get("query_string", b"").decode("latin-1")
    request = Request(
        method=scope["method"],
        target=scope["path"] + (f"?{query}" if query else ""),
        headers=[
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name not in OF_THIS_CONNECTION
        ],
        body=await _whole_body(receive),
    )

    async def answer() -> None:
        async with gateway.peers.ask(node, caller_in(scope), request) as response:
            headers = [header for header in response.headers if header[0].lower() not in OF_THIS_CONNECTION]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            async for block in response.body:
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    await while_there(receive, answer())


async def _whole_body(receive: Receive) -> bytes:
    """Raises ClientDisconnect, which ends the request, for one that breaks off."""
    body = await body_of(receive)
    if body is None:
        raise ClientDisconnect
    return body

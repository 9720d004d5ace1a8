"""WS /v1/terminal/:id/ws: a live terminal, both ways.

The client sends `{"type":"input","data"}` and `{"type":"resize","cols","rows"}`. It gets what the scrollback holds
after `?cursor=` (0 without one) and then what comes, as `{"type":"output","data","cursor","dropped"}`, and at the end
`{"type":"closed","reason"}`. An administrator may watch a session of another caller, and types into it only with `?takeOver=true`. Credentials that end while the socket is open end it too. A slow client finds a gap counted in `dropped`; it never holds up the terminal.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import orjson
from starlette.types import Message, Receive, Scope, Send

from http_api.bodies import parse_query
from http_api.context import exchange_of
from http_api.middleware.identity import BEARER_SUBPROTOCOL
from shared.domain.identity import Caller
from shared.errors import Forbidden, GatewayError, InvalidInput, Unauthenticated, invalid_field
from shared.operations import dispatch
from shared.operations.following import FOLLOW_TERMINAL
from shared.operations.live_typing import LiveTyping
from shared.operations.terminals import GET_TERMINAL, RESIZE_TERMINAL

if TYPE_CHECKING:
    from shared.gateway import Gateway

PATH = "/v1/terminal/{id}/ws"
NORMAL, UNSUPPORTED_DATA, POLICY = 1000, 1003, 1008
LONGEST_REASON = 120
"""Bytes; a close frame holds 123."""
RECHECK_SECONDS = 2.0
READ_ONLY = "You watch a session of another caller; connect with takeOver=true to type into it."

Use = Literal["own", "watch", "take over"]


class TerminalSocket:
    """The WebSocket application. Who may not attach is refused before the handshake ends."""

    def __init__(self, gateway: "Gateway", *, recheck_seconds: float = RECHECK_SECONDS) -> None:
        self._gateway = gateway
        self._recheck_seconds = recheck_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, session_id = exchange_of(scope), scope["path_params"]["id"]
        caller = exchange.caller
        found = await dispatch.call(self._gateway, caller, GET_TERMINAL, {"id": session_id})
        cursor, take_over = _asked_for(scope)
        use: Use = "own" if found.session.owner is None else "take over" if take_over else "watch"
        await receive()
        offered = BEARER_SUBPROTOCOL in scope.get("subprotocols", ())
        await send({"type": "websocket.accept", "subprotocol": BEARER_SUBPROTOCOL if offered else None})
        here = _Here(exchange.authenticate, receive, self._recheck_seconds)
        await _Attached(self._gateway, here, session_id, send, use).run(cursor)


class _Here:
    """What the client says, and who it is by then."""

    def __init__(self, authenticate: Callable[[], Caller], receive: Receive, recheck_seconds: float) -> None:
        self._authenticate = authenticate
        self._receive = receive
        self._recheck_seconds = recheck_seconds

    async def next(self) -> Message | None:
        """The next message, None when the client has left. Raises as `caller` does while there is none."""
        waiting = asyncio.ensure_future(self._receive())
        try:
            while not waiting.done():
                self.caller()
                await asyncio.wait({waiting}, timeout=self._recheck_seconds)
        finally:
            waiting.cancel()
        message = waiting.result()
        return None if message["type"] == "websocket.disconnect" else message

    def caller(self) -> Caller:
        """Who the client is now. Raises Unauthenticated, or Forbidden for one who may no longer use terminals."""
        caller = self._authenticate()
        dispatch.allow(caller, GET_TERMINAL)
        return caller


class _Attached:
    """One client at a session."""

    def __init__(self, gateway: "Gateway", here: _Here, session_id: str, send: Send, use: Use) -> None:
        self._gateway = gateway
        self._use = use
        self._here = here
        self._id = session_id
        self._send = send
        self._typing = LiveTyping(gateway, session_id)

    async def run(self, cursor: int) -> None:
        """Until the client leaves, says something wrong, may no longer be here, or the session ends."""
        output = asyncio.get_running_loop().create_task(self._output(cursor))
        farewell: tuple[int, str] | None = None
        try:
            farewell = await self._input()
        except (InvalidInput, Unauthenticated, Forbidden) as error:
            farewell = POLICY, error.message
        except GatewayError as error:
            farewell = NORMAL, error.message
        finally:
            output.cancel()
            await asyncio.wait({output})
            await asyncio.shield(asyncio.ensure_future(self._typing.aclose()))
        if not output.cancelled():
            output.result()
        elif farewell is not None:
            await self._close(*farewell)

    async def _output(self, cursor: int) -> None:
        """Until the session ends; then the socket is closed, which ends the input too."""
        reason = "The session has ended."
        try:
            wanted = {"id": self._id, "cursor": cursor}
            async with dispatch.open_stream(self._gateway, self._here.caller(), FOLLOW_TERMINAL, wanted) as parts:
                async for part in parts:
                    await self._say(type="output", data=part.text, cursor=part.cursor, dropped=part.dropped)
        except GatewayError as error:
            reason = error.message
        except OSError:
            return
        await self._close(NORMAL, reason)

    async def _input(self) -> tuple[int, str] | None:
        """Do what the client asks until it leaves. Returns how to close when it cannot be understood."""
        while (message := await self._here.next()) is not None:
            if message.get("text") is None:
                return UNSUPPORTED_DATA, "Send text messages, not binary ones."
            await self._do(*_asked(message))
        return None

    async def _do(self, kind: str, payload: dict[str, Any]) -> None:
        caller = self._here.caller()
        if kind == "input":
            if self._use == "watch":
                raise Forbidden(READ_ONLY, code="read_only")
            await self._typing.type(caller, payload)
        elif self._use == "own":  # another caller's screen keeps its size
            await dispatch.call(self._gateway, caller, RESIZE_TERMINAL, {**payload, "id": self._id})

    async def _say(self, **message: Any) -> None:
        await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})

    async def _close(self, code: int, reason: str) -> None:
        short = reason.encode()[:LONGEST_REASON].decode("utf-8", "ignore")
        try:
            if code == NORMAL:
                await self._say(type="closed", reason=reason)
            await self._send({"type": "websocket.close", "code": code, "reason": short})
        except OSError:
            pass  # the client has left before it could be told


def _asked(message: Message) -> tuple[str, dict[str, Any]]:
    """What a message asks for, and its fields. Raises InvalidInput."""
    try:
        payload = orjson.loads(message["text"])
    except orjson.JSONDecodeError:
        raise InvalidInput("The message is not valid JSON.") from None
    kind = payload.pop("type", None) if isinstance(payload, dict) else None
    if kind not in ("input", "resize"):
        raise invalid_field("type", "it must be input or resize")
    return kind, payload


def _asked_for(scope: Scope) -> tuple[int, bool]:
    """The cursor to begin at, and whether to take over. Raises InvalidInput."""
    query = parse_query(scope["query_string"])
    for name in query.keys() - {"cursor", "takeOver"}:
        raise invalid_field(name[:100], "this field is not known here")
    text = query.get("cursor", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise invalid_field("cursor", "it must be a whole number")
    if query.get("takeOver", "false") not in ("true", "false"):
        raise invalid_field("takeOver", "it must be true or false")
    return int(text), query.get("takeOver") == "true"

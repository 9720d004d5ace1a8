"""What the other processes of the gateway ask of this one: signed calls under `/internal`, and nothing for anybody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import SCOPE_KEY, Exchange
from shared.cluster import wire
from shared.cluster.peers import CALL, METRICS, MOUNTED, SIGNATURE, STREAM
from shared.cluster.requests import body_of, while_there
from shared.domain.measures import Family
from shared.domain.trace import CURRENT, begun, named, tracing
from shared.errors import GatewayError, InvalidInput, NotFound, Unauthenticated
from shared.operations import dispatch
from shared.operations.catalog import CATALOG
from shared.operations.operation import AnyOperation, Operation, StreamOperation
from shared.structured import get_logger

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = get_logger(__name__)

OPERATIONS: dict[str, AnyOperation] = {operation.name: operation for operation in CATALOG}
JSON = (b"content-type", b"application/json")
MAX_BODY_BYTES = 64 * 1024 * 1024

Answer = Callable[[dict[str, Any], Send], Awaitable[None]]


class Internal:
    """The outermost layer where there are other processes. On a socket file there is nothing but this."""

    def __init__(
        self, app: ASGIApp, gateway: "Gateway", mounted: ASGIApp, *, families: Callable[[], list[Family]]
    ) -> None:
        self._app = app
        self._gateway = gateway
        self._mounted = mounted
        self._families = families
        self._answers: dict[str, Answer] = {
            CALL: self._call,
            STREAM: self._stream,
            MOUNTED: self._ask,
            METRICS: self._measured,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _header(scope, SIGNATURE.encode()) is None:
            if _on_socket_file(scope):
                await _refuse(send, 404, NotFound("There is nothing here."))
            else:
                await self._app(scope, receive, send)
            return
        try:
            answer, asked = await self._admit(scope, receive)
        except Unauthenticated as error:
            log.warning("a request under /internal was refused", reason=error.message)
            await _refuse(send, 401, error)
            return
        except GatewayError as error:
            await _refuse(send, 400, error)
            return
        traceparent = _header(scope, b"traceparent")
        with tracing(named(traceparent) or begun()):  # the step of the process that asks goes on here
            await while_there(receive, answer(asked, send))

    async def _admit(self, scope: Scope, receive: Receive) -> tuple[Answer, dict[str, Any]]:
        """What is asked, by whom it may be asked. Raises Unauthenticated, NotFound, InvalidInput."""
        target, signatures = scope["path"], self._gateway.peers.signatures
        signature, now = _header(scope, SIGNATURE.encode()) or "", self._gateway.clock().timestamp()
        promised = signatures.check_head(signature, self._gateway.nodes.id, target, now=now)
        body = await body_of(receive, MAX_BODY_BYTES)
        if body is None:
            raise InvalidInput("The request is too large, or it broke off.")
        signatures.check_body(promised, body)
        answer = self._answers.get(target)
        if answer is None:
            raise NotFound("There is no such call; run one version of the gateway.")
        return answer, orjson.loads(body)

    async def _call(self, asked: dict[str, Any], send: Send) -> None:
        try:
            operation = OPERATIONS.get(asked["operation"])
            if not isinstance(operation, Operation):
                raise _unknown()
            caller = wire.caller_from_json(asked["caller"])
            result = await dispatch.call(
                self._gateway, caller, operation, asked["payload"], strict=asked["strict"], here=True
            )
            answer = {"result": wire.adapter_of(operation.result).dump_python(result, mode="json", by_alias=True)}
        except GatewayError as error:
            answer = {"error": wire.error_to_json(error)}
        await _send_json(send, 200, answer)

    async def _measured(self, asked: dict[str, Any], send: Send) -> None:
        await _send_json(send, 200, {"result": [family.to_json() for family in self._families()]})

    async def _stream(self, asked: dict[str, Any], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        try:
            operation = OPERATIONS.get(asked["operation"])
            if not isinstance(operation, StreamOperation):
                raise _unknown()
            caller = wire.caller_from_json(asked["caller"])
            async with dispatch.open_stream(self._gateway, caller, operation, asked["payload"], here=True) as events:
                await _line(send, {"open": True})
                async for event in cast("AsyncIterator[Any]", events):
                    await _line(send, wire.event_to_json(event))
            await _line(send, {"end": True})
        except GatewayError as error:
            await _line(send, {"error": wire.error_to_json(error)})
        await send({"type": "http.response.body", "body": b""})

    async def _ask(self, asked: dict[str, Any], send: Send) -> None:
        """Hand a request to what is mounted, for a caller whom the other process has admitted."""
        caller = wire.caller_from_json(asked["caller"])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in asked["headers"]]
        exchange = Exchange(caller.request_id, dict(headers), caller.address, CURRENT.get())
        exchange.caller = caller
        exchange.authenticate = lambda: caller
        path, _, query = str(asked["target"]).partition("?")
        body, gone = asked["body"].encode("latin-1"), asyncio.Event()
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": asked["method"],
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": headers,
            "client": (caller.address, 0),
            "server": ("localhost", 0),
            SCOPE_KEY: exchange,
        }

        async def receive() -> dict[str, Any]:
            nonlocal body
            if body is not None:
                message = {"type": "http.request", "body": body, "more_body": False}
                body = None
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        try:
            await self._mounted(scope, receive, send)
        finally:
            gone.set()


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _on_socket_file(scope: Scope) -> bool:
    server = scope.get("server")
    return server is not None and server[1] is None


def _unknown() -> NotFound:
    return NotFound("There is no such operation; run one version of the gateway.")


async def _refuse(send: Send, status: int, error: GatewayError) -> None:
    await _send_json(send, status, {"error": wire.error_to_json(error)})


async def _send_json(send: Send, status: int, value: Any) -> None:
    body = orjson.dumps(value)
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _line(send: Send, value: Any) -> None:
    await send({"type": "http.response.body", "body": orjson.dumps(value) + b"\n", "more_body": True})

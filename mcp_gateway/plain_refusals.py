"""The SDK's refusals in plain text, as JSON in the form that every other error of the gateway has."""

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADVICE = {
    400: "Send a JSON-RPC message to the address that the event stream of GET /sse named.",
    404: "Open a new event stream with GET /sse, and send messages to the address that it names.",
}
CODES = {400: "invalid_request", 404: "session_not_found", 405: "method_not_allowed", 413: "body_too_large"}


class AsJson:
    """An application whose refusals in plain text become JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: Message | None = None

        async def changed(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start" and _is_plain_refusal(message):
                refusal = message
            elif refusal is None:
                await send(message)
            else:
                start, refusal = refusal, None
                body = _body(scope, start["status"], message.get("body", b""))
                kept = [header for header in start["headers"] if header[0] not in (b"content-type", b"content-length")]
                described = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
                await send({**start, "headers": [*kept, *described]})
                await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, changed)


def _is_plain_refusal(start: Message) -> bool:
    media = dict(start.get("headers", ())).get(b"content-type", b"")
    return start["status"] >= 400 and not media.startswith(b"application/json")


def _body(scope: Scope, status: int, text: bytes) -> bytes:
    said = text.decode(errors="replace").rstrip(".") or "The message was refused"
    message = f"{said}. {ADVICE.get(status, '')}".strip()
    request_id = getattr(scope.get("gateway"), "request_id", "")
    code = CODES.get(status, "invalid_request")
    return orjson.dumps({"error": message, "details": "", "code": code, "requestId": request_id})

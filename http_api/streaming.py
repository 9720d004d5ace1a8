"""Streamed answers: server-sent events or lines of JSON sent on as they come, and how they end."""

from collections.abc import AsyncIterable, Callable, Sequence

from starlette.types import Scope, Send

from http_api.context import exchange_of
from http_api.errors import Header, event_of
from shared.errors import GatewayError

EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")
LINES: Header = (b"content-type", b"application/x-ndjson")
STREAM_HEADERS: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
DONE = b"data: [DONE]\n\n"


async def send_events(
    scope: Scope,
    send: Send,
    events: AsyncIterable[bytes],
    headers: Sequence[Header] = (),
    media: Header = EVENTS,
    *,
    failure: Callable[[GatewayError], bytes] = event_of,
    end: bytes = DONE,
) -> None:
    """Send runs of whole events, or lines, as they are, then `end`.

    A failure on the way is raised with the stream still open: the boundary ends it with the event that `failure` makes of it.
    """
    exchange_of(scope).failure_event = failure
    await send({"type": "http.response.start", "status": 200, "headers": [media, *STREAM_HEADERS, *headers]})
    async for data in events:
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": end})

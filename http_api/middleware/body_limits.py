"""What a request body may be: JSON, as it is, and no larger than the limit of its path."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_api.context import exchange_of
from http_api.errors import HttpError

BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class BodyLimits:
    """Refuses a body by its headers at once, and by its size while it comes. `mounted_limit` is for what is mounted."""

    def __init__(self, app: ASGIApp, *, limit: int, mounted_limit: int) -> None:
        self._app = app
        self._limit = limit
        self._mounted_limit = mounted_limit

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] in BODILESS:
            return self._app(scope, receive, send)
        exchange = exchange_of(scope)
        length = exchange.headers.get(b"content-length")
        chunked = length is None and b"transfer-encoding" in exchange.headers
        if not chunked and (length is None or length == b"0"):
            return self._app(scope, receive, send)
        _check_media(exchange.headers.get(b"content-type", b""), exchange.headers.get(b"content-encoding"))
        limit = (exchange.route.body_limit or self._limit) if exchange.route else self._mounted_limit
        if length is not None and int(length) > limit:
            raise _too_large(limit)
        return self._app(scope, _counted(receive, limit) if chunked else receive, send)


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return counted


def _check_media(content_type: bytes, encoding: bytes | None) -> None:
    if encoding is not None and encoding.lower() != b"identity":
        raise HttpError(
            415, "unsupported_encoding", "The request body may not be compressed: leave Content-Encoding out."
        )
    media, _, parameters = content_type.lower().partition(b";")
    charset = parameters.strip().replace(b'"', b"")
    if media.strip() != b"application/json" or charset not in (b"", b"charset=utf-8"):
        raise HttpError(
            415, "unsupported_media_type", "The request body must be sent as Content-Type: application/json."
        )


def _too_large(limit: int) -> HttpError:
    return HttpError(
        413, "body_too_large", f"The request body is larger than {limit} bytes.", details={"maxBytes": limit}
    )

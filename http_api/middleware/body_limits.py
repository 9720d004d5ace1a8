"""What a request body may be: JSON, as it is, and no larger than the limit of its path."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from http_api.errors import ClientGone, HttpError
from http_api.large_bodies import SMALL, BodiesInWork, LargeBodyLimits, Share
from shared.cluster.requests import again

BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class BodyLimits:
    """Refuses a body by its headers at once, and by its size while it comes. `mounted_limit` is for what is mounted.

    Large bodies, and those of unknown size, are read here as a whole, counted and checked before anything parses them.
    """

    def __init__(self, app: ASGIApp, *, limit: int, mounted_limit: int, large: LargeBodyLimits) -> None:
        self._app = app
        self._limit = limit
        self._mounted_limit = mounted_limit
        self._bodies = BodiesInWork(large)

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
        if length is not None and int(length) <= SMALL:
            return self._app(scope, receive, send)
        return self._large(exchange, limit, scope, receive, send)

    async def _large(self, exchange: Exchange, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        with self._bodies.share_of(exchange.caller.id) as share:
            await self._app(scope, await self._checked(receive, limit, share), send)

    async def _checked(self, receive: Receive, limit: int, share: Share) -> Receive:
        """The body once more, read and checked; it goes with the first message, and is kept nowhere else."""
        body = await _read(receive, limit, share)
        if len(body) > SMALL:
            self._bodies.check_values(body)
        return again(body, receive)


async def _read(receive: Receive, limit: int, share: Share) -> bytes:
    """The whole body. Raises HttpError beyond the limit, RateLimited without room for it, ClientGone."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
        if size > SMALL:
            share.take(size - share.size)
    return b"".join(chunks)


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

"""What the head of a request must be before anybody reads it, so that a proxy in front and we cannot read it in two ways."""

import re
from collections.abc import Iterable

from http_api.errors import Header, HttpError

MOST_HEADERS = 100
LONGEST_LINE = 8000
"""Bytes of one line in a WebSocket handshake, whose parser takes no longer ones and no more headers than 128."""

ABSOLUTE = re.compile(
    rb"(?i:https?)://(?P<authority>(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(:[0-9]{1,5})?)(?P<path>/.*)", re.DOTALL
)
WEBSOCKET_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
FRAMING = frozenset({b"content-length", b"transfer-encoding"})


def fault_of(method: bytes, target: bytes, version: str, headers: Iterable[Header]) -> HttpError | None:
    """Why a head is refused whatever it asks for; None when it is sound (RFC 9112, 3.2 and 6.1)."""
    if version not in ("1.1", "1.0"):
        return HttpError(505, "http_version_not_supported", "This server speaks HTTP/1.1.")
    if b"#" in target or not (target.startswith(b"/") or target == b"*" or ABSOLUTE.fullmatch(target)):
        return HttpError(400, "malformed_target", "The request's target is no path and no address of this server.")
    if target == b"*" and method != b"OPTIONS":
        return HttpError(400, "malformed_target", "The target * is for OPTIONS alone.")
    for name, value in headers:
        if name == b"transfer-encoding":
            return _coding_fault(value, version)
    return None


def _coding_fault(value: bytes, version: str) -> HttpError | None:
    if version == "1.0":
        return HttpError(400, "malformed_request", "HTTP/1.0 knows no Transfer-Encoding.")
    if value.strip().lower() != b"chunked":
        return HttpError(501, "unsupported_transfer_coding", "The only Transfer-Encoding understood here is chunked.")
    return None


def divided(target: bytes) -> tuple[bytes, bytes] | None:
    """The authority and the rest of an absolute target, which counts instead of Host (RFC 9112, 3.2.2); else None."""
    match = ABSOLUTE.fullmatch(target)
    return (match["authority"], match["path"]) if match else None


def too_many(count: int) -> HttpError | None:
    """The refusal of a head with more headers than anybody needs."""
    if count <= MOST_HEADERS:
        return None
    return HttpError(431, "too_many_headers", f"The request has more than {MOST_HEADERS} headers.")


def handshake_fault(method: bytes, target: bytes, headers: Iterable[Header]) -> HttpError | None:
    """Why a WebSocket handshake is refused (RFC 6455, 4.2.1); None when its parser can be left to it."""
    headers = tuple(headers)
    if method != b"GET":
        return HttpError(405, "method_not_allowed", "A WebSocket begins with GET.", headers=((b"allow", b"GET"),))
    if any(name in FRAMING for name, _ in headers):
        return HttpError(400, "malformed_request", "A WebSocket handshake has no body.")
    if max(len(target), *(len(name) + len(value) for name, value in headers)) > LONGEST_LINE:
        return HttpError(431, "headers_too_large", f"A line of the handshake is longer than {LONGEST_LINE} bytes.")
    if [value for name, value in headers if name == b"sec-websocket-version"] != [b"13"]:
        supported = ((b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"))
        return HttpError(426, "upgrade_required", "Only version 13 of WebSocket is spoken here.", headers=supported)
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    if len(keys) != 1 or not WEBSOCKET_KEY.fullmatch(keys[0]):
        return HttpError(400, "malformed_request", "A WebSocket handshake needs one valid Sec-WebSocket-Key.")
    return None

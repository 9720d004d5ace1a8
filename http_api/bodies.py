"""Request bodies and query strings, checked as text before anything is done with them."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive

from http_api.errors import ClientGone
from shared.errors import InvalidInput, invalid_field

MAX_DEPTH = 100
MAX_PARAMETERS = 100
NUL = "\x00"


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises ClientGone when the client leaves before its end."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_object(body: bytes, *, nul: bool = False) -> dict[str, Any]:
    """The JSON object in a body; nothing at all counts as an empty one. `nul` lets NUL characters through.

    Raises InvalidInput for what is not JSON (NaN, lone surrogates and invalid UTF-8 too), not an object, or nested
    deeper than our own encoder goes.
    """
    if not body:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"it is not valid JSON ({error.msg} at line {error.lineno}, column {error.colno})") from None
    if not isinstance(value, dict):
        raise _invalid("it must be a JSON object")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        raise _invalid(f"it is nested more than {MAX_DEPTH} levels deep")
    if not nul and b"\\u0000" in body and (name := field_with_nul(value)) is not None:
        raise invalid_field(name, "it may not contain NUL characters")
    return value


def parse_query(query: bytes) -> dict[str, str]:
    """The parameters of a query string. Raises InvalidInput for one given twice, or for what is not text."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise InvalidInput(
            f"The query string is not valid: it must be percent-encoded UTF-8 with at most {MAX_PARAMETERS} parameters."
        ) from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise invalid_field(name[:100], "it may be given only once")
        if NUL in value:
            raise invalid_field(name[:100], "it may not contain NUL characters")
        values[name] = value
    return values


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects nest deeper than that."""
    level = [value]
    for _ in range(levels):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def field_with_nul(value: Any, path: str = "") -> str | None:
    """The path of the first text that holds a NUL character; the value is no deeper than MAX_DEPTH."""
    if isinstance(value, str):
        return path if NUL in value else None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        name = f"{path}.{key}" if path else str(key)
        if NUL in name:
            return path or "(body)"
        if (found := field_with_nul(item, name)) is not None:
            return found
    return None


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput(
        f"The request body is not valid: {reason}.", details={"fields": [{"field": "(body)", "reason": reason}]}
    )

"""What the bridge must know of a message: its kind, its era, and the headers that HTTP wants for it. Pure, no I/O."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Where the name of what a request is about stands; servers compare it with the header."""
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CONNECTION_CLOSED = -32000
CHANGES = ("tools", "resources", "prompts")

_PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_ENCODED = re.compile(r"=\?base64\?.*\?=")


class Message:
    """One message of the host, as it came and as far as it matters here."""

    __slots__ = ("id", "is_request", "line", "method", "params")

    def __init__(self, line: bytes, content: dict[str, Any]) -> None:
        self.line = line
        self.method = str(content["method"]) if "method" in content else ""
        self.is_request = bool(self.method) and "id" in content
        self.id = content.get("id")
        params = content.get("params")
        self.params: dict[str, Any] = params if isinstance(params, dict) else {}

    @property
    def version(self) -> str | None:
        """The revision that a request of the modern era names; None in the era of the handshake."""
        meta = self.params.get("_meta")
        version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
        return version if isinstance(version, str) else None


def parse(line: bytes) -> Message | None:
    """The message in a line, or None where there is none."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return Message(line, content) if isinstance(content, dict) and content.get("jsonrpc") == "2.0" else None


def modern_headers(message: Message, version: str) -> dict[str, str]:
    """The headers of a request in the modern era, which repeat what its body says."""
    headers = {**ACCEPT, "mcp-protocol-version": header_value(version), "mcp-method": header_value(message.method)}
    name = message.params.get(NAMED_BY.get(message.method, ""))
    if isinstance(name, str):
        headers["mcp-name"] = header_value(name)
    return headers


def header_value(text: str) -> str:
    """Text in the form that the protocol has for headers: as it is, or in base64 where it would not survive."""
    if _PLAIN.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def key_of(identifier: Any) -> bytes:
    """An id as a key: 1 and "1" are two."""
    return orjson.dumps(identifier)


def failure(identifier: Any, text: str, *, code: int = CONNECTION_CLOSED) -> bytes:
    """The answer to a request that failed on its way."""
    return orjson.dumps({"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": text}})


def answer_in(content: Any, identifier: Any) -> bytes | None:
    """A body that is an answer, under the request's id: servers that could not read the id leave it out."""
    if not isinstance(content, dict) or not ("result" in content or isinstance(content.get("error"), dict)):
        return None
    return orjson.dumps({**content, "id": identifier})


def is_answer(content: Any) -> bool:
    """Whether what a stream brought ends it."""
    return isinstance(content, dict) and "method" not in content and ("result" in content or "error" in content)


def updated(uri: str) -> bytes:
    """What tells a host to read a resource anew."""
    return orjson.dumps({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}})


def notices_of_change(initialized: Any) -> list[bytes]:
    """What tells a host to list anew: for each list whose changes the server, in its answer to `initialize`, said it tells."""
    result = initialized.get("result") if isinstance(initialized, dict) else None
    capabilities = result.get("capabilities") if isinstance(result, dict) else None
    if not isinstance(capabilities, dict):
        return []
    told = [name for name in CHANGES if (capabilities.get(name) or {}).get("listChanged")]
    return [orjson.dumps({"jsonrpc": "2.0", "method": f"notifications/{name}/list_changed"}) for name in told]

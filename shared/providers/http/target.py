"""Where a request goes: an address taken apart, and the head of a request to it. Pure."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

PORTS = {"http": 80, "https": 443}
SAFE = "/%:@!$&'()*+,;=~-._?"
"""What stays as it is in a path or query; anything else goes percent-encoded."""


class Origin(NamedTuple):
    """Whom a connection is with."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if PORTS[self.scheme] == self.port else f"{host}:{self.port}"


class Target(NamedTuple):
    """An origin and what is asked of it. `authorization` is what an address with a user name in it stands for."""

    origin: Origin
    path: str
    authorization: str


@lru_cache(maxsize=256)
def target_of(url: str) -> Target:
    """Raises ValueError for what is no address of a web server."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("an address begins with http:// or https:// and a host")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    path = quote(parts.path or "/", SAFE) + (f"?{quote(parts.query, SAFE)}" if parts.query else "")
    return Target(
        Origin(parts.scheme, host, parts.port or PORTS[parts.scheme]), path, basic(parts.username, parts.password)
    )


def basic(user: str | None, password: str | None) -> str:
    """The value of an Authorization header; empty without a user."""
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def head_of(method: str, target: Target, headers: Mapping[str, str], length: int | None) -> bytes:
    """The head of a request. Raises ValueError for a header that would end before its end."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.origin.authority}",
        "Accept: */*",
        "Accept-Encoding: identity",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    if target.authorization and "Authorization" not in headers:
        lines.append(f"Authorization: {target.authorization}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("a header may not hold line breaks")
    return head.encode() + b"\r\n\r\n"

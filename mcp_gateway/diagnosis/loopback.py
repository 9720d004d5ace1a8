"""Services on this machine's loopback that answer without a password, and that local commands could use."""

import asyncio
import re
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp_gateway.diagnosis.finding import Finding

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.terminal.sandbox import Rules

SECONDS = 1.0
HERE = "127.0.0.1"
NEAR = ("localhost", "127.0.0.1", "::1")
_STARTUP = b"user\0postgres\0database\0postgres\0\0"
POSTGRES_STARTUP = struct.pack("!II", len(_STARTUP) + 8, 196608) + _STARTUP
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Service:
    """What is said to a service at its usual port, and how one answers that asks for no password."""

    name: str
    port: int
    said: bytes
    open: re.Pattern[bytes]


SERVICES = (
    Service("Redis or Valkey", 6379, b"PING\r\n", re.compile(rb"\+PONG")),
    Service("PostgreSQL", 5432, POSTGRES_STARTUP, re.compile(rb"R\0\0\0\x08\0\0\0\0")),
    Service("memcached", 11211, b"version\r\n", re.compile(rb"VERSION ")),
    Service(
        "Elasticsearch or OpenSearch",
        9200,
        GET.format("/").encode(),
        re.compile(rb"HTTP/1\.1 200 .*cluster_name", re.S),
    ),
    Service("Docker", 2375, GET.format("/version").encode(), re.compile(rb"HTTP/1\.1 200 .*ApiVersion", re.S)),
    Service("etcd", 2379, GET.format("/version").encode(), re.compile(rb"HTTP/1\.1 200 .*etcdserver", re.S)),
)


async def look(gateway: "Gateway") -> Finding:
    """Which of the usual ones, and of those that the gateway itself uses, are open."""
    settings = gateway.settings
    urls = (settings.redis_url.get_secret_value(), settings.database)
    return await _found(gateway.sandbox.rules, (*SERVICES, *_own(urls)))


async def _found(rules: "Rules", services: tuple[Service, ...]) -> Finding:
    name = "loopback services"
    reachable = tuple(dict.fromkeys(service for service in services if _reachable(rules, service.port)))
    if not reachable:
        return Finding(name=name, status="ok", text="TERMINAL_NETWORK keeps local commands from them")
    answers = await asyncio.gather(*map(_is_open, reachable))
    found = [f"{one.name} at {HERE}:{one.port}" for one, is_open in zip(reachable, answers, strict=True) if is_open]
    if not found:
        return Finding(name=name, status="ok", text="none found that answers without a password")
    return Finding(
        name=name,
        status="warn",
        text=f"local commands can use {' and '.join(found)}, which asks for no password",
        advice="Give it a password, or set TERMINAL_NETWORK to off or to the hosts that commands need.",
    )


def _reachable(rules: "Rules", port: int) -> bool:
    """Whether local commands get to the port."""
    return rules.network or (rules.hosts is not None and any(port == listed for _, listed in rules.hosts.on_loopback()))


def _own(urls: tuple[str, ...]) -> list[Service]:
    """The gateway's own servers, where they are on loopback at ports of their own."""
    found = []
    for url, service in zip(urls, SERVICES, strict=False):
        parts = urlsplit(url)
        if parts.hostname in NEAR and parts.port:
            found.append(replace(service, port=parts.port))
    return found


async def _is_open(service: Service) -> bool:
    answer = b""
    with suppress(OSError):
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(HERE, service.port)
            try:
                writer.write(service.said)
                while not service.open.match(answer) and (part := await reader.read(4096)):
                    answer += part
            finally:
                writer.close()
    return service.open.match(answer) is not None

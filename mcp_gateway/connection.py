"""What outlives one request: the connection that it came on."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.connection import Connection
from mcp_types.version import is_version_at_least

from mcp_gateway.identity import Context

MODERN = "2026-07-28"
"""From this revision on there are no sessions, and no messages that nobody has asked for."""


def connection_of(context: Context) -> Connection:
    """The connection of a request; the SDK gives its handlers no other way to it."""
    connection: Connection = context.session._connection
    return connection


def is_modern(context: Context) -> bool:
    """Whether the request speaks the modern era's protocol."""
    return is_version_at_least(context.protocol_version, MODERN)


def kept(context: Context, name: str, make: Callable[[], Any], end: Callable[[Any], Awaitable[None]]) -> Any:
    """Something that belongs to the connection: made when it is first wanted, ended with the connection."""
    connection = connection_of(context)
    if name not in connection.state:
        made = connection.state[name] = make()
        connection.exit_stack.push_async_callback(end, made)
    return connection.state[name]

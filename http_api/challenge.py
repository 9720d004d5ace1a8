"""How a refused client is told to authenticate: MCP clients by the name of their protected-resource metadata (RFC 9728)."""

from collections.abc import Mapping

from starlette.types import Scope

from http_api.context import exchange_of

WELL_KNOWN = "/.well-known/oauth-protected-resource"
RESOURCES: Mapping[str, str] = {"mcp": "/mcp", "sse": "/sse", "messages": "/sse"}
"""The first part of a path, and the protected resource that it belongs to."""


def challenge_of(scope: Scope) -> bytes:
    """The value of `WWW-Authenticate` for a refused request."""
    resource = RESOURCES.get(scope["path"].strip("/").split("/")[0])
    if resource is None:
        return b"Bearer"
    return f'Bearer resource_metadata="{base_of(scope)}{WELL_KNOWN}{resource}"'.encode("latin-1")


def base_of(scope: Scope) -> str:
    """The address under which the client has reached us; its host has passed the host guard."""
    host = exchange_of(scope).headers.get(b"host", b"").decode("latin-1")
    return f"{scope['scheme'].replace('ws', 'http')}://{host}"

"""What MCP clients may know of how to authenticate: protected-resource metadata (RFC 9728).

There is no authorization server: API keys and logins are bearer tokens that the user gives to the client.
"""

from typing import Any, get_args

import orjson
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from http_api.challenge import RESOURCES, WELL_KNOWN, base_of
from http_api.context import Route
from http_api.responses import send_json
from shared.domain.identity import Scope

NAME = "ai-mcp-gateway"


def routes() -> list[Route]:
    """One document for each resource, and one for the whole gateway, where older clients look."""
    paths = ("", *dict.fromkeys(RESOURCES.values()))
    return [Route(path=WELL_KNOWN + path, methods={"GET": _document(path)}, public=True) for path in paths]


def _document(path: str) -> ASGIApp:
    async def application(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await send_json(scope, send, orjson.dumps(_metadata(base_of(scope), path)))

    return application


def _metadata(base: str, path: str) -> dict[str, Any]:
    return {
        "resource": base + path,
        "resource_name": NAME,
        "bearer_methods_supported": ["header"],
        "scopes_supported": [*get_args(Scope)],
        "resource_documentation": base + "/docs",
    }

"""Who calls: on stdio the user of this machine, over HTTP whom the HTTP surface has found out."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp.server.context import ServerRequestContext

from mcp_gateway.folder import HEADER, decoded
from shared.domain import trace
from shared.domain.identity import ANONYMOUS, LOCAL, Caller
from shared.domain.trace import Trace

Context = ServerRequestContext[Any, Any]

EXCHANGE = "gateway"
LONGEST = 200
"""The key in the ASGI scope under which the HTTP surface keeps what it knows of a request."""


TOOL_CALLS = ("claudecode/toolUseId", "toolCallId")
"""Under these names in `_meta` clients say which tool call of their model a request carries out."""


def caller_of(context: Context) -> Caller:
    """The caller of one MCP request, with an id for it: that of the web request, or one of its own."""
    if context.request is None:
        caller = replace(LOCAL, request_id=secrets.token_hex(12))
    else:
        caller = caller_in(getattr(context.request, "scope", {}))
    said = next((value for name in TOOL_CALLS if isinstance(value := (context.meta or {}).get(name), str)), "")
    return replace(caller, tool_call_id=said[:LONGEST]) if said else caller


def trace_of(context: Context) -> Trace:
    """The trace that an MCP request says it belongs to (`_meta.traceparent`), else its web request, else a new one."""
    named = trace.continued((context.meta or {}).get("traceparent"))
    around = getattr(getattr(context.request, "scope", {}).get(EXCHANGE), "trace", None)
    return named or (around if isinstance(around, Trace) else trace.begun())


def folder_of(context: Context) -> str:
    """The folder that the client has open, where a bridge on this machine has said so."""
    headers = getattr(context.request, "scope", {}).get("headers", ())
    return next((decoded(value) for name, value in headers if name == HEADER.encode()), "")


def caller_in(scope: Mapping[str, Any]) -> Caller:
    """The caller of one web request; nobody has vouched for one that the HTTP surface has not seen."""
    caller = getattr(scope.get(EXCHANGE), "caller", None)
    return caller if isinstance(caller, Caller) else ANONYMOUS

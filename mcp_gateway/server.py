"""The MCP server: its name, what it tells a model of itself, and its handlers."""

from importlib import metadata
from typing import TYPE_CHECKING, Any

from mcp.server import CacheHint
from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from mcp_gateway.core import Ready
from mcp_gateway.identity import Context
from mcp_gateway.resources import Resources
from mcp_gateway.tools import Tools

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits

NAME = "ai-mcp-gateway"
TITLE = "AI MCP Gateway"
INSTRUCTIONS = """\
This gateway gives you two things.

1. Other language models. `chat` asks one and returns its answer; with `model: "auto"` the gateway picks the cheapest \
that can do it and falls back to another when one fails; `explain_route` shows where that would go. `list_models` shows what there is: layer L0 is free, L1 cheap, \
L2 balanced, L3 premium. Say which model answered when the user would want to know, and ask before spending on L3.

2. A terminal. `run_command` runs one command on the gateway's machine (or on a saved `connection`) and returns stdout, \
stderr and the exit code; with `background` it goes on after the call. `open_terminal` opens a session that stays, here, \
over SSH or over telnet, for what is interactive or needs state: `send_to_terminal` types, waits and shows what came in one \
call, `read_terminal` looks or waits on, `close_terminal` ends it, `list_terminals` shows sessions and saved connections. It \
all acts for real: look before you change things, and let the user agree to what cannot be undone. Passwords belong into \
saved connections, never into your calls.

Every call ends within 50 seconds. When a result says `truncated` or `timedOut`, its `note` says how to go on. When a \
call fails, its text says what is wrong and what to do about it.
"""
STATIC = CacheHint(ttl_ms=3_600_000, scope="public")


def create_server(ready: Ready, *, limits: "Limits | None" = None) -> Server[Any]:
    """A server on the gateway that `ready` gives; it answers handshake and listings without waiting for it."""
    tools = Tools(ready, limits)
    resources = Resources(ready)

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools.infos)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        return await tools.call(context, params)

    async def list_resources(context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=resources.infos)

    async def list_templates(context: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=resources.templates)

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await resources.read(context, str(params.uri))

    return Server(
        NAME,
        version=metadata.version(NAME),
        title=TITLE,
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": STATIC, "resources/list": STATIC, "resources/templates/list": STATIC},
        get_tool_input_schema=tools.schema_of,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )

"""The MCP server: its name, what it tells a model of itself, and its handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    SetLevelRequestParams,
)

from mcp_gateway import client_log
from mcp_gateway.completion import Completions
from mcp_gateway.core import Ready
from mcp_gateway.identity import Context
from mcp_gateway.instructions import instructions_for
from mcp_gateway.pages import page_of
from mcp_gateway.prompts import offered as offered_prompts
from mcp_gateway.prompts import written
from mcp_gateway.resources import Resources
from mcp_gateway.subscriptions import Subscriptions
from mcp_gateway.tools import Tools
from mcp_gateway.toolsets import Selection

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits

NAME = "ai-mcp-gateway"
TITLE = "AI MCP Gateway"
STATIC = CacheHint(ttl_ms=3_600_000, scope="public")


class GatewayServer(Server[Any]):
    """The SDK's server, which tells older clients that lists of resources change."""

    subscriptions: Subscriptions
    tools: Tools

    def stop(self) -> None:
        """End what only waits: the streams of the modern era's subscriptions."""
        self.subscriptions.stop()

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """As in the SDK; transports ask for them without options."""
        options = notification_options or NotificationOptions(resources_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)


class Serving:
    """What goes on beside the requests while a server has connections: it begins with the first and ends with the last."""

    def __init__(self, tools: Tools, subscriptions: Subscriptions) -> None:
        self._tools = tools
        self._subscriptions = subscriptions
        self._connections = 0

    @asynccontextmanager
    async def connected(self, _: Server[Any]) -> AsyncIterator[None]:
        """Around one connection, or around all of them where the transport has it so."""
        self._connections += 1
        if self._connections == 1:
            self._subscriptions.begin()
        try:
            yield
        finally:
            self._connections -= 1
            if self._connections == 0:
                with anyio.CancelScope(shield=True):
                    await self._subscriptions.aclose()
                    await self._tools.aclose()


def create_server(
    ready: Ready, *, limits: "Limits | None" = None, selection: Selection | None = None, folder: str = ""
) -> GatewayServer:
    """A server on the gateway that `ready` gives; it answers handshake and listings without waiting for it. Commands and
    terminals of this machine start in `folder`; without one, at home.
    """
    selection = selection or Selection.of()
    tools = Tools(ready, selection, limits, folder)
    resources = Resources(ready)
    subscriptions = Subscriptions(ready)
    prompts = offered_prompts(frozenset(tools.offered))

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        found, cursor = page_of(tools.infos, params, lambda tool: tool.name)
        return ListToolsResult(tools=found, next_cursor=cursor)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        return await tools.call(context, params)

    async def list_resources(context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        found, cursor = page_of(await resources.listed(context), params, lambda resource: str(resource.uri))
        return ListResourcesResult(resources=found, next_cursor=cursor)

    async def list_templates(context: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        found, cursor = page_of(resources.templates, params, lambda template: template.uri_template)
        return ListResourceTemplatesResult(resource_templates=found, next_cursor=cursor)

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await resources.read(context, str(params.uri))

    async def list_prompts(context: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
        found, cursor = page_of([prompt.info() for prompt in prompts.values()], params, lambda prompt: prompt.name)
        return ListPromptsResult(prompts=found, next_cursor=cursor)

    async def get_prompt(context: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return written(prompts, params.name, params.arguments or {}, selection.told)

    server = GatewayServer(
        NAME,
        version=metadata.version(NAME),
        title=TITLE,
        instructions=selection.told(instructions_for(tools.offered)),
        cache_hints={
            "tools/list": STATIC,
            "prompts/list": STATIC,
            "resources/templates/list": STATIC,
            "server/discover": STATIC,
        },
        lifespan=Serving(tools, subscriptions).connected,
        get_tool_input_schema=tools.schema_of,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscriptions.subscribe,
        on_unsubscribe_resource=subscriptions.unsubscribe,
        on_subscriptions_listen=subscriptions.listen,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=Completions(ready).complete,
    )
    server.subscriptions, server.tools = subscriptions, tools
    # As arguments of the constructor these would warn that the modern era has no such thing; older clients use it.
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, client_log.set_level)
    server.add_notification_handler("notifications/initialized", NotificationParams, subscriptions.initialized)
    return server

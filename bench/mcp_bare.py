"""A bare SDK server with two trivial tools, as the measure of what a call costs at least: `mcp_bare.py stdio|http`."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool
from starlette.applications import Starlette
from starlette.routing import Mount, Route

ANY = {"type": "object", "properties": {}}
COPY = json.loads(Path(os.environ["BARE_ANSWER"]).read_text()) if "BARE_ANSWER" in os.environ else {}
"""An answer of the gateway and its schema, which `large` gives too: clients take time over both."""


async def list_tools(context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
    large = Tool(name="large", input_schema=ANY, output_schema=COPY.get("schema"))
    return ListToolsResult(tools=[Tool(name="small", input_schema=ANY), large])


async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
    text, structured = ("ok", {"ok": True}) if params.name == "small" else (COPY["text"], COPY["structured"])
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def made() -> Server[Any]:
    return Server("bare", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def stdio() -> None:
    server = made()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def http() -> None:
    server = made()
    sessions = StreamableHTTPSessionManager(server)
    sse = SseServerTransport("/messages/")

    class Sse:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async with sse.connect_sse(scope, receive, send) as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        async with sessions.run():
            yield

    routes = [
        Route("/mcp", endpoint=StreamableHTTPASGIApp(sessions)),
        Route("/sse", endpoint=Sse(), methods=["GET"]),
        Mount("/messages/", app=sse.handle_post_message),
    ]
    config = uvicorn.Config(Starlette(routes=routes, lifespan=lifespan), port=0, log_level="warning", access_log=False)
    asyncio.run(_served(uvicorn.Server(config)))


async def _served(server: uvicorn.Server) -> None:
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await serving


if __name__ == "__main__":
    anyio.run(stdio) if sys.argv[1] == "stdio" else http()

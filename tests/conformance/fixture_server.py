"""Our server and transports with the conformance suite's fixtures added: what it cannot find in ours, it finds here.

`python -m tests.conformance.fixture_server FOLDER` serves it, and says where on its first line.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.subscriptions import ServerEvent
from mcp.types import (
    BlobResourceContents,
    EmptyResult,
    Prompt,
    PromptArgument,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
    Tool,
)

from http_api.app import Mounted
from http_api.serve import run
from mcp_gateway.identity import Context
from mcp_gateway.server import create_server
from mcp_gateway.transports import HttpTransports
from shared.gateway import open_gateway
from tests.conformance import fixtures
from tests.support.mcp_stack import settings_for

Handler = Callable[[Context, Any], Awaitable[Any]]


def create_fixture_server(*arguments: Any, **options: Any) -> Server[Any]:
    """Our server, whose handlers know the fixtures too."""
    server = create_server(*arguments, **options)
    tools = fixtures.tools(_publisher(server))
    schema_of = server.get_tool_input_schema
    assert schema_of is not None
    server.get_tool_input_schema = lambda name: tools[name].schema if name in tools else schema_of(name)

    async def list_tools(ours: Handler, context: Context, params: Any) -> Any:
        extra = [
            Tool(name=name, description=tool.description, input_schema=tool.schema) for name, tool in tools.items()
        ]
        return _more(await ours(context, params), "tools", extra)

    async def call_tool(ours: Handler, context: Context, params: Any) -> Any:
        return await (tools[params.name].run if params.name in tools else ours)(context, params)

    for method, handler in {**HANDLERS, "tools/list": list_tools, "tools/call": call_tool}.items():
        _wrap(server, method, handler)
    return server


def _publisher(server: Server[Any]) -> Callable[[ServerEvent], Awaitable[None]]:
    """Tells whoever listens of changes that our server never has."""
    entry = server.get_request_handler("subscriptions/listen")
    assert entry is not None
    subscriptions: Any = entry.handler.__self__  # type: ignore[attr-defined]

    async def publish(event: ServerEvent) -> None:
        for listener in tuple(subscriptions._listeners):
            await listener.tell(event)

    return publish


def _wrap(server: Server[Any], method: str, around: Callable[[Handler, Context, Any], Awaitable[Any]]) -> None:
    entry = server.get_request_handler(method)
    assert entry is not None

    async def handler(context: Context, params: Any) -> Any:
        return await around(entry.handler, context, params)

    server.add_request_handler(method, entry.params_type, handler)


def _more(result: Any, name: str, extra: list[Any]) -> Any:
    return result.model_copy(update={name: [*getattr(result, name), *extra]})


async def _list_prompts(ours: Handler, context: Context, params: Any) -> Any:
    extra = [
        Prompt(
            name=name, description="A fixture", arguments=[PromptArgument(name=field, required=True) for field in of]
        )
        for name, of in fixtures.PROMPTS.items()
    ]
    return _more(await ours(context, params), "prompts", extra)


async def _get_prompt(ours: Handler, context: Context, params: Any) -> Any:
    return await (fixtures.written(params) if params.name in fixtures.PROMPTS else ours(context, params))


async def _list_resources(ours: Handler, context: Context, params: Any) -> Any:
    extra = [Resource(uri=uri, name=uri, mime_type="text/plain") for uri in fixtures.TEXTS]
    extra.append(Resource(uri=fixtures.BINARY, name="binary", mime_type="image/png"))
    return _more(await ours(context, params), "resources", extra)


async def _list_templates(ours: Handler, context: Context, params: Any) -> Any:
    extra = [ResourceTemplate(uri_template=fixtures.TEMPLATE, name="template", mime_type="application/json")]
    return _more(await ours(context, params), "resource_templates", extra)


async def _read(ours: Handler, context: Context, params: Any) -> Any:
    uri = str(params.uri)
    if uri in fixtures.TEXTS:
        found = TextResourceContents(uri=uri, mime_type="text/plain", text=fixtures.TEXTS[uri])
        return ReadResourceResult(contents=[found])
    if uri == fixtures.BINARY:
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=fixtures.PIXEL)])
    if uri.startswith("test://template/"):
        words = f'{{"id": "{uri.split("/")[3]}", "templateTest": true}}'
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="application/json", text=words)])
    return await ours(context, params)


async def _subscribe(ours: Handler, context: Context, params: Any) -> Any:
    return EmptyResult() if str(params.uri) in fixtures.TEXTS else await ours(context, params)


HANDLERS = {
    "prompts/list": _list_prompts,
    "prompts/get": _get_prompt,
    "resources/list": _list_resources,
    "resources/templates/list": _list_templates,
    "resources/read": _read,
    "resources/subscribe": _subscribe,
    "resources/unsubscribe": _subscribe,
}


def main(folder: Path) -> int:
    """Serve until a signal."""
    settings = settings_for(folder, api_port=0, rate_limit_per_minute=0, rate_limit_per_hour=0)
    transports = HttpTransports(create=create_fixture_server)
    mounts = [Mounted(routes=transports.routes, lifespan=transports.lifespan)]
    return run(settings, lambda: open_gateway(settings), mounts=mounts, on_ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

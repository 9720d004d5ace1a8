"""A whole gateway whose one provider is scripted, and MCP clients on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import CallToolResult

from mcp_gateway.calls.call import Limits
from mcp_gateway.server import create_server
from mcp_gateway.toolsets import Selection
from shared.domain.models import Capabilities, Model
from shared.gateway import Gateway, open_gateway
from shared.providers.scripted import ScriptedServer
from shared.setting_sources import load_settings
from shared.settings import Settings
from tests.support.databases import prepare

ERAS = ("auto", "legacy")
"""The client's modes: the modern era, and the handshake of older hosts."""


def settings_for(folder: Path, server: ScriptedServer | None = None, **more: Any) -> Settings:
    """Settings that reach nothing but the scripted server."""
    base = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "x"} if server else {}
    return load_settings({"DATA_DIR": str(folder), **environment(), **base}, log_level="warning", **more)


def environment() -> dict[str, str]:
    """The variables that keep a gateway from looking around, and give clients every tool."""
    return {
        "EMBEDDED_MODEL": "off",
        "OSS_DISCOVERY": "false",
        "SPEND_GUARD": "false",  # the models of the tests bill, in whatever layer they are
        "AUTO_BUDGET_USD_PER_DAY": "0",
        "UPSTREAM_RETRY_WAIT": "0",
        "BUDGET_WAIT": "0",
        "MCP_TOOLSETS": "all",
        "TERMINAL_SANDBOX": "off",  # in one, process numbers are others than tests see
    }


@asynccontextmanager
async def gateway_with(folder: Path, server: ScriptedServer | None = None, **more: Any) -> AsyncIterator[Gateway]:
    """An open gateway."""
    async with open_gateway(prepare(settings_for(folder, server, **more))) as gateway:
        yield gateway


@asynccontextmanager
async def client_of(
    gateway: Gateway,
    *,
    mode: str = "auto",
    limits: Limits | None = None,
    selection: Selection | None = None,
    **options: Any,
) -> AsyncIterator[Client]:
    """A client in the same process; without a selection it gets every tool."""

    async def ready() -> Gateway:
        return gateway

    async with Client(
        create_server(ready, limits=limits, selection=selection or Selection.of("all")), mode=mode, **options
    ) as client:
        yield client


async def add(gateway: Gateway, name: str, *, layer: Any = "L0", priority: int = 0, **more: Any) -> Model:
    """A model that the scripted server plays."""
    facts = {
        "id": f"openai:{name}",
        "provider": "openai",
        "capabilities": Capabilities(code=True, tools=True),
        "price_per_1k_input_tokens": "1",
        "price_per_1k_output_tokens": "2",
        **more,
    }
    return await gateway.registry.add(
        Model.model_validate({**facts, "api_model_name": name, "layer": layer, "priority": priority})
    )


def text_of(result: CallToolResult) -> str:
    """The readable part of a result."""
    (block,) = result.content
    assert block.type == "text"
    return block.text


def facts_of(result: CallToolResult) -> dict[str, Any]:
    """The structured part of a result that is no error."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content

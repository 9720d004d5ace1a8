"""An open gateway whose one provider is scripted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.gateway import Gateway
from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import gateway_with


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().listening() as server:
        yield server


@pytest.fixture
async def gateway(tmp_path: Path, scripted: ScriptedServer) -> AsyncIterator[Gateway]:
    async with gateway_with(tmp_path / "data", scripted) as gateway:
        for model in [model for model in gateway.registry.snapshot.models.values() if model.provider == "openai"]:
            await gateway.registry.delete(model.id)
        yield gateway

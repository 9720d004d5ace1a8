"""OpenAI's own SDK against the surface, over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_server import serving

HELLO: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@asynccontextmanager
async def sdk(folder: Path, *names: str, **values: Any) -> AsyncIterator[tuple[AsyncOpenAI, Surface]]:
    async with surface(folder, **values) as made:
        for name in names or ("scripted",):
            entry = {**MODEL, "id": f"scripted/{name}", "apiModelName": name, "capabilities": {"tools": True}}
            assert (await made.http.post("/v1/models", json=entry)).status_code == 201
        async with (
            serving(made.app) as server,
            AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-anything", max_retries=2) as client,
        ):
            yield client, made


async def test_it_completes(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        answer = await client.chat.completions.create(model="scripted/scripted", messages=HELLO)
    assert (answer.choices[0].message.content or "").startswith("word0 word1")
    assert answer.model == "scripted"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_it_streams(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        stream = await client.chat.completions.create(
            model="scripted", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.startswith("word0 word1")
    assert chunks[-1].usage is not None


async def test_it_calls_tools(tmp_path: Path) -> None:
    async with sdk(tmp_path, "scripted-tool") as (client, _):
        answer = await client.chat.completions.create(model="scripted-tool", messages=HELLO, tools=[WEATHER])
    calls: Any = answer.choices[0].message.tool_calls
    assert calls[0].function.name == "weather"
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_it_lists_and_retrieves_models(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        ids = [model.id async for model in client.models.list()]
        assert {"auto", "scripted/scripted"} <= set(ids)
        assert (await client.models.retrieve("scripted/scripted")).object == "model"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("scripted/none")


async def test_it_reads_our_errors(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, made):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="scripted", messages=[])
        assert refused.value.param == "messages"
        assert refused.value.code == "invalid_request"
        assert "messages" in refused.value.message
        assert refused.value.request_id
        assert not [seen for seen in made.provider.seen if seen.path.endswith("/chat/completions")]


async def test_it_does_not_repeat_what_the_gateway_has_repeated(tmp_path: Path) -> None:
    async with sdk(tmp_path, "scripted-e500") as (client, made):
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(model="scripted-e500", messages=HELLO)
        assert failed.value.status_code == 502
        assert made.gateway.ledger.totals.attempts == 1


async def test_a_stream_that_breaks_off_raises(tmp_path: Path) -> None:
    async with sdk(tmp_path, "scripted-n9-drop3") as (client, made):
        stream = await client.chat.completions.create(model="scripted-n9-drop3", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError) as broken:
            async for _ in stream:
                pass
        assert broken.value.message
        assert made.gateway.ledger.totals.attempts == 1


async def test_a_key_of_ours_is_the_sdks_key(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, made):
        key = (await made.http.post("/v1/keys", json={"name": "reader", "scopes": ["models:read"]})).json()["secret"]
        reader = client.with_options(api_key=key)
        assert [model.id async for model in reader.models.list()]
        with pytest.raises(openai.PermissionDeniedError):
            await reader.chat.completions.create(model="scripted", messages=HELLO)

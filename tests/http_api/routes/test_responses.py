"""POST /v1/responses: OpenAI's Responses API in front of every provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_server import serving

FIXTURES = Path(__file__).parents[2] / "fixtures" / "anthropic"
ASKED: dict[str, Any] = {"model": "auto", "input": "hi"}
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
PATCH: Any = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'},
}
NAMESPACE: Any = {"type": "namespace", "name": "clock", "description": "Time.", "tools": [{**WEATHER, "name": "sleep"}]}


@asynccontextmanager
async def sdk(folder: Path, *names: str, **values: Any) -> AsyncIterator[tuple[AsyncOpenAI, Surface]]:
    """OpenAI's own SDK against a gateway whose provider speaks chat completions."""
    async with surface(folder, **values) as made:
        for priority, name in enumerate(names or ("scripted",)):
            entry = {**MODEL, "id": f"scripted/{name}", "apiModelName": name, "priority": priority}
            capable = {**entry, "capabilities": {"tools": True, "vision": True}}
            assert (await made.http.post("/v1/models", json=capable)).status_code == 201
        async with (
            serving(made.app) as server,
            AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-anything", max_retries=0) as client,
        ):
            yield client, made


def sent(made: Surface) -> Any:
    return made.provider.seen[-1].body


async def test_the_sdk_completes(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, made):
        answer = await client.responses.create(model="auto", input="hi", instructions="Be brief.", max_output_tokens=64)
    assert answer.output_text.startswith("word0 word1")
    assert answer.status == "completed"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert answer.instructions == "Be brief."
    assert [message["role"] for message in sent(made)["messages"]] == ["system", "user"]
    assert sent(made)["max_tokens"] == 64


async def test_the_sdk_streams(tmp_path: Path) -> None:
    async with (
        sdk(tmp_path) as (client, made),
        client.responses.stream(model="auto", input="hi") as stream,
    ):
        texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        response = await stream.get_final_response()
    assert "".join(texts) == response.output_text
    assert len(texts) > 1
    assert response.usage is not None
    assert response.usage.output_tokens > 0
    assert made.gateway.ledger.totals.attempts == 1


class City(BaseModel):
    name: str


async def test_the_sdk_parses_an_answer_of_a_form(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, made):
        made.provider.says["scripted"] = '{"name":"Bern"}'
        answer = await client.responses.parse(model="auto", input="hi", text_format=City)
    assert answer.output_parsed == City(name="Bern")
    assert sent(made)["response_format"]["json_schema"]["name"] == "City"
    assert sent(made)["response_format"]["json_schema"]["strict"] is True


async def test_the_sdk_runs_a_tool_loop(tmp_path: Path) -> None:
    async with sdk(tmp_path, "scripted-tool") as (client, made):
        first = await client.responses.create(model="auto", input="hi", tools=[WEATHER])
        call = next(item for item in first.output if item.type == "function_call")
        assert call.name == "weather"
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        turns: Any = [{"role": "user", "content": "hi"}, *(item.to_dict() for item in first.output), result]
        await client.responses.create(model="auto", input=turns, tools=[WEATHER])
    messages = sent(made)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    assert messages[2]["content"] == "sunny"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_of_free_text_comes_back_as_one(tmp_path: Path, stream: bool) -> None:
    async with surface(tmp_path) as made:
        await made.http.post(
            "/v1/models", json={**MODEL, "apiModelName": "scripted-tool", "capabilities": {"tools": True}}
        )
        asked = {**ASKED, "tools": [PATCH, {"type": "web_search"}], "stream": stream}
        answer = await made.http.post("/v1/responses", json=asked)
    function = sent(made)["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert 'start: "x"' in function["description"]
    assert len(sent(made)["tools"]) == 1
    response = answer.json() if not stream else orjson.loads(answer.text.strip().rsplit("data: ", 1)[1])["response"]
    item = next(item for item in response["output"] if item["type"] == "custom_tool_call")
    assert item["name"] == "apply_patch"
    assert isinstance(item["input"], str)


async def test_tools_of_a_namespace_and_of_items_are_flattened_and_restored(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post(
            "/v1/models", json={**MODEL, "apiModelName": "scripted-tool", "capabilities": {"tools": True}}
        )
        declared = {"type": "additional_tools", "role": "developer", "tools": [NAMESPACE]}
        answer = await made.http.post(
            "/v1/responses", json={**ASKED, "input": [declared, {"role": "user", "content": "hi"}]}
        )
    assert sent(made)["tools"][0]["function"]["name"] == "clock__sleep"
    item = next(item for item in answer.json()["output"] if item["type"] == "function_call")
    assert (item["namespace"], item["name"]) == ("clock", "sleep")


@asynccontextmanager
async def beside_anthropic(folder: Path, *replies: Reply) -> AsyncIterator[tuple[Surface, FakeAnthropic]]:
    async with (
        FakeAnthropic(*replies, listed=Reply([b'{"data":[]}'])) as fake,
        surface(folder, anthropic_api_key="sk-ant-ours", anthropic_base_url=fake.url) as made,
    ):
        entry = {**MODEL, "id": "claude", "provider": "anthropic", "apiModelName": "claude-opus-5"}
        capable = {**entry, "capabilities": {"tools": True, "vision": True}}
        assert (await made.http.post("/v1/models", json=capable)).status_code == 201
        yield made, fake


@pytest.mark.parametrize("name", ["thinking", "interleaved"])
async def test_claudes_thinking_survives_a_client_that_keeps_the_conversation(tmp_path: Path, name: str) -> None:
    reply = Reply.stream((FIXTURES / f"{name}.sse").read_bytes())
    body = {**ASKED, "store": False, "include": ["reasoning.encrypted_content"], "stream": True, "tools": [WEATHER]}
    async with beside_anthropic(tmp_path, reply, reply) as (made, fake):
        answer = await made.http.post("/v1/responses", json=body)
        output = orjson.loads(answer.text.strip().rsplit("data: ", 1)[1])["response"]["output"]
        calls = [item for item in output if item["type"] == "function_call"]
        results = [{"type": "function_call_output", "call_id": item["call_id"], "output": "ok"} for item in calls]
        turns = [{"role": "user", "content": "hi"}, *output, *results, {"role": "user", "content": "Go on."}]
        await made.http.post("/v1/responses", json={**body, "input": turns})
        request = [request for request in fake.requests if request.method == "POST"][-1]
    signatures = [
        block["signature"]
        for message in request.body["messages"]
        if message["role"] == "assistant"
        for block in message["content"]
        if block["type"] == "thinking"
    ]
    assert signatures
    assert all(signature.encode() in (FIXTURES / f"{name}.sse").read_bytes() for signature in signatures)
    assert not any(signature in answer.text for signature in signatures), "they are sealed on their way"


async def test_when_nobody_can_answer_it_is_429_and_never_a_server_error(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "apiModelName": "scripted-e529"})
        answers = [await made.http.post("/v1/responses", json={**ASKED, "stream": stream}) for stream in (False, True)]
    for answer in answers:
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"]["message"]


async def test_a_failing_model_is_replaced_before_anything_is_sent(tmp_path: Path) -> None:
    async with (
        sdk(tmp_path, "scripted-e529", "scripted-n3") as (client, _),
        client.responses.stream(model="auto", input="hi") as stream,
    ):
        response = await stream.get_final_response()
    assert response.model == "scripted-n3"


async def test_a_stream_that_breaks_off_ends_with_a_failed_response(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "apiModelName": "scripted-cut3"})
        answer = await made.http.post("/v1/responses", json={**ASKED, "stream": True})
    name, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert name == "event: response.failed"
    told = orjson.loads(data.removeprefix("data: "))
    assert told["sequence_number"] == answer.text.count("event:") - 1
    assert told["response"]["error"]["code"] == "server_error"


async def test_a_prompt_that_is_too_long_has_the_code_that_clients_read(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "contextWindow": 1000})
        answer = await made.http.post("/v1/responses", json={**ASKED, "input": "word " * 4000})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


async def test_what_is_wrong_is_told_in_openais_form(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="auto", input=[{"type": "message", "role": "user", "content": 3}])  # type: ignore[typeddict-item]
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="unheard-of", input="hi")
        with pytest.raises(openai.BadRequestError, match="background"):
            await client.responses.create(model="auto", input="hi", background=True)
    assert caught.value.param == "input.0.content"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"session-id": "01a2"}, {}),
        ({"session-id": "x" * 201}, {"prompt_cache_key": "01a2"}),
        ({}, {"prompt_cache_key": "01a2"}),
    ],
)
async def test_the_clients_name_of_the_conversation_counts(
    tmp_path: Path, headers: dict[str, str], body: dict[str, Any]
) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        await made.http.post("/v1/models", json={**MODEL, "id": "other", "apiModelName": "scripted-other"})
        used = set()
        for number in range(6):
            asked = {**ASKED, **body, "input": f"Question {number}"}
            answer = await made.http.post("/v1/responses", json=asked, headers=headers)
            used.add(answer.headers["x-gateway-model"])
    assert len(used) == 1


async def test_a_websocket_is_refused_with_426(tmp_path: Path) -> None:
    async with surface(tmp_path) as made, serving(made.app) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{server.url.replace('http', 'ws')}/v1/responses"):
                pass
    assert refused.value.response.status_code == 426
    assert b"POST /v1/responses" in refused.value.response.body


async def test_the_cache_answers_a_request_that_is_the_same(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        cached = {**ASKED, "gateway": {"cache": True}}
        answers = [await made.http.post("/v1/responses", json=cached) for _ in range(2)]
    assert [answer.headers["x-gateway-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].json()["output"][0]["content"] == answers[1].json()["output"][0]["content"]

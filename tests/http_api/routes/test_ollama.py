"""Ollama's API: clients that know no other see every model of the gateway, and chat with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.fake_ollama import FakeOllama
from tests.support.http_gateway import MODEL, Surface, surface

HELLO: Any = [{"role": "user", "content": "hi"}]
ASKED: dict[str, Any] = {"model": "auto", "messages": HELLO}
WHOLE: dict[str, Any] = {**ASKED, "stream": False}
ADD: Any = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
PNG = "iVBORw0KGgo="
WORDS = "word0 word1 word2 word3 word4 word5 word6 word7"


@asynccontextmanager
async def gateway(folder: Path, *names: str, **values: Any) -> AsyncIterator[Surface]:
    """A gateway with those scripted models in L0, first choice first."""
    async with surface(folder, **values) as made:
        for priority, name in enumerate(names or ("scripted",)):
            entry = {**MODEL, "id": f"scripted/{name}", "apiModelName": name, "priority": priority}
            able = {"capabilities": {"tools": True, "vision": True, "reasoning": True}, "contextWindow": 32_000}
            assert (await made.http.post("/v1/models", json={**entry, **able})).status_code == 201
        yield made


def lines_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    return [orjson.loads(line) for line in answer.text.splitlines()]


async def test_a_chat_is_streamed_in_lines_unless_it_wants_one_piece(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        *parts, last = lines_of(await made.http.post("/api/chat", json=ASKED))
        recorded = made.gateway.ledger.totals.attempts
    assert "".join(part["message"]["content"] for part in parts).rstrip() == WORDS
    assert len(parts) > 1
    assert not any(part["done"] for part in parts)
    assert all((part["model"], part["message"]["role"]) == ("auto", "assistant") for part in [*parts, last])
    assert (last["done"], last["done_reason"], last["message"]["content"]) == (True, "stop", "")
    assert (last["prompt_eval_count"], last["eval_count"]) == (11, 8)
    assert last["total_duration"] == last["prompt_eval_duration"] + last["eval_duration"] > 0
    assert recorded == 1


async def test_a_whole_chat_is_one_object(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        response = await made.http.post("/api/chat", json=WHOLE)
        answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-gateway-model"] == "scripted/scripted"
    assert answer["message"] == {"role": "assistant", "content": WORDS}
    assert (answer["done"], answer["done_reason"], answer["eval_count"]) == (True, "stop", 8)
    assert answer["created_at"].endswith("Z")


async def test_a_prompt_is_answered_whole_and_as_a_stream(tmp_path: Path) -> None:
    asked = {"model": "auto", "prompt": "hi", "system": "Be brief."}
    async with gateway(tmp_path) as made:
        *parts, last = lines_of(await made.http.post("/api/generate", json=asked))
        whole = (await made.http.post("/api/generate", json={**asked, "stream": False})).json()
        sent = made.provider.seen[-1].body["messages"]
    assert "".join(part["response"] for part in parts).rstrip() == whole["response"] == WORDS
    assert last["done"] is whole["done"] is True
    assert "message" not in whole
    assert sent == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_is_called_with_an_object_and_its_result_finds_the_call(tmp_path: Path, stream: bool) -> None:
    asked = {**ASKED, "tools": [ADD], "stream": stream}
    async with gateway(tmp_path, "scripted-tool") as made:
        first = await made.http.post("/api/chat", json=asked)
        said = (lines_of(first) if stream else [first.json()])[0]["message"]
        (call,) = said["tool_calls"]
        assert call["function"] == {"index": 0, "name": "add", "arguments": {"city": "Paris"}}
        turns = [*HELLO, said, {"role": "tool", "tool_name": "add", "content": "3"}]
        await made.http.post("/api/chat", json={**asked, "messages": turns})
        sent = made.provider.seen[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == call["id"]


@pytest.mark.parametrize("stream", [True, False])
async def test_thinking_comes_beside_the_answer(tmp_path: Path, stream: bool) -> None:
    asked = {**ASKED, "think": True, "stream": stream}
    async with gateway(tmp_path, "scripted-reason") as made:
        answer = await made.http.post("/api/chat", json=asked)
        sent = made.provider.seen[-1].body
    messages = [part["message"] for part in (lines_of(answer) if stream else [answer.json()])]
    assert "".join(message.get("thinking", "") for message in messages) == "let me think"
    assert "".join(message["content"] for message in messages).rstrip() == WORDS
    assert sent["reasoning_effort"] == "medium"


async def test_images_formats_and_options_reach_a_model_of_another_vendor(tmp_path: Path) -> None:
    options = {"temperature": 0.5, "num_predict": 40, "num_ctx": 8192, "top_k": 3, "stop": ["END"]}
    turn = {"role": "user", "content": "What is it?", "images": [PNG]}
    asked = {**WHOLE, "messages": [turn], "options": options, "format": {"type": "object"}, "keep_alive": "5m"}
    async with gateway(tmp_path) as made:
        assert (await made.http.post("/api/chat", json=asked)).status_code == 200
        sent = made.provider.seen[-1].body
    assert sent["messages"][0]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.5, 40, ["END"])
    assert not {"options", "num_ctx", "top_k", "keep_alive", "images"} & set(sent)


async def test_an_ollama_server_gets_all_options(tmp_path: Path) -> None:
    options = {"top_k": 3, "min_p": 0.1, "num_ctx": 16_384, "num_predict": 40}
    async with FakeOllama() as fake, surface(tmp_path, oss_model_endpoint=fake.url) as made:
        entry = {**MODEL, "id": "near/llama", "provider": "oss-local", "apiModelName": "llama3.2:latest"}
        assert (await made.http.post("/v1/models", json=entry)).status_code == 201
        asked = {**WHOLE, "model": "near/llama", "options": options, "keep_alive": "5m"}
        answer = await made.http.post("/api/chat", json=asked)
        (sent,) = fake.chats
    assert answer.json()["message"]["content"] == "Hello there"
    assert {**sent["options"], **options} == sent["options"]
    assert sent["keep_alive"] == "5m"


async def test_the_models_that_can_answer_are_listed_and_described(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        off = {**MODEL, "id": "scripted/off", "enabled": False}
        assert (await made.http.post("/v1/models", json=off)).status_code == 201
        listed = (await made.http.get("/api/tags")).json()["models"]
        described = [(await made.http.post("/api/show", json={"model": entry["name"]})).json() for entry in listed]
        older = (await made.http.post("/api/show", json={"name": "scripted/scripted:latest"})).json()
    names = [entry["name"] for entry in listed]
    assert {"auto", "scripted/scripted"} <= set(names)
    assert "scripted/off" not in names
    assert len({entry["digest"] for entry in listed}) == len(listed)
    assert all("completion" in model["capabilities"] for model in described)
    assert older == described[names.index("scripted/scripted")]
    assert older["model_info"]["gateway.context_length"] == 32_000
    assert older["model_info"]["general.architecture"] == "gateway"
    assert older["capabilities"] == ["completion", "tools", "vision", "thinking"]


async def test_the_tag_that_clients_add_is_no_part_of_a_name(tmp_path: Path) -> None:
    async with gateway(tmp_path) as made:
        answer = await made.http.post("/api/chat", json={**WHOLE, "model": "scripted/scripted:latest"})
    assert answer.json()["model"] == "scripted/scripted:latest"
    assert answer.headers["x-gateway-model"] == "scripted/scripted"


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
async def test_loading_a_model_asks_no_provider(tmp_path: Path, path: str) -> None:
    async with gateway(tmp_path) as made:
        loaded = await made.http.post(path, json={"model": "auto", "messages": []})
        unloaded = await made.http.post(path, json={"model": "auto", "keep_alive": 0})
        unknown = await made.http.post(path, json={"model": "unheard-of"})
        asked = made.gateway.ledger.totals.attempts
    assert (loaded.json()["done"], loaded.json()["done_reason"]) == (True, "load")
    assert unloaded.json()["done_reason"] == "unload"
    assert unknown.status_code == 404
    assert asked == 0


async def test_errors_are_texts_whatever_the_client_is_called(tmp_path: Path) -> None:
    headers = {"user-agent": "Continue/1.0"}
    async with gateway(tmp_path) as made:
        unknown = await made.http.post("/api/chat", json={**ASKED, "model": "unheard-of"}, headers=headers)
        nameless = await made.http.post("/api/chat", json={"messages": HELLO}, headers=headers)
    assert (unknown.status_code, nameless.status_code) == (404, 400)
    assert "unheard-of" in unknown.json()["error"]
    assert "'model'" in nameless.json()["error"]


async def test_a_stream_that_breaks_off_ends_with_a_line_that_says_so(tmp_path: Path) -> None:
    async with gateway(tmp_path, "scripted-cut3") as made:
        *parts, last = lines_of(await made.http.post("/api/chat", json=ASKED))
    assert parts
    assert not any(part["done"] for part in parts)
    assert list(last) == ["error"]
    assert isinstance(last["error"], str)


async def test_a_failing_model_is_replaced_before_anything_is_sent(tmp_path: Path) -> None:
    async with gateway(tmp_path, "scripted-e529", "scripted-n3") as made:
        answer = await made.http.post("/api/chat", json=ASKED)
    assert answer.headers["x-gateway-model"] == "scripted/scripted-n3"
    assert lines_of(answer)[-1]["eval_count"] == 3


async def test_an_answer_from_the_cache_is_the_same(tmp_path: Path) -> None:
    cached = {**WHOLE, "gateway": {"cache": True}}
    async with gateway(tmp_path) as made:
        answers = [await made.http.post("/api/chat", json=cached) for _ in range(2)]
        streamed = await made.http.post("/api/chat", json={**cached, "stream": True})
    assert [answer.headers["x-gateway-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].json()["message"] == answers[1].json()["message"]
    assert "".join(part["message"]["content"] for part in lines_of(streamed)).rstrip() == WORDS


async def test_credentials_are_asked_for(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        refused = [
            await made.http.post("/api/chat", json=ASKED),
            await made.http.post("/api/show", json={"model": "auto"}),
            await made.http.get("/api/tags"),
            await made.http.get("/api/version"),
        ]
    assert [answer.status_code for answer in refused] == [401] * 4
    assert all(isinstance(answer.json()["error"], str) for answer in refused)


async def test_the_version_is_new_enough_for_editors(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        version = (await made.http.get("/api/version")).json()["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4)


async def test_it_counts_against_the_rate_limit(tmp_path: Path) -> None:
    async with gateway(tmp_path, rate_limit_per_minute=2) as made:
        answers = [await made.http.post("/api/chat", json=WHOLE) for _ in range(3)]
    assert answers[-1].status_code == 429
    assert isinstance(answers[-1].json()["error"], str)

"""POST /v1/messages: Anthropic's form in front of every provider, and nothing changed in front of Anthropic."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import orjson
import pytest
from anthropic import AsyncAnthropic

from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_server import serving

FIXTURES = Path(__file__).parents[2] / "fixtures" / "anthropic"
HELLO: Any = [{"role": "user", "content": "hi"}]
BASH: Any = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
PNG: Any = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
ASKED: dict[str, Any] = {"model": "auto", "max_tokens": 64, "messages": HELLO}


@asynccontextmanager
async def sdk(folder: Path, *names: str, **values: Any) -> AsyncIterator[tuple[AsyncAnthropic, Surface]]:
    """Anthropic's own SDK against a gateway whose provider speaks OpenAI's dialect."""
    async with surface(folder, **values) as made:
        for priority, name in enumerate(names or ("scripted",)):
            entry = {**MODEL, "id": f"scripted/{name}", "apiModelName": name, "priority": priority}
            capable = {**entry, "capabilities": {"tools": True, "vision": True}}
            assert (await made.http.post("/v1/models", json=capable)).status_code == 201
        async with (
            serving(made.app) as server,
            AsyncAnthropic(base_url=server.url, api_key="sk-anything", max_retries=0) as client,
        ):
            yield client, made


@asynccontextmanager
async def beside_anthropic(
    folder: Path, *replies: Reply, model: str = "claude-opus-5"
) -> AsyncIterator[tuple[Surface, FakeAnthropic]]:
    """A gateway whose provider speaks Anthropic's dialect."""
    async with (
        FakeAnthropic(*replies, listed=Reply([b'{"data":[]}'])) as fake,
        surface(folder, anthropic_api_key="sk-ant-ours", anthropic_base_url=fake.url) as made,
    ):
        entry = {**MODEL, "id": "claude", "provider": "anthropic", "apiModelName": model}
        capable = {**entry, "capabilities": {"tools": True, "vision": True}}
        assert (await made.http.post("/v1/models", json=capable)).status_code == 201
        yield made, fake


def transcript(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def messages_of(fake: FakeAnthropic) -> Sequence[Any]:
    return [request for request in fake.requests if request.method == "POST"]


async def test_the_sdk_completes(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        answer = await client.messages.create(model="auto", max_tokens=64, messages=HELLO)
    assert answer.content[0].type == "text"
    assert answer.content[0].text.startswith("word0 word1")
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0
    assert answer._request_id


async def test_the_sdk_streams(tmp_path: Path) -> None:
    async with (
        sdk(tmp_path) as (client, made),
        client.messages.stream(model="auto", max_tokens=64, messages=HELLO, system="Be brief.") as stream,
    ):
        texts = [text async for text in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(texts).startswith("word0 word1")
    assert len(texts) > 1
    assert message.usage.output_tokens > 0
    assert made.gateway.ledger.totals.attempts == 1


async def test_each_message_has_an_id_of_its_own_although_the_vendor_repeats_one(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        whole = [await client.messages.create(model="auto", max_tokens=64, messages=HELLO) for _ in range(2)]
        async with client.messages.stream(model="auto", max_tokens=64, messages=HELLO) as stream:
            streamed = await stream.get_final_message()
    assert len({message.id for message in (*whole, streamed)}) == 3
    assert all(message.id.startswith("msg_") for message in (*whole, streamed))


async def test_the_sdk_runs_a_tool_loop(tmp_path: Path) -> None:
    async with sdk(tmp_path, "scripted-tool") as (client, made):
        first = await client.messages.create(model="auto", max_tokens=64, messages=HELLO, tools=[BASH])
        call = next(block for block in first.content if block.type == "tool_use")
        assert (first.stop_reason, call.name) == ("tool_use", "Bash")
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "ok"}]}
        turns = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        await client.messages.create(model="auto", max_tokens=64, messages=turns, tools=[BASH])
    sent = made.provider.seen[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]


async def test_the_sdk_counts_tokens(tmp_path: Path) -> None:
    async with sdk(tmp_path, rate_limit_per_minute=3) as (client, _):
        found = [await client.messages.count_tokens(model="auto", messages=HELLO) for _ in range(6)]
    assert all(count.input_tokens > 0 for count in found)


async def test_an_unknown_model_is_not_found(tmp_path: Path) -> None:
    async with sdk(tmp_path) as (client, _):
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.messages.create(model="unheard-of", max_tokens=64, messages=HELLO)
    assert caught.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]


async def test_a_prompt_that_is_too_long_is_told_in_the_sentence_that_clients_read(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "contextWindow": 1000})
        long = {**ASKED, "messages": [{"role": "user", "content": "word " * 4000}]}
        answer = await made.http.post("/v1/messages", json=long)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "prompt is too long: 5001 tokens > 1000 maximum"


async def test_when_nobody_can_answer_it_is_overloaded(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "apiModelName": "scripted-e529"})
        answer = await made.http.post("/v1/messages", json=ASKED)
    assert answer.status_code == 529
    assert answer.json()["error"]["type"] == "overloaded_error"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["request-id"] == answer.json()["request_id"]


async def test_a_failing_model_is_replaced_before_anything_is_sent(tmp_path: Path) -> None:
    async with (
        sdk(tmp_path, "scripted-e529", "scripted-n3") as (client, _),
        client.messages.stream(model="auto", max_tokens=64, messages=HELLO) as stream,
    ):
        message = await stream.get_final_message()
    assert message.model == "scripted-n3"


async def test_a_stream_that_breaks_off_ends_with_anthropics_error_event(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "apiModelName": "scripted-cut3"})
        answer = await made.http.post("/v1/messages", json={**ASKED, "stream": True})
    name, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert name == "event: error"
    assert orjson.loads(data.removeprefix("data: "))["error"]["type"] == "api_error"


async def test_limits_are_told_under_anthropics_names(tmp_path: Path) -> None:
    async with sdk(tmp_path, rate_limit_per_minute=3) as (client, _):
        raw = await client.messages.with_raw_response.create(model="auto", max_tokens=64, messages=HELLO)
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "3"
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert raw.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


async def test_anthropic_gets_the_callers_own_body_and_betas_and_never_their_key(tmp_path: Path) -> None:
    written = (
        b'{"max_tokens": 64, "model": "claude", "messages": [{"role": "user", "content": "caf\\u00e9"}], '
        b'"context_management": {"edits": []}, "stream": true}'
    )
    headers = {
        "content-type": "application/json",
        "authorization": "Bearer sk-theirs",
        "x-claude-code-session-id": "abc",
        "anthropic-beta": "context-management-2025-06-27",
    }
    async with beside_anthropic(tmp_path, Reply.stream(transcript("text.sse"))) as (made, fake):
        answer = await made.http.post("/v1/messages?beta=true", content=written, headers=headers)
        (request,) = messages_of(fake)
    assert answer.text == transcript("text.sse").decode()
    assert request.raw == written.replace(b'"claude"', b'"claude-opus-5"')
    assert request.headers["anthropic-beta"] == "context-management-2025-06-27"
    assert request.headers["x-api-key"] == "sk-ant-ours"
    assert "authorization" not in request.headers
    assert "sk-theirs" not in str(request.headers)
    assert made.gateway.ledger.totals.attempts == 1


async def test_anthropics_whole_answer_comes_as_it_was(tmp_path: Path) -> None:
    async with beside_anthropic(tmp_path, Reply([transcript("thinking.json")])) as (made, _):
        answer = await made.http.post("/v1/messages", json=ASKED)
    assert answer.content == transcript("thinking.json")


async def test_a_tool_call_of_a_relayed_stream_is_known_to_the_audit_trail(tmp_path: Path) -> None:
    async with beside_anthropic(tmp_path, Reply.stream(transcript("tools.sse"))) as (made, _):
        await made.http.post("/v1/messages", json={**ASKED, "tools": [BASH], "stream": True})
        token = await made.login()
        rows = (await made.http.get("/v1/audit?action=chat", headers={"authorization": f"Bearer {token}"})).json()
    assert rows["entries"][0]["details"]["toolCalls"]


async def test_anthropic_counts_for_its_own_models(tmp_path: Path) -> None:
    async with beside_anthropic(tmp_path, Reply([b'{"input_tokens": 2095}'])) as (made, fake):
        answer = await made.http.post("/v1/messages/count_tokens", json={"model": "claude", "messages": HELLO})
        (request,) = messages_of(fake)
    assert answer.json() == {"input_tokens": 2095}
    assert (request.path, request.body) == ("/v1/messages/count_tokens", {"model": "claude-opus-5", "messages": HELLO})


async def test_an_older_model_gets_a_translation_of_what_it_does_not_take(tmp_path: Path) -> None:
    asked = {
        **ASKED,
        "max_tokens": 8192,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "messages": [*HELLO, {"role": "system", "content": "Mind the gap."}],
        "stream": True,
    }
    reply = Reply.stream(transcript("thinking.sse"))
    async with beside_anthropic(tmp_path, reply, model="claude-haiku-4-5") as (made, fake):
        answer = await made.http.post("/v1/messages", json=asked)
        (request,) = messages_of(fake)
    assert request.body["thinking"]["type"] == "enabled"
    assert "system" not in request.body
    assert "Mind the gap." in str(request.body["messages"])
    assert answer.text.index("signature_delta") < answer.text.index("text_delta")


async def test_a_tool_that_runs_at_anthropic_is_refused_elsewhere_with_a_sentence(tmp_path: Path) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    asked = {**ASKED, "tools": [search], "tool_choice": {"type": "tool", "name": "web_search"}}
    async with sdk(tmp_path) as (_, made):
        answer = await made.http.post("/v1/messages", json=asked)
    assert answer.status_code == 400
    assert "runs on Anthropic's servers" in answer.json()["error"]["message"]


async def test_an_image_reaches_a_model_of_another_vendor(tmp_path: Path) -> None:
    turn: Any = {"role": "user", "content": [{"type": "image", "source": PNG}, {"type": "text", "text": "What is it?"}]}
    async with sdk(tmp_path) as (client, made):
        await client.messages.create(model="auto", max_tokens=64, messages=[turn])
    assert made.provider.seen[-1].body["messages"][0]["content"][0]["type"] == "image_url"


async def test_the_cache_keeps_them_apart_from_chats(tmp_path: Path) -> None:
    async with beside_anthropic(tmp_path, Reply([transcript("text.json")]), Reply([transcript("text.json")])) as (
        made,
        fake,
    ):
        cached = {**ASKED, "gateway": {"cache": True}}
        first = await made.http.post("/v1/messages", json=cached)
        second = await made.http.post("/v1/messages", json=cached)
        third = await made.http.post("/v1/messages", json={**cached, "top_k": 3})
    assert [answer.headers["x-gateway-cache"] for answer in (first, second, third)] == ["miss", "hit", "miss"]
    assert second.json()["content"] == first.json()["content"]
    assert len(messages_of(fake)) == 2

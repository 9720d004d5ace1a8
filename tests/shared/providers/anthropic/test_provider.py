"""The provider over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.errors import (
    InvalidInput,
    Unsupported,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamThrottled,
    UpstreamTimeout,
)
from shared.providers.anthropic.provider import AnthropicMessages
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from shared.providers.server_sent_events import payloads
from tests.support.fake_anthropic import FakeAnthropic, Reply

Transcript = Callable[[str], bytes]
KEY = "sk-ant-test-key-000"
MODEL = Model(id="anthropic:sonnet", provider="anthropic", api_model_name="claude-sonnet-4-5", layer="L2")
TIMEOUTS = Timeouts(connect=2, first_token=4, stall=4, total=4)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "Hi"}], **fields})


def provider(server: FakeAnthropic, client: HttpClient, key: str = KEY, suffix: str = "") -> AnthropicMessages:
    return AnthropicMessages("anthropic", server.url + suffix, key, client, clock=lambda: 1_700_000_000.9)


async def collect(provider: AnthropicMessages, request: ChatRequest, timeouts: Timeouts = TIMEOUTS) -> list[Chunk]:
    async with provider.stream(MODEL, request, timeouts) as chunks:
        return [chunk async for chunk in chunks]


async def ask(provider: AnthropicMessages, *, stream: bool) -> object:
    return await (collect(provider, chat(stream=True)) if stream else provider.complete(MODEL, chat(), TIMEOUTS))


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_a_request_goes_where_and_as_anthropic_wants_it(
    client: HttpClient, transcript: Transcript, suffix: str
) -> None:
    async with FakeAnthropic(Reply([transcript("text.json")])) as server:
        await provider(server, client, suffix=suffix).complete(MODEL, chat(max_tokens=9, seed=1), TIMEOUTS)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/messages")
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert "anthropic-beta" not in request.headers
    assert request.body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


async def test_betas_go_into_their_header(client: HttpClient, transcript: Transcript) -> None:
    async with FakeAnthropic(Reply([transcript("text.json")])) as server:
        await provider(server, client).complete(MODEL, chat(anthropic_beta=["a-2026-01-01", "b-2026-01-01"]), TIMEOUTS)
    assert server.requests[0].headers["anthropic-beta"] == "a-2026-01-01,b-2026-01-01"


async def test_a_whole_answer(client: HttpClient, transcript: Transcript) -> None:
    async with FakeAnthropic(Reply([transcript("text.json")])) as server:
        found = await provider(server, client).complete(MODEL, chat(), TIMEOUTS)
    assert found.payload["choices"][0]["message"]["content"] == "Hello, wörld again"
    assert (found.payload["created"], found.payload["model"]) == (1_700_000_000, "claude-sonnet-4-5")
    assert found.usage == Usage(prompt=25, completion=15)


async def test_a_streamed_answer(client: HttpClient, transcript: Transcript) -> None:
    whole = transcript("tools.sse")
    async with FakeAnthropic(Reply.stream(whole[:333], whole[333:700], whole[700:])) as server:
        chunks = await collect(provider(server, client), chat(stream=True))
    assert server.requests[0].body["stream"] is True
    events = [orjson.loads(data) for data in payloads(b"".join(chunk.data for chunk in chunks))]
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1].final is not None
    assert chunks[-1].final["usage"]["completion_tokens"] == 89
    assert [chunk.final for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


async def test_a_conversation_with_tools_goes_round(client: HttpClient, transcript: Transcript) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Weather?"}]
    async with FakeAnthropic(Reply([transcript("tools.json")]), Reply([transcript("text.json")])) as server:
        anthropic = provider(server, client)
        first = await anthropic.complete(MODEL, chat(messages=messages, tools=tools), TIMEOUTS)
        told = first.payload["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "sun"} for call in told["tool_calls"]]
        await anthropic.complete(MODEL, chat(messages=[*messages, told, *results], tools=tools), TIMEOUTS)
    turns = server.requests[1].body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == orjson.loads(transcript("tools.json"))["content"]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": identity, "content": "sun"} for identity in ("toolu_01A", "toolu_01B")
    ]


async def test_the_connection_is_used_again_after_a_stream(client: HttpClient, transcript: Transcript) -> None:
    replies = [Reply.stream(transcript("text.sse")) for _ in range(3)]
    async with FakeAnthropic(*replies) as server:
        for _ in range(3):
            await collect(provider(server, client), chat(stream=True))
    assert server.connections == 1


async def test_a_stream_ends_with_its_last_event_not_with_its_connection(
    client: HttpClient, transcript: Transcript
) -> None:
    async with FakeAnthropic(Reply.stream(transcript("text.sse"), hold=True)) as server:
        chunks = await collect(provider(server, client), chat(stream=True))
        assert chunks[-1].final is not None
        await asyncio.wait_for(server.client_gone.wait(), 5)


async def test_leaving_a_stream_closes_the_connection(client: HttpClient, transcript: Transcript) -> None:
    part = transcript("text.sse").partition(b"event: content_block_stop")[0]
    async with FakeAnthropic(Reply.stream(part, hold=True)) as server:
        async with provider(server, client).stream(MODEL, chat(stream=True), TIMEOUTS) as chunks:
            first = await anext(chunks)
            assert first.content
            assert not server.client_gone.is_set()
        await asyncio.wait_for(server.client_gone.wait(), 5)
        assert await anext(chunks, None) is None


async def test_cancelling_a_stream_closes_the_connection(client: HttpClient, transcript: Transcript) -> None:
    part = transcript("text.sse").partition(b"event: content_block_stop")[0]
    started = asyncio.Event()

    async def read(anthropic: AnthropicMessages) -> None:
        async with anthropic.stream(MODEL, chat(stream=True), TIMEOUTS) as chunks:
            async for _ in chunks:
                started.set()

    async with FakeAnthropic(Reply.stream(part, hold=True)) as server:
        task = asyncio.create_task(read(provider(server, client)))
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.client_gone.wait(), 5)


async def test_cancelling_a_whole_answer_closes_the_connection(client: HttpClient) -> None:
    async with FakeAnthropic(Reply([b"{"], hold=True)) as server:
        task = asyncio.create_task(provider(server, client).complete(MODEL, chat(), TIMEOUTS))
        await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.client_gone.wait(), 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_answer_is_raised_in_its_class(client: HttpClient, stream: bool) -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}})
    headers = {"content-type": "application/json", "retry-after": "12", "request-id": "req_9"}
    async with FakeAnthropic(Reply([body], status=429, headers=headers)) as server:
        with pytest.raises(UpstreamThrottled) as caught:
            await ask(provider(server, client), stream=stream)
    assert caught.value.retry_after == 12
    assert caught.value.status == 429
    assert "req_9" in caught.value.operator_detail


async def test_the_key_is_not_repeated_when_the_provider_does(client: HttpClient) -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "authentication_error", "message": f"invalid: {KEY}"}})
    async with FakeAnthropic(Reply([body], status=401)) as server:
        with pytest.raises(UpstreamAuthFailed) as caught:
            await provider(server, client).complete(MODEL, chat(), TIMEOUTS)
    assert KEY not in f"{caught.value.message}{caught.value.details}{caught.value.operator_detail}"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_with_status_200_is_a_failure(client: HttpClient, transcript: Transcript, stream: bool) -> None:
    async with FakeAnthropic(Reply([transcript("error.json")])) as server:
        with pytest.raises(UpstreamError, match="overloaded"):
            await ask(provider(server, client), stream=stream)


async def test_an_error_in_the_middle_comes_after_the_text_before_it(
    client: HttpClient, transcript: Transcript
) -> None:
    async with (
        FakeAnthropic(Reply.stream(transcript("error_mid_stream.sse"))) as server,
        provider(server, client).stream(MODEL, chat(stream=True), TIMEOUTS) as chunks,
    ):
        assert b"Half an" in (await anext(chunks)).data
        with pytest.raises(UpstreamError, match="overloaded"):
            await anext(chunks)


@pytest.mark.parametrize("cut", [False, True])
async def test_a_stream_without_its_end_is_a_failure(client: HttpClient, transcript: Transcript, cut: bool) -> None:
    part = transcript("text.sse").partition(b"event: message_stop")[0]
    async with FakeAnthropic(Reply.stream(part, cut=cut)) as server:
        with pytest.raises(UpstreamError, match="broke off"):
            await collect(provider(server, client), chat(stream=True))


async def test_a_silent_stream_times_out(client: HttpClient, transcript: Transcript) -> None:
    part = transcript("text.sse").partition(b"event: content_block_stop")[0]
    async with FakeAnthropic(Reply.stream(part, hold=True)) as server:
        with pytest.raises(UpstreamTimeout):
            await collect(provider(server, client), chat(stream=True), Timeouts(stall=0.05, total=4))
        await asyncio.wait_for(server.client_gone.wait(), 5)


async def test_what_anthropic_cannot_do_is_refused_before_anything_is_sent(client: HttpClient) -> None:
    async with FakeAnthropic() as server:
        with pytest.raises(Unsupported, match="'n'"):
            await provider(server, client).complete(MODEL, chat(n=2), TIMEOUTS)
    assert server.connections == 0


async def test_a_request_that_no_json_can_hold_is_refused(client: HttpClient) -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    async with FakeAnthropic() as server:
        with pytest.raises(InvalidInput, match="JSON"):
            await provider(server, client).complete(MODEL, chat(tools=[tool]), TIMEOUTS)


async def test_a_probe_asks_for_one_model(client: HttpClient) -> None:
    async with FakeAnthropic(Reply([b'{"data":[],"has_more":false}'])) as server:
        probe = await provider(server, client).probe()
    assert probe.healthy
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v1/models?limit=1")
    assert server.requests[0].headers["x-api-key"] == KEY


async def test_a_probe_with_a_wrong_key_says_so(client: HttpClient) -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    async with FakeAnthropic(Reply([body], status=401)) as server:
        probe = await provider(server, client).probe()
    assert not probe.healthy
    assert "refuses the API key" in probe.detail


async def test_a_probe_of_nobody_is_unhealthy(client: HttpClient) -> None:
    async with FakeAnthropic() as server:
        anthropic = provider(server, client)
    probe = await anthropic.probe()
    assert not probe.healthy
    assert "cannot be reached" in probe.detail


async def test_without_a_key_it_is_not_configured(client: HttpClient) -> None:
    async with FakeAnthropic() as server:
        anthropic = provider(server, client, key="")
        assert not anthropic.configured
        assert not anthropic.serves(MODEL)
        assert (await anthropic.probe()).detail == "no API key"
    assert provider_with_key(client).serves(MODEL)


def provider_with_key(client: HttpClient) -> AnthropicMessages:
    return AnthropicMessages("anthropic", "https://api.anthropic.com", KEY, client)

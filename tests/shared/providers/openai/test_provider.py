"""The provider over real sockets: what it sends, and what it makes of what it gets."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.models import Model
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork, UpstreamRefused, UpstreamThrottled
from shared.providers.anthropic.provider import AnthropicMessages
from shared.providers.base import Provider, Timeouts
from shared.providers.http_client import HttpClient
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.server_sent_events import payloads
from shared.providers.vendors import VENDORS
from tests.support.fake_anthropic import FakeAnthropic, Reply

Transcript = Callable[[str], bytes]
KEY = "key-of-this-vendor"
MODEL = Model(id="x/m", provider="x", api_model_name="m-there", layer="L1")
TIMEOUTS = Timeouts(connect=2, first_token=4, stall=4, total=4)
WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-there",
    "own": {"deep": [1, None, {"x": "é"}]},
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "own": None,
            "message": {"role": "assistant", "content": "Hi", "refusal": None, "own": 1.5},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "own_tokens": 3},
}


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


def provider(server: FakeAnthropic, client: HttpClient, vendor: str = "x", key: str = KEY) -> Provider:
    """A vendor's provider as it is made of its row, but for its address."""
    row = VENDORS.get(vendor)
    if row is None:
        return OpenAICompatible(vendor, server.url, key, client, needs_key=False)
    if row.dialect == "anthropic":
        return AnthropicMessages(vendor, server.url, key, client)
    return OpenAICompatible(
        vendor,
        server.url,
        key,
        client,
        headers=row.headers,
        renames=row.renames,
        message_fields_refused=row.message_fields_refused,
    )


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "Hi"}], **fields})


async def collect(provider: Provider, request: ChatRequest) -> list[Chunk]:
    async with provider.stream(MODEL, request, TIMEOUTS) as chunks:
        return [chunk async for chunk in chunks]


async def ask(provider: Provider, *, stream: bool) -> object:
    if stream:
        return await collect(provider, chat(stream=True))
    return await provider.complete(MODEL, chat(), TIMEOUTS)


def answer(**fields: Any) -> Reply:
    return Reply([orjson.dumps({**WHOLE, **fields})])


EXACT = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "hi", "name": None, "own": {"a": None}},
    ],
    "tools": [{"type": "function", "cache_control": None, "function": {"name": "f", "parameters": {}, "strict": None}}],
    "encoding_format": None,
    "temperature": None,
    "stop": None,
    "max_tokens": 5,
    "stream": False,
    "own_field": [1, None, {"deep": "x"}],
}


async def test_a_compatible_service_receives_exactly_the_callers_fields(client: HttpClient) -> None:
    async with FakeAnthropic(answer()) as server:
        await provider(server, client).complete(MODEL, ChatRequest.parse({**EXACT, "model": "auto"}), TIMEOUTS)
    assert server.requests[0].body == {**EXACT, "model": "m-there"}


async def test_a_streamed_request_asks_for_usage_and_nothing_else_is_added(
    client: HttpClient, transcript: Transcript
) -> None:
    async with FakeAnthropic(Reply.stream(transcript("text"))) as server:
        await collect(provider(server, client), ChatRequest.parse({**EXACT, "stream": True}))
    sent = {**EXACT, "model": "m-there", "stream": True, "stream_options": {"include_usage": True}}
    assert server.requests[0].body == sent


CACHING = {
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"ttl": "30m"},
    "safety_identifier": "s",
    "service_tier": "flex",
    "verbosity": "low",
    "store": False,
    "metadata": {"a": "b"},
    "prediction": None,
    "web_search_options": {},
    "modalities": ["text"],
    "reasoning_effort": "minimal",
    "user": "u",
}


async def test_openais_own_fields_reach_openai_and_anthropics_do_not(client: HttpClient) -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "long", "cache_control": mark, "prompt_cache_breakpoint": {"mode": "explicit"}}]
    tool = {"type": "function", "function": {"name": "f"}}
    cached = {**WHOLE["usage"], "prompt_tokens": 2000, "prompt_tokens_details": {"cached_tokens": 1920}}  # type: ignore[dict-item]
    request = chat(
        **CACHING,
        messages=[{"role": "user", "content": parts, "cache_control": mark}],
        tools=[{**tool, "cache_control": mark}, {"type": "function", "function": {"name": "f", "cache_control": mark}}],
    )
    async with FakeAnthropic(answer(usage=cached)) as server:
        found = await provider(server, client, "openai").complete(MODEL, request, TIMEOUTS)
    kept = [{"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}]
    assert server.requests[0].body == {
        **CACHING,
        "model": "m-there",
        "messages": [{"role": "user", "content": kept}],
        "tools": [tool, tool],
    }
    assert found.usage is not None
    assert (found.usage.prompt, found.usage.cached) == (2000, 1920)


async def test_cache_marks_reach_openrouter(client: HttpClient) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    messages = [{"role": "user", "content": [{"type": "text", "text": "long", "cache_control": mark}]}]
    async with FakeAnthropic(answer()) as server:
        await provider(server, client, "openrouter").complete(MODEL, chat(messages=messages), TIMEOUTS)
    assert server.requests[0].body["messages"] == messages


COMMON = {
    "host",
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "user-agent",
}


@pytest.mark.parametrize(
    ("vendor", "own"),
    [
        ("openai", {"authorization": f"Bearer {KEY}"}),
        ("openrouter", {"authorization": f"Bearer {KEY}", "x-title": "AI MCP Gateway"}),
        ("anthropic", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("x", {"authorization": f"Bearer {KEY}"}),
    ],
)
async def test_each_vendor_gets_its_own_headers_and_no_others(
    client: HttpClient, vendor: str, own: dict[str, str]
) -> None:
    message = {"id": "m", "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn"}
    async with FakeAnthropic(Reply([orjson.dumps(message)]) if vendor == "anthropic" else answer()) as server:
        await provider(server, client, vendor).complete(MODEL, chat(anthropic_beta=None), TIMEOUTS)
    headers = server.requests[0].headers
    assert {name: headers.get(name) for name in own} == own
    assert headers.keys() == COMMON | own.keys()
    assert headers["user-agent"] == "ai-mcp-gateway"


async def test_a_service_without_a_key_gets_no_credentials(client: HttpClient) -> None:
    async with FakeAnthropic(answer()) as server:
        await provider(server, client, key="").complete(MODEL, chat(), TIMEOUTS)
    assert server.requests[0].headers.keys() == COMMON


async def test_unknown_fields_of_an_answer_come_back(client: HttpClient) -> None:
    async with FakeAnthropic(answer()) as server:
        found = await provider(server, client).complete(MODEL, chat(), TIMEOUTS)
    assert found.payload == WHOLE


async def test_unknown_fields_of_a_streamed_answer_come_back(client: HttpClient, transcript: Transcript) -> None:
    async with FakeAnthropic(Reply.stream(transcript("images"))) as server:
        chunks = await collect(provider(server, client), chat(stream=True))
    events = [orjson.loads(data) for data in payloads(b"".join(chunk.data for chunk in chunks))]
    assert {event["provider"] for event in events} == {"Google"}
    assert events[2]["choices"][0]["delta"]["images"][0]["image_url"]["url"].startswith("data:image/png")
    final = chunks[-1].final
    assert final is not None
    assert final["usage"]["cost_details"]["upstream_inference_completions_cost"] == 0.0390976


EMPTY: list[tuple[dict[str, Any], str | None, type[UpstreamError]]] = [
    ({"role": "assistant", "content": ""}, "stop", UpstreamBadAnswer),
    ({"role": "assistant", "content": None, "tool_calls": []}, "tool_calls", UpstreamBadAnswer),
    ({"role": "assistant"}, None, UpstreamBadAnswer),
    ({"content": None, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, "stop", UpstreamBadAnswer),
    ({"role": "assistant", "content": ""}, "content_filter", UpstreamRefused),
]


@pytest.mark.parametrize(("message", "reason", "kind"), EMPTY)
async def test_an_answer_without_content_is_a_failure(
    client: HttpClient, message: dict[str, Any], reason: str | None, kind: type[UpstreamError]
) -> None:
    async with FakeAnthropic(answer(choices=[{"index": 0, "message": message, "finish_reason": reason}])) as server:
        with pytest.raises(kind):
            await provider(server, client).complete(MODEL, chat(), TIMEOUTS)


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"content": None, "reasoning_content": "Hm.", "tool_calls": [{"id": "c"}]},
        {"content": "", "reasoning": "Hm."},
        {"content": None, "refusal": "No."},
        {"content": None, "audio": {"id": "a", "data": "AAEC"}},
        {"content": "", "images": [{"type": "image_url"}]},
        {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
    ],
)
async def test_whatever_tells_something_is_an_answer(client: HttpClient, message: dict[str, Any]) -> None:
    async with FakeAnthropic(answer(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])) as server:
        found = await provider(server, client).complete(MODEL, chat(), TIMEOUTS)
    assert found.payload["choices"][0]["message"] == message


async def test_an_empty_answer_that_its_length_cut_is_one_and_so_is_one_choice_of_two(client: HttpClient) -> None:
    empty = {"index": 0, "message": {"content": ""}, "finish_reason": "length"}
    full = {"index": 1, "message": {"content": "x"}, "finish_reason": "stop"}
    stopped = {**empty, "finish_reason": "stop"}
    async with FakeAnthropic(answer(choices=[empty]), answer(choices=[stopped, full])) as server:
        for _ in range(2):
            assert (await provider(server, client).complete(MODEL, chat(), TIMEOUTS)).payload["choices"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "slow down", "code": 429}}, UpstreamThrottled),
        ({"object": "error", "message": "slow down", "code": 429}, UpstreamThrottled),
        ([{"error": {"message": "slow down", "code": 429, "status": "RESOURCE_EXHAUSTED"}}], UpstreamThrottled),
        ({"choices": [{"message": {"content": ""}, "error": {"code": 429}}]}, UpstreamThrottled),
        ({"error": {"code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}, UpstreamRefused),
        ({"choices": []}, UpstreamBadAnswer),
        ({"detail": "Not here"}, UpstreamBadAnswer),
        (None, UpstreamBadAnswer),
    ],
)
async def test_a_200_with_an_error_or_nothing_in_it_is_a_failure(
    client: HttpClient, body: Any, kind: type[UpstreamError], stream: bool
) -> None:
    async with FakeAnthropic(Reply([orjson.dumps(body)])) as server:
        with pytest.raises(UpstreamError) as caught:
            await ask(provider(server, client), stream=stream)
    assert type(caught.value) is kind


async def test_what_commits_a_stream_never_takes_the_usage_along(client: HttpClient) -> None:
    only = {**WHOLE, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    async with FakeAnthropic(Reply.stream(b"data: " + orjson.dumps(only))) as server:
        chunks = await collect(provider(server, client), chat(stream=True))
    assert [(chunk.content, chunk.final is not None) for chunk in chunks] == [(True, False), (False, True)]


@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_there_is_a_network_fault(client: HttpClient, stream: bool) -> None:
    async with FakeAnthropic() as server:
        gone = provider(server, client)
    with pytest.raises(UpstreamNetwork, match="cannot be reached"):
        await ask(gone, stream=stream)


async def test_a_stream_that_the_network_cuts_is_a_network_fault(client: HttpClient, transcript: Transcript) -> None:
    half = transcript("text")[:900]
    async with FakeAnthropic(Reply.stream(half, cut=True), Reply.stream(half)) as server:
        for _ in range(2):
            with pytest.raises(UpstreamNetwork, match="broke off"):
                await collect(provider(server, client), chat(stream=True))

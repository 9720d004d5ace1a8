"""The provider over real sockets, against a server that cuts and refuses as Ollama does."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.errors import (
    InvalidInput,
    Unsupported,
    UpstreamBadAnswer,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamNetwork,
    UpstreamOverloaded,
)
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from shared.providers.ollama import provider as provider_module
from shared.providers.ollama.provider import OllamaChat
from shared.providers.server_sent_events import payloads
from tests.support.fake_ollama import SENTENCE, FakeModel, FakeOllama, Fault
from tests.support.logs import logged_by
from tests.support.waiting import until

NAME = "llama3.2:latest"
MODEL = Model(id=f"oss-local/{NAME}", provider="oss-local", api_model_name=NAME, layer="L0")
TIMEOUTS = Timeouts(connect=2, first_token=4, stall=4, total=4)
PROSE = "The quick brown fox jumps over the lazy dog and runs away. "
PLAIN = FakeModel(capabilities=("completion", "tools"))


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


def chat(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": text}], **fields})


def long_chat(tokens: int, **fields: Any) -> ChatRequest:
    """A conversation of many turns, with about so many tokens."""
    turn = PROSE * 20
    turns = tokens * 4 // len(turn)
    roles = ("user", "assistant")
    messages = [{"role": roles[index % 2], "content": turn} for index in range(turns)]
    return ChatRequest.parse({"messages": [*messages, {"role": "user", "content": "And then?"}], **fields})


def provider(server: FakeOllama, client: HttpClient, **more: Any) -> OllamaChat:
    return OllamaChat("oss-local", server.url, client, clock=lambda: 1_700_000_000.9, new_id=lambda: "x1", **more)


async def collect(ollama: OllamaChat, request: ChatRequest, seen: list[Chunk] | None = None) -> list[Chunk]:
    seen = [] if seen is None else seen
    async with ollama.stream(MODEL, request, TIMEOUTS) as chunks:
        async for chunk in chunks:
            seen.append(chunk)
    return seen


async def ask(ollama: OllamaChat, request: ChatRequest) -> dict[str, Any]:
    """The usage of an answer, whichever way it comes."""
    if request.stream:
        final = (await collect(ollama, request))[-1].final
        assert final is not None
        return dict(final["usage"])
    return dict((await ollama.complete(MODEL, request, TIMEOUTS)).payload["usage"])


def events(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [orjson.loads(data) for data in payloads(b"".join(chunk.data for chunk in chunks))]


def text_of(found: list[dict[str, Any]], field: str = "content") -> str:
    return "".join(event["choices"][0]["delta"].get(field) or "" for event in found)


async def test_a_whole_answer(client: HttpClient) -> None:
    async with FakeOllama(last={"prompt_eval_count": 12}) as server:
        found = await provider(server, client).complete(MODEL, chat(), TIMEOUTS)
    assert found.payload == {
        "id": "chatcmpl-x1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": NAME,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    }
    assert found.usage == Usage(prompt=12, completion=7)


async def test_a_streamed_answer(client: HttpClient) -> None:
    async with FakeOllama() as server:
        chunks = await collect(provider(server, client), chat(stream=True))
    found = events(chunks)
    assert text_of(found) == "Hello there"
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [event["choices"][0]["finish_reason"] for event in found] == [None, None, None, "stop"]
    assert {event["model"] for event in found} == {NAME}
    assert chunks[-1].final is not None
    assert chunks[-1].final["usage"]["completion_tokens"] == 7
    assert [chunk.final for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/api"])
async def test_a_request_goes_to_the_native_api_and_forbids_cutting(client: HttpClient, suffix: str) -> None:
    async with FakeOllama() as server:
        ollama = OllamaChat("mine", server.url + suffix, client, api_key="secret-key")
        await ollama.complete(MODEL, chat(max_tokens=9, seed=1), TIMEOUTS)
    assert server.paths == ["POST /api/show", "GET /api/ps", "POST /api/chat"]
    assert "Authorization: Bearer secret-key" in server.headers[-1]
    assert server.chats == [
        {
            "model": NAME,
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": False,
            "truncate": False,
            "shift": False,
            "options": {"num_predict": 9, "seed": 1, "num_ctx": 4096},
        }
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [3_000, 20_000, 100_000])
async def test_a_long_conversation_is_read_whole(client: HttpClient, tokens: int, stream: bool) -> None:
    async with FakeOllama(overflow="cut") as server:
        with logged_by(provider_module) as logs:
            usage = await ask(provider(server, client), long_chat(tokens, stream=stream))
    assert usage["prompt_tokens"] > tokens * 0.9
    assert "truncated_prompt" not in usage
    assert server.loads[0][1] > usage["prompt_tokens"]
    assert logs == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_was_cut_is_told_of(client: HttpClient, stream: bool) -> None:
    async with FakeOllama(overflow="cut", honours_num_ctx=False) as server:
        with logged_by(provider_module) as logs:
            usage = await ask(provider(server, client), long_chat(20_000, stream=stream))
    assert usage["prompt_tokens"] == 4096 // 2 + 2
    assert usage["truncated_prompt"] is True
    (warning,) = logs
    assert (warning["log_level"], warning["model"], warning["prompt_tokens"]) == ("warning", NAME, 2050)
    assert warning["num_ctx"] == 32_768


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("limits", "models_own"), [({}, 16_384), ({"longest_context": 16_384}, 131_072)])
async def test_what_no_window_can_hold_is_not_even_sent(
    client: HttpClient, limits: dict[str, int], models_own: int, stream: bool
) -> None:
    async with FakeOllama(models={NAME: FakeModel(context_length=models_own)}) as server:
        with pytest.raises(UpstreamContextTooLong, match="context window of 16384") as seen:
            await ask(provider(server, client, **limits), long_chat(20_000, stream=stream))
    assert server.chats == []
    assert seen.value.status == 400


async def test_the_window_is_never_above_the_models_own(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: FakeModel(context_length=40_960)}) as server:
        await ask(provider(server, client), long_chat(30_000))
    assert server.chats[0]["options"]["num_ctx"] == 40_960


async def test_a_loaded_window_that_is_large_enough_is_kept(client: HttpClient) -> None:
    async with FakeOllama(loaded={NAME: 65_536}) as server:
        ollama = provider(server, client, longest_context=8_192)
        await ask(ollama, chat())
        await ask(ollama, long_chat(20_000))
    assert server.loads == []


async def test_a_growing_conversation_loads_the_model_once_for_each_doubling(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: PLAIN}) as server:
        ollama = provider(server, client)
        for tokens in range(500, 12_000, 500):
            await ask(ollama, long_chat(tokens))
        await ask(ollama, chat())
    assert [size for _, size in server.loads] == [4_096, 8_192, 16_384]
    assert server.paths.count("POST /api/show") == 1


async def test_what_the_modelfile_and_the_caller_want_is_the_least(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: FakeModel(parameters='stop "x"\nnum_ctx    10000\n')}) as server:
        await ask(provider(server, client), chat())
        await ask(provider(server, client), chat(options={"num_ctx": 12_000}))
        await ask(provider(server, client, longest_context=11_000), chat(num_ctx=50_000))
    assert [sent["options"]["num_ctx"] for sent in server.chats] == [10_000, 12_000, 12_000]


async def test_a_thinking_model_gets_room_to_think(client: HttpClient) -> None:
    models = {NAME: FakeModel(capabilities=("completion", "thinking")), "plain": PLAIN}
    async with FakeOllama(models=models) as server:
        ollama = provider(server, client)
        await ask(ollama, chat(reasoning_effort="none"))
        await ask(ollama, chat())
        await ollama.complete(MODEL.model_copy(update={"api_model_name": "plain"}), chat(), TIMEOUTS)
    assert [sent["options"]["num_ctx"] for sent in server.chats] == [4_096, 8_192, 4_096]


async def test_requests_beside_a_large_one_do_not_shrink_its_window(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: PLAIN}, hold=True) as server:
        ollama = provider(server, client)
        async with ollama.stream(MODEL, long_chat(20_000, stream=True), TIMEOUTS):
            server.loaded.clear()  # as it is while the model is still loading
            async with ollama.stream(MODEL, chat(stream=True), TIMEOUTS):
                pass
        server.loaded.clear()
        async with ollama.stream(MODEL, chat(stream=True), TIMEOUTS):
            pass
    assert [sent["options"]["num_ctx"] for sent in server.chats] == [32_768, 32_768, 4_096]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_longer_than_it_looks_gets_the_window_that_the_server_counted(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr("tests.support.fake_ollama.tokens_of", lambda body: 9_000)
    async with FakeOllama(models={NAME: PLAIN}) as server:
        usage = await ask(provider(server, client), chat(stream=stream))
    assert [sent["options"]["num_ctx"] for sent in server.chats] == [4_096, 16_384]
    assert usage["prompt_tokens"] == 9_000


async def test_a_prompt_that_the_server_counts_as_too_long_for_any_window_is_refused(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.fake_ollama.tokens_of", lambda body: 9_000)
    async with FakeOllama(models={NAME: FakeModel(context_length=8_192)}) as server:
        with pytest.raises(UpstreamContextTooLong) as seen:
            await ask(provider(server, client), chat())
    assert len(server.chats) == 1
    assert "9000 tokens" in str(seen.value.details)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("12345678 " * 1_000, UpstreamContextTooLong), ("Hi", UpstreamBadRequest)],
    ids=["tight", "short"],
)
async def test_a_refusal_without_a_code_is_about_length_only_where_the_prompt_was_long(
    client: HttpClient, text: str, kind: type[UpstreamError]
) -> None:
    models = {NAME: FakeModel(context_length=4_096)}
    async with FakeOllama(models=models, faults=[Fault(400, SENTENCE)]) as server:
        with pytest.raises(kind) as seen:
            await ask(provider(server, client), chat(text))
    assert type(seen.value) is kind
    assert seen.value.details == SENTENCE


async def test_digits_get_a_window_of_their_own_size(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: PLAIN}, overflow="sentence") as server:
        usage = await ask(provider(server, client), chat("3.14159265,2.71828182\n" * 2_000))
    assert usage["prompt_tokens"] > 35_000
    assert server.chats[0]["options"]["num_ctx"] == 65_536


async def test_a_caller_who_wants_the_prompt_cut_gets_that_and_is_told(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: FakeModel(context_length=10_000)}) as server:
        usage = await ask(provider(server, client), chat("Nichts 1, 2, 3! " * 2_200, truncate=True, shift=True))
    assert usage["truncated_prompt"] is True


async def test_tools_go_there_and_come_back(client: HttpClient) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    call = {"function": {"name": "weather", "arguments": {"city": "Zürich"}}}
    async with FakeOllama(said=[{"tool_calls": [call, call]}]) as server:
        ollama = provider(server, client)
        first = await ollama.complete(MODEL, chat(tools=tools), TIMEOUTS)
        told = first.payload["choices"][0]["message"]
        results = [{"role": "tool", "tool_call_id": one["id"], "content": "sun"} for one in told["tool_calls"]]
        messages = [{"role": "user", "content": "Weather?"}, told, *results]
        await ollama.complete(MODEL, ChatRequest.parse({"messages": messages, "tools": tools}), TIMEOUTS)
    assert first.payload["choices"][0]["finish_reason"] == "tool_calls"
    assert told["content"] is None
    assert [one["id"] for one in told["tool_calls"]] == ["call_x1_0", "call_x1_1"]
    assert told["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Zürich"}'}
    assert server.chats[0]["tools"] == tools
    assert server.chats[1]["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**call, "id": "call_x1_0"}, {**call, "id": "call_x1_1"}],
        },
        {"role": "tool", "content": "sun", "tool_name": "weather", "tool_call_id": "call_x1_0"},
        {"role": "tool", "content": "sun", "tool_name": "weather", "tool_call_id": "call_x1_1"},
    ]


async def test_thinking_is_asked_for_and_comes_apart(client: HttpClient) -> None:
    said = [{"thinking": "Let me "}, {"thinking": "see."}, {"content": "4"}]
    async with FakeOllama(said=said) as server:
        ollama = provider(server, client)
        found = events(await collect(ollama, chat(stream=True, reasoning_effort="high")))
        whole = await ollama.complete(MODEL, chat(reasoning_effort="none"), TIMEOUTS)
    assert (text_of(found, "reasoning_content"), text_of(found)) == ("Let me see.", "4")
    assert whole.payload["choices"][0]["message"]["reasoning_content"] == "Let me see."
    assert [sent["think"] for sent in server.chats] == [True, False]


async def test_images_go_as_base64(client: HttpClient) -> None:
    picture = base64.b64encode(b"\x89PNG").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    request = ChatRequest.parse({"messages": [{"role": "user", "content": content}]})
    async with FakeOllama() as server:
        await ask(provider(server, client), request)
    assert server.chats[0]["messages"] == [{"role": "user", "content": "What is this?", "images": [picture]}]


async def test_a_schema_goes_as_the_format(client: HttpClient) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    async with FakeOllama(said=[{"content": '{"age": 22}'}]) as server:
        await ask(provider(server, client), chat(response_format=wanted))
    assert server.chats[0]["format"] == schema


async def test_an_answer_cut_by_its_length_says_so(client: HttpClient) -> None:
    async with FakeOllama(last={"done_reason": "length"}) as server:
        ollama = provider(server, client)
        whole = await ollama.complete(MODEL, chat(), TIMEOUTS)
        found = events(await collect(ollama, chat(stream=True)))
    assert whole.payload["choices"][0]["finish_reason"] == "length"
    assert found[-1]["choices"][0]["finish_reason"] == "length"


async def test_a_prompt_from_the_cache_is_estimated(client: HttpClient) -> None:
    async with FakeOllama(last={"prompt_eval_count": 0}) as server:
        usage = await ask(provider(server, client), long_chat(5_000))
    assert usage["estimated"] is True
    assert 4_500 < usage["prompt_tokens"] < 5_500
    assert "truncated_prompt" not in usage


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_is_said_to_be_unknown(client: HttpClient, stream: bool) -> None:
    async with FakeOllama(models={}) as server:
        with pytest.raises(UpstreamError, match="does not have this model; pull it") as seen:
            await ask(provider(server, client), chat(stream=stream))
    assert seen.value.status == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_a_busy_server_says_when_to_come_back(client: HttpClient, stream: bool) -> None:
    fault = Fault(
        503, "server busy, please try again.  maximum pending requests exceeded", headers="Retry-After: 7\r\n"
    )
    async with FakeOllama(faults=[fault]) as server:
        with pytest.raises(UpstreamOverloaded) as seen:
            await ask(provider(server, client), chat(stream=stream))
    assert (seen.value.status, seen.value.retry_after) == (503, 7)


async def test_the_key_is_never_repeated(client: HttpClient) -> None:
    async with FakeOllama(faults=[Fault(401, "bad key secret-key")]) as server:
        with pytest.raises(UpstreamError) as seen:
            await ask(provider(server, client, api_key="secret-key"), chat())
    assert "secret-key" not in f"{seen.value} {seen.value.details} {seen.value.operator_detail}"


def line(**fields: Any) -> bytes:
    return orjson.dumps(fields) + b"\n"


HELLO = line(message={"role": "assistant", "content": "Hello"}, done=False)
BROKEN = [
    (line(error="an error was encountered while running the model"), UpstreamError),
    (b"<html>no</html>\n", UpstreamBadAnswer),
    (b"[1]\n", UpstreamBadAnswer),
    (line(done=False), UpstreamBadAnswer),
    (line(message={"content": 1}), UpstreamBadAnswer),
    (line(message={"tool_calls": [{}]}), UpstreamBadAnswer),
    (b"", UpstreamNetwork),
]


@pytest.mark.parametrize(("raw", "kind"), BROKEN)
async def test_what_breaks_before_any_content_is_a_failure_without_output(
    client: HttpClient, raw: bytes, kind: type[UpstreamError]
) -> None:
    seen: list[Chunk] = []
    async with FakeOllama(faults=[Fault(raw=raw)]) as server:
        with pytest.raises(kind):
            await collect(provider(server, client), chat(stream=True), seen)
    assert not any(chunk.content for chunk in seen)


@pytest.mark.parametrize(("raw", "kind"), BROKEN)
async def test_what_breaks_in_the_middle_is_an_error_after_what_came(
    client: HttpClient, raw: bytes, kind: type[UpstreamError]
) -> None:
    seen: list[Chunk] = []
    async with FakeOllama(faults=[Fault(raw=HELLO + raw)]) as server:
        with pytest.raises(kind):
            await collect(provider(server, client), chat(stream=True), seen)
    assert text_of(events(seen)) == "Hello"


@pytest.mark.parametrize(("raw", "kind"), BROKEN[:-1])
async def test_a_whole_answer_that_is_none_is_a_failure(
    client: HttpClient, raw: bytes, kind: type[UpstreamError]
) -> None:
    async with FakeOllama(faults=[Fault(raw=raw)]) as server:
        with pytest.raises(kind):
            await ask(provider(server, client), chat())


async def test_a_client_that_leaves_closes_the_connection(client: HttpClient) -> None:
    async with FakeOllama(hold=True) as server:
        async with provider(server, client).stream(MODEL, chat(stream=True), TIMEOUTS) as chunks:
            assert (await anext(aiter(chunks))).content
        async with asyncio.timeout(5):
            await server.client_gone.wait()


async def test_a_caller_who_is_cancelled_closes_the_connection(client: HttpClient) -> None:
    async with FakeOllama(hold=True) as server:
        ollama = provider(server, client)
        task = asyncio.create_task(ollama.complete(MODEL, chat(), TIMEOUTS))
        await until(lambda: bool(server.chats))
        task.cancel()
        async with asyncio.timeout(5):
            await server.client_gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_connection_is_used_again(client: HttpClient) -> None:
    async with FakeOllama() as server:
        ollama = provider(server, client)
        for stream in (True, False, True):
            await ask(ollama, chat(stream=stream))
    assert server.connections == 1


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_blocks_of_any_size_give_the_same_answer(client: HttpClient, size: int) -> None:
    async with FakeOllama(said=[{"content": "Grüße "}, {"content": "🌍"}], block_bytes=size) as server:
        found = events(await collect(provider(server, client), chat(stream=True)))
    assert text_of(found) == "Grüße 🌍"


async def test_a_server_that_says_nothing_about_itself_is_asked_all_the_same(client: HttpClient) -> None:
    async with FakeOllama(knows_itself=False) as server:
        known = MODEL.model_copy(update={"context_window": 16_384})
        ollama = provider(server, client)
        await ollama.complete(known, long_chat(14_000), TIMEOUTS)
        await ollama.complete(MODEL, long_chat(14_000), TIMEOUTS)
    assert [sent["options"]["num_ctx"] for sent in server.chats] == [16_384, 32_768]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_is_away_cannot_be_reached(client: HttpClient, stream: bool) -> None:
    async with FakeOllama() as server:
        ollama = provider(server, client)
    with pytest.raises(UpstreamError) as seen:
        await ask(ollama, chat(stream=stream))
    assert seen.value.status is None


async def test_what_cannot_be_said_to_ollama_is_not_sent(client: HttpClient) -> None:
    async with FakeOllama() as server:
        ollama = provider(server, client)
        with pytest.raises(Unsupported):
            await ask(ollama, chat(n=2))
        nested: dict[str, Any] = {}
        for _ in range(2_000):
            nested = {"a": nested}
        with pytest.raises(InvalidInput):
            await ask(ollama, chat(response_format={"type": "json_schema", "json_schema": {"schema": nested}}))
    assert server.chats == []


async def test_a_probe_lists_the_models_that_chat(client: HttpClient) -> None:
    async with FakeOllama(models={NAME: FakeModel(), "nomic-embed-text": FakeModel()}) as server:
        ollama = provider(server, client)
        found = await ollama.probe()
        assert (ollama.configured, ollama.serves(MODEL)) == (True, True)
    assert found.healthy
    assert found.models is not None
    assert [model.name for model in found.models] == [NAME]
    assert not (await ollama.probe()).healthy
    await ollama.aclose()

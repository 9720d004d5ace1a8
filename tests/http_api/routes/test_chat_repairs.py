"""What servers get wrong in good answers comes out right for clients, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support import byte_servers
from tests.support.byte_servers import Seen
from tests.support.http_gateway import MODEL, surface

CALL = {"id": "call-1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SAYING = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
DONE = b"data: [DONE]\n\n"


def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
    body = {"id": "c", "created": 5, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return b"data: " + orjson.dumps(body) + b"\n\n"


@asynccontextmanager
async def asked(folder: Path, kind: str, body: bytes, **more: Any) -> AsyncIterator[httpx.Response]:
    """The answer to a chat with a model whose server says exactly `body`."""

    async def say(seen: Seen) -> None:
        while await seen.request():
            head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
            await seen.say(head.encode(), body)

    async with byte_servers.serving(say) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        async with surface(folder, openai_base_url=url) as there:
            await there.http.post("/v1/models", json=MODEL)
            answer = await there.http.post("/v1/chat/completions", json={**SAYING, **more})
            assert answer.status_code == 200, answer.text
            yield answer


def choices_of(answer: httpx.Response) -> list[dict[str, Any]]:
    events = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return [choice for found in events for choice in found["choices"]]


async def test_a_whole_answer_that_calls_a_tool_finishes_by_it(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    body = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    async with asked(tmp_path, "application/json", body, tools=[TOOL]) as answer:
        assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_streamed_tool_call_gets_its_number_and_finishes_by_it(tmp_path: Path) -> None:
    body = event({"tool_calls": [CALL]}) + event({}, "stop") + DONE
    async with asked(tmp_path, "text/event-stream", body, tools=[TOOL], stream=True) as answer:
        choices = choices_of(answer)
        assert [call["index"] for choice in choices for call in choice["delta"].get("tool_calls", ())] == [0]
        assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["tool_calls"]


async def test_a_stream_without_a_finish_reason_gets_one(tmp_path: Path) -> None:
    body = event({"content": "hi"}) + DONE
    async with asked(tmp_path, "text/event-stream", body, stream=True) as answer:
        reasons = [choice["finish_reason"] for choice in choices_of(answer)]
        assert [reason for reason in reasons if reason] == ["stop"]


async def test_a_character_that_is_split_between_events_arrives_whole(tmp_path: Path) -> None:
    halves = [event({"content": "HALF"}).replace(b"HALF", half) for half in (rb"a\ud83d", rb"\ude00b")]
    body = b"".join(halves) + event({}, "stop") + DONE
    async with asked(tmp_path, "text/event-stream", body, stream=True) as answer:
        assert "".join(choice["delta"].get("content") or "" for choice in choices_of(answer)) == "a😀b"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_its_length_cut_is_not_kept(tmp_path: Path, stream: bool) -> None:
    async with surface(tmp_path) as there:
        await there.http.post("/v1/models", json={**MODEL, "apiModelName": "scripted-len"})
        for times in (1, 2):
            body = {**SAYING, "stream": stream, "gateway": {"cache": True}}
            answer = await there.http.post("/v1/chat/completions", json=body)
            assert '"finish_reason":"length"' in answer.text
            assert answer.headers.get("x-gateway-cache") != "hit"
            assert sum(seen.path.endswith("/chat/completions") for seen in there.provider.seen) == times

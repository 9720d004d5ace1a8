"""A mock provider in a process of its own: OpenAI's chat and Anthropic's messages, their bytes made in advance.

The model name `mock` answers as fast as it goes, `mock-paced` sends a token every 10 ms, `mock-idle` a few of them, one
every 200 ms. It ends with its stdin.
"""

import asyncio
import functools
import sys
from dataclasses import dataclass
from typing import Any

import httptools
import orjson
import uvloop

TOKEN = b"syl"
"""What every token begins with, and nothing else in an answer holds."""

WHOLE_TOKENS = 20
STREAM_TOKENS = 200
IDLE_TOKENS = 20
PACES = {"mock-paced": 0.010, "mock-idle": 0.200}
"""Seconds between the tokens of a stream."""

MESSAGES = b"/v1/messages"
"""Where Anthropic's dialect is spoken."""

EVENTS_PER_TURN = 4
"""Of a stream that isn't paced: so many events are written, each a chunk of its own, before others get their turn."""

PROMPT_TOKENS = 900
CREATED = 1_700_000_000


def text(index: int) -> str:
    """The text of one token."""
    return f"{TOKEN.decode()}{index} "


def usage(tokens: int) -> dict[str, int]:
    """What an answer of that length used."""
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": PROMPT_TOKENS + tokens,
    }


def whole(model: str) -> bytes:
    """A whole answer, with its head."""
    message = {"role": "assistant", "content": "".join(map(text, range(WHOLE_TOKENS))), "refusal": None}
    body = orjson.dumps(
        {
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": usage(WHOLE_TOKENS),
            "system_fingerprint": "fp_mock",
        }
    )
    return head("200 OK", len(body)) + body


def head(status: str, length: int) -> bytes:
    """The head of an answer whose length is known."""
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n".encode()


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(event: bytes, name: bytes = b"") -> bytes:
    """One event as a chunk of its own; Anthropic's have names."""
    data = (b"event: " + name + b"\n" if name else b"") + b"data: " + event + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass(frozen=True, slots=True)
class Script:
    """A stream: what comes before the first token, the tokens, the end of the text, the usage where it is asked for."""

    opening: bytes
    tokens: list[bytes]
    finish: bytes
    usage: bytes = b""
    end: bytes = framed(b"[DONE]") + b"0\r\n\r\n"


def tokens_of(model: str) -> int:
    """How many tokens its streams have."""
    return IDLE_TOKENS if model == "mock-idle" else STREAM_TOKENS


@functools.cache
def events(model: str) -> Script:
    """A stream of OpenAI's chat."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        facts = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED, "model": model}
        return framed(orjson.dumps({**facts, "system_fingerprint": "fp_mock", "choices": choices, **more}))

    def delta(fields: dict[str, Any], finish: str | None = None) -> bytes:
        return event([{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}])

    count = tokens_of(model)
    opening = delta({"role": "assistant", "content": "", "refusal": None})
    tokens = [delta({"content": text(index)}) for index in range(count)]
    return Script(opening, tokens, delta({}, "stop"), event([], usage=usage(count)))


@functools.cache
def messages_events(model: str) -> Script:
    """A stream of Anthropic's messages."""

    def event(kind: str, **fields: Any) -> bytes:
        return framed(orjson.dumps({"type": kind, **fields}), kind.encode())

    count = tokens_of(model)
    message = {**messages_answer(model, 0), "content": [], "stop_reason": None}
    opening = event("message_start", message=message)
    opening += event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    tokens = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": text(index)})
        for index in range(count)
    ]
    stopped = {"stop_reason": "end_turn", "stop_sequence": None}
    finish = event("content_block_stop", index=0)
    finish += event("message_delta", delta=stopped, usage={"output_tokens": count}) + event("message_stop")
    return Script(opening, tokens, finish, end=b"0\r\n\r\n")


def messages_answer(model: str, tokens: int) -> dict[str, Any]:
    """An answer of Anthropic's messages."""
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "".join(map(text, range(tokens)))}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": tokens},
    }


def whole_message(model: str) -> bytes:
    """The same, whole, with its head."""
    body = orjson.dumps(messages_answer(model, WHOLE_TOKENS))
    return head("200 OK", len(body)) + body


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._path = b""
        self._paused = False
        self._resume: tuple[int, dict[str, Any]] | None = None
        self._next: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._next is not None:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._resume is not None:
            (index, request), self._resume = self._resume, None
            self._burst(index, request)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, data: bytes) -> None:
        self._body = self._body + data if self._body else data

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            found = orjson.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ANSWERS]})
            self._transport.write(head("200 OK", len(found)) + found)
            return
        try:
            request = orjson.loads(self._body)
            answer = (MESSAGES_ANSWERS if self._path == MESSAGES else ANSWERS)[request["model"]]
        except (ValueError, KeyError, TypeError):
            refusal = b'{"error":{"message":"the mock takes JSON with a model that it has"}}'
            self._transport.write(head("400 Bad Request", len(refusal)) + refusal)
            return
        if not request.get("stream"):
            self._transport.write(answer)
            return
        self._transport.write(STREAM_HEAD + self._script(request).opening)
        if request["model"] in PACES:
            self._paced(0, request, self._loop.time())
        else:
            self._burst(0, request)

    def _script(self, request: dict[str, Any]) -> Script:
        return (messages_events if self._path == MESSAGES else events)(request["model"])

    def _paced(self, index: int, request: dict[str, Any], began: float) -> None:
        tokens = self._script(request).tokens
        self._transport.write(tokens[index])
        if index + 1 == len(tokens):
            self._end(request)
            return
        due = began + (index + 1) * PACES[request["model"]]
        self._next = self._loop.call_at(due, self._paced, index + 1, request, began)

    def _burst(self, index: int, request: dict[str, Any]) -> None:
        tokens = self._script(request).tokens
        self._transport.writelines(tokens[index : index + EVENTS_PER_TURN])
        index += EVENTS_PER_TURN
        if index >= len(tokens):
            self._end(request)
        elif self._paused:
            self._resume = (index, request)
        else:
            self._next = self._loop.call_soon(self._burst, index, request)

    def _end(self, request: dict[str, Any]) -> None:
        script = self._script(request)
        wanted = (request.get("stream_options") or {}).get("include_usage")
        self._transport.write(script.finish + (script.usage if wanted else b"") + script.end)


MODELS = ("mock", *PACES)
ANSWERS = {name: whole(name) for name in MODELS}
MESSAGES_ANSWERS = {name: whole_message(name) for name in MODELS}


async def serve(port: int) -> None:
    """Answer on loopback until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))

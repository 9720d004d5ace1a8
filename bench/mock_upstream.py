"""A mock provider in a process of its own: OpenAI's chat, whole or streamed, its bytes made in advance.

The model name `mock` answers as fast as it goes, `mock-paced` sends a token every 10 ms. It ends with its stdin.
"""

import asyncio
import functools
import sys
from typing import Any

import httptools
import orjson
import uvloop

TOKEN = b"syl"
"""What every token begins with, and nothing else in an answer holds."""

WHOLE_TOKENS = 20
STREAM_TOKENS = 200
PACE_SECONDS = 0.010
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


def framed(event: bytes) -> bytes:
    """One event as a chunk of its own."""
    data = b"data: " + event + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


@functools.cache
def events(model: str) -> tuple[bytes, list[bytes], bytes, bytes]:
    """A stream: what comes before the first token, the tokens, the end of the text, and the usage."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        facts = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED, "model": model}
        return framed(orjson.dumps({**facts, "system_fingerprint": "fp_mock", "choices": choices, **more}))

    def delta(fields: dict[str, Any], finish: str | None = None) -> bytes:
        return event([{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}])

    opening = delta({"role": "assistant", "content": "", "refusal": None})
    tokens = [delta({"content": text(index)}) for index in range(STREAM_TOKENS)]
    return opening, tokens, delta({}, "stop"), event([], usage=usage(STREAM_TOKENS))


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
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

    def on_body(self, data: bytes) -> None:
        self._body = self._body + data if self._body else data

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            found = orjson.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ANSWERS]})
            self._transport.write(head("200 OK", len(found)) + found)
            return
        try:
            request = orjson.loads(self._body)
            answer = ANSWERS[request["model"]]
        except (ValueError, KeyError, TypeError):
            refusal = b'{"error":{"message":"the mock takes JSON with a model that it has"}}'
            self._transport.write(head("400 Bad Request", len(refusal)) + refusal)
            return
        if not request.get("stream"):
            self._transport.write(answer)
            return
        self._transport.write(STREAM_HEAD + events(request["model"])[0])
        if request["model"] == "mock-paced":
            self._paced(0, request, self._loop.time())
        else:
            self._burst(0, request)

    def _paced(self, index: int, request: dict[str, Any], began: float) -> None:
        tokens = events(request["model"])[1]
        self._transport.write(tokens[index])
        if index + 1 == len(tokens):
            self._end(request)
            return
        due = began + (index + 1) * PACE_SECONDS
        self._next = self._loop.call_at(due, self._paced, index + 1, request, began)

    def _burst(self, index: int, request: dict[str, Any]) -> None:
        tokens = events(request["model"])[1]
        self._transport.writelines(tokens[index : index + EVENTS_PER_TURN])
        index += EVENTS_PER_TURN
        if index >= len(tokens):
            self._end(request)
        elif self._paused:
            self._resume = (index, request)
        else:
            self._next = self._loop.call_soon(self._burst, index, request)

    def _end(self, request: dict[str, Any]) -> None:
        _, _, finish, used = events(request["model"])
        wanted = (request.get("stream_options") or {}).get("include_usage")
        self._transport.write(finish + (used if wanted else b"") + framed(b"[DONE]") + b"0\r\n\r\n")


ANSWERS = {name: whole(name) for name in ("mock", "mock-paced")}


async def serve(port: int) -> None:
    """Answer on loopback until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))

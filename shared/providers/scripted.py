"""A fake provider that misbehaves on demand: an OpenAI-compatible HTTP server for tests, demos and benchmarks.

What it does is said by the model name, in words joined with `-` after the first one, so that any client can ask
for any fault: `scripted`, `scripted-n200`, `scripted-e429-ra2`, `scripted-drop5`.

    n<N>        tokens in the answer (default 8)
    ttft<MS>    wait before the first byte            itl<MS>   wait between tokens
    tool        call the first tool offered           reason    reasoning before the answer
    echo        answer with the last user message     nousage   say nothing about usage
    e<STATUS>   answer with that status and an error  ra<SEC>   with e: a Retry-After header
    e200        status 200, an error in the body      errmid<K> streaming: an error event after K tokens
    rst         reset before any answer               rsthead   reset after the headers
    drop<K>     reset after K tokens                  cut<K>    end cleanly after K tokens, unfinished
    hang        never answer                          hang<K>   fall silent after K tokens
    badjson     not JSON                              html      a web page with status 200
    empty       no choices                            huge      an answer of 80 MiB
    first<K>    misbehave only the first K times      p<PCT>    misbehave in that share of requests, evenly

Run it by itself: `python -m shared.providers.scripted [PORT]`.
"""

import asyncio
import re
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

WORD = re.compile(r"(n|ttft|itl|e|ra|errmid|drop|cut|hang|first|p)(\d+)$|([a-z]+)$")
FAULTS = frozenset({"e", "errmid", "rst", "rsthead", "drop", "cut", "hang", "badjson", "html", "empty", "huge"})
CREATED = 1_750_000_000
PROMPT_TOKENS = 11
HUGE_BYTES = 80 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Script:
    """What one request is to be answered with."""

    words: dict[str, int]
    text: tuple[str, ...]

    @classmethod
    def read(cls, model: str, body: dict[str, Any]) -> Self:
        """From the model's name, and the conversation for `echo`."""
        words: dict[str, int] = {}
        for word in model.rsplit("/", 1)[-1].split("-")[1:]:
            match = WORD.match(word)
            if match:
                words[match[1] or match[3]] = int(match[2] or 0)
        tokens = tuple(f"word{index} " for index in range(words.get("n", 8)))
        if "echo" in words:
            last = body["messages"][-1].get("content")
            tokens = tuple(f"{part} " for part in str(last).split()) or ("",)
        return cls(words, tokens)

    @property
    def faulty(self) -> bool:
        """Whether it asks for a fault."""
        return not FAULTS.isdisjoint(self.words)


@dataclass(slots=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class ScriptedServer:
    """Listens on loopback. `seen` holds the last requests, `gone` counts clients that left before the end;
    `arrived` and `left` are set with the first chat and the first such client."""

    port: int = 0
    models: tuple[str, ...] = ("scripted",)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=256))
    requests: int = 0
    gone: int = 0
    active: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _uses: Counter[str] = field(default_factory=Counter)
    _connections: "set[_Connection]" = field(default_factory=set)

    @property
    def base_url(self) -> str:
        """For OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Serve for the length of the block."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in tuple(self._connections):
                connection.abort()
            await server.wait_closed()

    async def answer(self, seen: Seen, reply: "_Reply") -> None:
        """Answer one request as its model name says."""
        self.seen.append(seen)
        self.requests += 1
        if not seen.path.endswith("/chat/completions"):
            listed = [
                {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in self.models
            ]
            await reply.json(200, {"object": "list", "data": listed})
            return
        model = str(seen.body.get("model"))
        self.active += 1
        self.arrived.set()
        try:
            await _play(self._due(Script.read(model, seen.body), model), model, seen.body, reply)
        finally:
            self.active -= 1

    def client_left(self) -> None:
        """A client closed its connection while it was being answered."""
        self.gone += 1
        self.left.set()

    def _due(self, script: Script, model: str) -> Script:
        """The script, without its fault where `first` or `p` say that it is not due."""
        words = script.words
        self._uses[model] += 1
        use = self._uses[model]
        spared = ("first" in words and use > words["first"]) or (
            "p" in words and (use * words["p"]) // 100 == ((use - 1) * words["p"]) // 100
        )
        if not spared:
            return script
        return Script({word: value for word, value in words.items() if word not in FAULTS}, script.text)


class _Connection(asyncio.Protocol):
    """One kept-alive connection; a client that leaves ends the answer that is under way."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._buffer = b""
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._may_write = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._may_write.set()
        self._server._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._connections.discard(self)
        self._may_write.set()
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()
            self._server.client_left()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._begin()

    def abort(self) -> None:
        """Close without ceremony, as a broken network does."""
        self._transport.abort()

    async def write(self, data: bytes) -> None:
        """Write, at the pace of the reader. Raises ConnectionResetError once the connection has gone."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)
        await self._may_write.wait()

    def _begin(self) -> None:
        if self._answering is None and (seen := self._next()) is not None:
            self._answering = asyncio.ensure_future(self._server.answer(seen, _Reply(self)))
            self._answering.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if task.cancelled():
            return
        if task.exception() is not None:
            self._transport.abort()
        else:
            self._begin()

    def _next(self) -> Seen | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if not found or len(rest) < length:
            return None
        self._buffer = rest[length:]
        body = orjson.loads(rest[:length]) if length else {}
        return Seen(lines[0].split(" ")[1].split("?")[0], headers, body)


class _Reply:
    """Writes HTTP/1.1 answers."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def json(self, status: int, payload: Any, headers: str = "") -> None:
        await self.body(status, "application/json", orjson.dumps(payload), headers)

    async def body(self, status: int, kind: str, data: bytes, headers: str = "") -> None:
        await self.head(status, kind, len(data), headers)
        await self.raw(data)

    async def head(self, status: int, kind: str, length: int, headers: str = "") -> None:
        await self.raw(
            f"HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{headers}\r\n".encode()
        )

    async def raw(self, data: bytes) -> None:
        await self._connection.write(data)

    async def start_stream(self) -> None:
        await self.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def event(self, data: bytes) -> None:
        event = b"data: " + data + b"\n\n"
        await self.raw(b"%x\r\n%s\r\n" % (len(event), event))

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")

    def reset(self) -> None:
        self._connection.abort()
        raise ConnectionResetError


async def _play(script: Script, model: str, body: dict[str, Any], reply: _Reply) -> None:
    words = script.words
    if "ttft" in words:
        await asyncio.sleep(words["ttft"] / 1000)
    if "rst" in words:
        reply.reset()
    if "hang" in words and not words["hang"]:
        await asyncio.Event().wait()
    if "e" in words:
        await _error(words, reply)
    elif "html" in words:
        await reply.body(200, "text/html", b"<html>It works!</html>")
    elif body.get("stream"):
        await _stream(script, model, body, reply)
    else:
        await _whole(script, model, body, reply)


async def _error(words: dict[str, int], reply: _Reply) -> None:
    status = words["e"]
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded", 404: "model_not_found"}
    error = {"message": f"scripted error {status}", "type": "scripted_error", "param": None, "code": codes.get(status)}
    headers = f"retry-after: {words['ra']}\r\n" if "ra" in words else ""
    await reply.json(status, {"error": error}, headers)


async def _whole(script: Script, model: str, body: dict[str, Any], reply: _Reply) -> None:
    words = script.words
    answer = {"id": "chatcmpl-scripted", "object": "chat.completion", "created": CREATED, "model": model}
    answer["choices"] = [] if "empty" in words else [{"index": 0, **_message(script, body)}]
    if "nousage" not in words:
        answer["usage"] = _usage(script)
    answer["scripted_field"] = "kept"
    data = orjson.dumps(answer)
    if "huge" in words:
        data = orjson.dumps({**answer, "padding": "x" * HUGE_BYTES})
    if "badjson" in words:
        data = b'{"id": "chatcmpl-scripted", "choices": [{'
    if "drop" in words or "rsthead" in words:
        await reply.head(200, "application/json", len(data))
        if "drop" in words:
            await reply.raw(data[: len(data) // 2])
        await asyncio.sleep(0)
        reply.reset()
    await reply.body(200, "application/json", data)


def _message(script: Script, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.text).strip()}
    if "reason" in script.words:
        message["reasoning_content"] = "let me think"
    if "tool" in script.words and body.get("tools"):
        message["content"] = None
        message["tool_calls"] = [_tool_call(body)]
        return {"message": message, "finish_reason": "tool_calls", "logprobs": None}
    return {"message": message, "finish_reason": "stop", "logprobs": None}


def _tool_call(body: dict[str, Any]) -> dict[str, Any]:
    name = body["tools"][0]["function"]["name"]
    return {"id": "call_scripted", "type": "function", "function": {"name": name, "arguments": '{"city":"Paris"}'}}


def _usage(script: Script) -> dict[str, Any]:
    tokens = len(script.text)
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}


async def _stream(script: Script, model: str, body: dict[str, Any], reply: _Reply) -> None:
    words = script.words
    await reply.start_stream()
    if "rsthead" in words:
        reply.reset()
    await reply.event(_chunk(model, {"role": "assistant", "content": ""}))
    for index, delta in enumerate(_deltas(script, body)):
        await _mishap(words, index, reply)
        if words.get("cut") == index and "cut" in words:
            await reply.end_stream()
            return
        await reply.event(_chunk(model, delta))
        if "itl" in words:
            await asyncio.sleep(words["itl"] / 1000)
    called = "tool" in words and body.get("tools")
    await reply.event(_chunk(model, {}, "tool_calls" if called else "stop"))
    if "nousage" not in words and (body.get("stream_options") or {}).get("include_usage"):
        event = {**orjson.loads(_chunk(model, {})), "choices": [], "usage": _usage(script)}
        await reply.event(orjson.dumps(event))
    await reply.event(b"[DONE]")
    await reply.end_stream()


async def _mishap(words: dict[str, int], index: int, reply: _Reply) -> None:
    """The fault that is due before the token of that index."""
    if words.get("drop") == index and "drop" in words:
        reply.reset()
    if "hang" in words and words["hang"] == index:
        await asyncio.Event().wait()
    if "errmid" in words and words["errmid"] == index:
        await reply.event(orjson.dumps({"error": {"message": "scripted error", "type": "server_error", "code": 500}}))
        await reply.end_stream()
        raise ConnectionResetError
    if "badjson" in words and index == 1:
        await reply.event(b'{"id": "chatcmpl-scripted", "choices": [{')


def _deltas(script: Script, body: dict[str, Any]) -> list[dict[str, Any]]:
    if "tool" in script.words and body.get("tools"):
        call = _tool_call(body)
        start = {**call, "index": 0, "function": {"name": call["function"]["name"], "arguments": ""}}
        rest = {"index": 0, "function": {"arguments": call["function"]["arguments"]}}
        return [{"tool_calls": [start]}, {"tool_calls": [rest]}]
    thoughts = [{"reasoning_content": "let me think"}] if "reason" in script.words else []
    if "empty" in script.words:
        return []
    return [*thoughts, *({"content": token} for token in script.text)]


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    event = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    return orjson.dumps({**event, "choices": [choice]})


async def _main(port: int) -> None:
    async with ScriptedServer(port=port).listening() as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))

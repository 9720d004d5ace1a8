"""What the scripted provider answers: the words of a model's name, played over one HTTP connection."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import orjson

WORD = re.compile(r"(n|ttft|itl|e|ra|errmid|drop|cut|hang|first|p)(\d+)$|([a-z]+)$")
FAULTS = frozenset(
    {
        "e",
        "errmid",
        "rst",
        "rsthead",
        "drop",
        "cut",
        "hang",
        "badjson",
        "trunc",
        "html",
        "empty",
        "blank",
        "huge",
        "ctx",
        "policy",
        "filter",
    }
)
BROKEN_OFF = frozenset({"drop", "rsthead", "hang"})
CREATED = 1_750_000_000
PROMPT_TOKENS = 11
HUGE_BYTES = 80 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
BIG_BYTES = 80 * 1024
THOUGHT = "let me think"
BAD_JSON = b'{"id": chatcmpl-scripted, "choices": [}]'
ERRORS = {"ctx": "context_length_exceeded", "policy": "content_policy_violation"}
ENDS = {"len": "length", "filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer with tool calls: a text, and the names and arguments of the calls."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """What one request is to be answered with."""

    words: dict[str, int]
    text: tuple[str, ...]
    bill: float | None = None
    turn: Turn | None = None

    @classmethod
    def read(cls, model: str, body: dict[str, Any], said: str | Turn | None = None) -> Self:
        """From the model's name, and the conversation for `echo`; `said` takes the place of the text."""
        words: dict[str, int] = {}
        for word in model.rsplit("/", 1)[-1].split("-")[1:]:
            match = WORD.match(word)
            if match:
                words[match[1] or match[3]] = int(match[2] or 0)
        tokens = tuple(f"word{index} " for index in range(words.get("n", 8)))
        if "echo" in words:
            last = body["messages"][-1].get("content")
            tokens = tuple(f"{part} " for part in str(last).split()) or ("",)
        turn = said if isinstance(said, Turn) else None
        text = said.text if isinstance(said, Turn) else said
        return cls(words, tokens if text is None else tuple(re.findall(r"\S*\s*", text)), turn=turn)

    @property
    def answer(self) -> tuple[str, ...]:
        """The tokens of the answer's text."""
        return () if {"blank", "filter"} & self.words.keys() else self.text

    def calls(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The tool calls of the answer, in OpenAI's form; none where no tools are offered."""
        if not body.get("tools"):
            return []
        if self.turn is not None:
            # Ids as some vendors make them, with characters that Anthropic's dialect does not allow.
            return [
                _tool_call(f"functions.{name}:{len(body['messages'])}.{index}", name, orjson.dumps(arguments).decode())
                for index, (name, arguments) in enumerate(self.turn.calls)
            ]
        if "tool" not in self.words and "badtool" not in self.words:
            return []
        arguments = '{"city":' if "badtool" in self.words else '{"city":"Paris"}'
        return [_tool_call("call_scripted", body["tools"][0]["function"]["name"], arguments)]

    @property
    def faulty(self) -> bool:
        """Whether it asks for a fault."""
        return not FAULTS.isdisjoint(self.words)


class Reply:
    """Writes HTTP/1.1 answers."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], abort: Callable[[], None]) -> None:
        self._write = write
        self._abort = abort

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
        await self._write(data)

    async def start_stream(self) -> None:
        await self.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def event(self, data: bytes) -> None:
        await self.part(b"data: " + data + b"\n\n")

    async def part(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def endless_event(self) -> None:
        """An event that goes on until the reader has had enough."""
        for _ in range(HUGE_BYTES // BLOCK_BYTES):
            await self.part(b"x" * BLOCK_BYTES)

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")

    def reset(self) -> None:
        self._abort()
        raise ConnectionResetError


async def play(script: Script, model: str, body: dict[str, Any], reply: Reply) -> None:
    words = script.words
    if "ttft" in words:
        await asyncio.sleep(words["ttft"] / 1000)
    if "rst" in words:
        reply.reset()
    if "hang" in words and not words["hang"]:
        await asyncio.Event().wait()
    if "e" in words or not ERRORS.keys().isdisjoint(words):
        await _error(words, reply)
    elif "html" in words:
        await reply.body(200, "text/html", b"<html>It works!</html>")
    elif body.get("stream"):
        await _stream(script, model, body, reply)
    else:
        await _whole(script, model, body, reply)


async def _error(words: dict[str, int], reply: Reply) -> None:
    status = words.get("e", 400)
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded", 404: "model_not_found"}
    code = next((code for word, code in ERRORS.items() if word in words), codes.get(status))
    error = {"message": f"scripted error {status}", "type": "scripted_error", "param": None, "code": code}
    headers = f"retry-after: {words['ra']}\r\n" if "ra" in words else ""
    more = {"padding": "x" * BIG_BYTES} if "big" in words else {}
    await reply.json(status, {"error": error, **more}, headers)


async def _whole(script: Script, model: str, body: dict[str, Any], reply: Reply) -> None:
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
        data = BAD_JSON
    if "trunc" in words:
        data = data[: len(data) // 2]
    if not BROKEN_OFF.isdisjoint(words):
        await _half(words, data, reply)
    await reply.body(200, "application/json", data)


async def _half(words: dict[str, int], data: bytes, reply: Reply) -> None:
    """A whole answer that breaks off: after its head, or half way, with a reset or in silence."""
    await reply.head(200, "application/json", len(data))
    if "rsthead" not in words:
        await reply.raw(data[: len(data) // 2])
    if "hang" in words:
        await asyncio.Event().wait()
    await asyncio.sleep(0)
    reply.reset()


def _message(script: Script, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.answer).strip()}
    if "reason" in script.words:
        message["reasoning_content"] = THOUGHT
    if calls := script.calls(body):
        message["content"] = script.turn.text if script.turn is not None and script.turn.text else None
        message["tool_calls"] = calls
        return {"message": message, "finish_reason": "tool_calls", "logprobs": None}
    if "refuse" in script.words:
        message |= {"content": None, "refusal": "I cannot help with that."}
    return {"message": message, "finish_reason": _end(script.words), "logprobs": None}


def _end(words: dict[str, int]) -> str:
    return next((reason for word, reason in ENDS.items() if word in words), "stop")


def _tool_call(identity: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def _usage(script: Script) -> dict[str, Any]:
    tokens = len(script.text)
    usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}
    return usage if script.bill is None else {**usage, "cost": script.bill}


async def _stream(script: Script, model: str, body: dict[str, Any], reply: Reply) -> None:
    words = script.words
    await reply.start_stream()
    if "rsthead" in words:
        reply.reset()
    if "huge" in words:
        await reply.endless_event()
    await reply.event(_chunk(model, {"role": "assistant", "content": ""}))
    for index, delta in enumerate(_deltas(script, body)):
        await _mishap(words, index, reply)
        if words.get("cut") == index and "cut" in words:
            await reply.end_stream()
            return
        await reply.event(_chunk(model, delta))
        if "itl" in words:
            await asyncio.sleep(words["itl"] / 1000)
    called = bool(script.calls(body))
    await reply.event(_chunk(model, {}, "tool_calls" if called else _end(words)))
    if "nousage" not in words and (body.get("stream_options") or {}).get("include_usage"):
        event = {**orjson.loads(_chunk(model, {})), "choices": [], "usage": _usage(script)}
        await reply.event(orjson.dumps(event))
    await reply.event(b"[DONE]")
    await reply.end_stream()


async def _mishap(words: dict[str, int], index: int, reply: Reply) -> None:
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
        await reply.event(BAD_JSON)
    if "trunc" in words and index == 1:
        await reply.part(b'data: {"id": "chatcmpl-scripted", "choices": [{')
        await reply.end_stream()
        raise ConnectionResetError


def _deltas(script: Script, body: dict[str, Any]) -> list[dict[str, Any]]:
    thoughts = [{"reasoning_content": THOUGHT}] if "reason" in script.words else []
    if calls := script.calls(body):
        texts = script.text if script.turn is not None else ()
        return [*thoughts, *({"content": token} for token in texts if token), *_calling(calls)]
    if "empty" in script.words:
        return []
    if "refuse" in script.words:
        return [{"refusal": "I cannot help with that."}]
    return [*thoughts, *({"content": token} for token in script.answer)]


def _calling(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        start = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        rest = {"index": index, "function": {"arguments": call["function"]["arguments"]}}
        deltas += [{"tool_calls": [start]}, {"tool_calls": [rest]}]
    return deltas


def _chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    event = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    return orjson.dumps({**event, "choices": [choice]})

"""Anthropic's event stream as OpenAI's chunks. Pure: fed with bytes, it does no I/O.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from shared.domain.chat import Chunk
from shared.errors import UpstreamBadAnswer, UpstreamError
from shared.providers.anthropic import errors
from shared.providers.anthropic.content import THINKING, Block
from shared.providers.anthropic.decode import TRANSLATED, emptiness, ending, extras, reasoning, refusal
from shared.providers.anthropic.usage import tier, unknown, usage_object, usage_of
from shared.providers.server_sent_events import EventSplitter, payloads

Event = dict[str, Any]

ENVELOPE = frozenset({"type", "delta", "usage"})
PIECES = 64
TAIL = b',"finish_reason":null}]}\n\n'


class StreamDecoder:
    """Turns network blocks into chunks, one for each block.

    A failure that the stream reports is raised by `finish`, so that what came before it in the same block is not lost;
    so is an answer that ends without any content. The usage that the start tells goes with its chunk.
    """

    def __init__(self, provider: str, api_model_name: str, created: int, *, secret: str = "") -> None:
        self.done = False
        self._secret = secret
        self._provider = provider
        self._model = api_model_name
        self._created = created
        self._splitter = EventSplitter()
        self._failure: UpstreamError | None = None
        self._stopped = False
        self._finished = False
        self._id: Any = None
        self._usage: Event = {}
        self._told: Event | None = None
        self._counted = False
        self._more: Event = {}
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._thoughts = 0
        self._out: list[bytes] = []
        self._content = False
        self._committed = False
        self._head = b""
        self._handlers: Mapping[str, Callable[[Event], None]] = {
            "content_block_delta": self._delta,
            "content_block_start": self._block_start,
            "content_block_stop": self._block_stop,
            "message_start": self._start,
            "message_delta": self._message_delta,
            "message_stop": self._stop,
            "error": self._error,
        }

    def feed(self, block: bytes) -> Chunk:
        """The events that are whole by now. Raises UpstreamError for an event that isn't of the dialect."""
        return self._take(self._splitter.feed(block))

    def finish(self) -> Chunk:
        """The last chunk, with the usage. Raises UpstreamError when the stream failed or broke off before its end."""
        last = self._last()
        if self._failure is not None:
            raise self._failure
        if not self._stopped:
            raise errors.cut_off(self._provider, usage=self._used_so_far())
        return replace(last, final=self._final())

    def _last(self) -> Chunk:
        try:
            return self._take(self._splitter.finish())
        except UpstreamBadAnswer:
            return Chunk(b"")  # an event that was cut is none

    def _take(self, events: bytes) -> Chunk:
        for data in payloads(events):
            if self.done:
                break
            try:
                event = orjson.loads(data)
                handler = self._handlers.get(event["type"])
                if handler is not None:
                    handler(event)
            except orjson.JSONDecodeError as error:
                raise self._malformed("that is not JSON", error) from None
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise self._malformed("of the wrong shape", error) from None
        chunk = Chunk(b"".join(self._out), content=self._content, usage=self._told)
        self._out, self._content, self._told = [], False, None
        return chunk

    def _malformed(self, how: str, error: Exception) -> UpstreamError:
        return UpstreamBadAnswer(
            f"{self._provider} sent an event {how}.",
            operator_detail=repr(error),
            usage=self._used_so_far(),
            begun=True,
        )

    def _start(self, event: Event) -> None:
        message = event["message"]
        self._id = message.get("id")
        self._usage = dict(message.get("usage") or {})
        self._told = self._used_so_far()
        self._more = unknown(message, TRANSLATED)
        head = {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":[{"index":0,"delta":'
        self._emit(b'{"role":"assistant","content":""}', content=False)

    def _block_start(self, event: Event) -> None:
        block = self._blocks[event["index"]] = _Block(dict(event["content_block"]))
        kind = block.start["type"]
        if kind == "tool_use":
            block.call = self._calls
            self._calls += 1
            function = {"name": block.start["name"], "arguments": ""}
            call = {"index": block.call, "id": block.start["id"], "type": "function", "function": function}
            self._emit(orjson.dumps({"tool_calls": [call]}))
        elif kind == "text" and block.start.get("text"):
            self._emit(b'{"content":' + orjson.dumps(block.start["text"]) + b"}")
        elif kind == "thinking" and block.start.get("thinking"):
            self._emit(b'{"reasoning_content":' + orjson.dumps(block.start["thinking"]) + b"}")

    def _delta(self, event: Event) -> None:
        delta = event["delta"]
        block = self._blocks[event["index"]]
        kind = delta["type"]
        if kind == "text_delta":
            text = delta["text"]
            if text:
                block.add(text)
                self._emit(b'{"content":' + orjson.dumps(text) + b"}")
        elif kind == "input_json_delta":
            block.add(delta["partial_json"])
            self._arguments(block, delta["partial_json"])
        elif kind == "thinking_delta":
            thinking = delta["thinking"]
            if thinking:
                block.add(thinking)
                self._emit(b'{"reasoning_content":' + orjson.dumps(thinking) + b"}")
        elif kind == "citations_delta":
            block.start["citations"] = [*(block.start.get("citations") or ()), delta["citation"]]
        else:  # a signature, or something that completes a block of a kind that we pass on as it is
            block.start.update({name: value for name, value in delta.items() if name != "type"})

    def _block_stop(self, event: Event) -> None:
        block = self._blocks[event["index"]]
        if block.start["type"] in THINKING:
            # With the block and not at the end, or its signature would come after the text that it stands before.
            self._emit(orjson.dumps({"reasoning_details": [self._reasoning(block.whole())]}), content=False)
        elif block.call is not None and not block.text().strip():
            # OpenAI's clients parse the arguments, and nothing at all is not JSON.
            self._arguments(block, orjson.dumps(block.start.get("input") or {}).decode())

    def _arguments(self, block: "_Block", piece: str) -> None:
        if block.call is not None and piece:
            head = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % block.call
            self._emit(head + orjson.dumps(piece) + b"}}]}")

    def _reasoning(self, block: Block) -> Event:
        self._thoughts += 1
        return reasoning(block, self._thoughts - 1, self._model)

    def _message_delta(self, event: Event) -> None:
        counts = event.get("usage") or {}
        self._usage.update({name: value for name, value in counts.items() if value is not None})
        self._counted = self._counted or "output_tokens" in counts
        self._told = self._used_so_far()
        delta = event["delta"]
        self._more.update(unknown(delta, TRANSLATED), **unknown(event, ENVELOPE))
        if delta.get("stop_reason") is not None:
            self._end(delta)

    def _end(self, delta: Mapping[str, Any]) -> None:
        if self._finished:
            return
        if not self._head:
            raise KeyError("message_start")
        self._finished = True
        blocks = [block.whole() for block in self._blocks.values()]
        if not self._committed:
            self._failure = emptiness(self._provider, blocks, delta, self._usage_object())
            if self._failure is not None:
                self.done = True
                return
        self._content = True
        more = extras(blocks, self._model)
        if self._thoughts:
            more.pop("reasoning_details", None)
        last = orjson.dumps({**more, **refusal(delta)})
        self._out += (self._head, last, b",", orjson.dumps(ending(delta))[1:], b"]}\n\n")

    def _stop(self, _: Event) -> None:
        self._end({})
        self._stopped = self.done = True

    def _error(self, event: Event) -> None:
        self._failure = errors.from_event(self._provider, event.get("error"), secret=self._secret)
        self.done = True

    def _final(self) -> Event:
        return {
            **self._more,
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": [],
            "usage": self._usage_object(),
            **tier(self._usage),
        }

    def _used_so_far(self) -> Event | None:
        """What is known before the end. The start names the prompt, and a first few tokens that say nothing of the rest."""
        if not self._usage:
            return None
        known = self._usage if self._counted else {**self._usage, "output_tokens": 0}
        return usage_object(usage_of(known), known)

    def _usage_object(self) -> Event:
        return usage_object(usage_of(self._usage), self._usage)

    def _emit(self, delta: bytes, *, content: bool = True) -> None:
        if not self._head:
            raise KeyError("message_start")
        self._out += (self._head, delta, TAIL)
        if content:
            self._content = self._committed = True


class _Block:
    """A content block on its way: as it started, and the pieces that came since. `call` is OpenAI's tool-call index."""

    __slots__ = ("_parts", "_pieces", "call", "start")

    def __init__(self, start: Block) -> None:
        self.start = start
        self.call: int | None = None
        self._parts: list[str] = []
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        """Keep a piece; many small ones are joined, since each costs more than its letters."""
        self._pieces.append(piece)
        if len(self._pieces) == PIECES:
            self._parts.append("".join(self._pieces))
            self._pieces.clear()

    def text(self) -> str:
        """All pieces so far."""
        return "".join((*self._parts, *self._pieces))

    def whole(self) -> Block:
        """The block as a whole answer would have it."""
        joined = self.text()
        kind = self.start["type"]
        if kind in ("text", "thinking"):
            return {**self.start, kind: (self.start.get(kind) or "") + joined}
        if joined.strip() and "input" in self.start:
            try:
                return {**self.start, "input": orjson.loads(joined)}
            except orjson.JSONDecodeError:
                return {**self.start, "input": {"raw_arguments": joined}}
        return self.start

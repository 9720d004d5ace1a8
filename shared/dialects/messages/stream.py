"""A stream of OpenAI's chunks as the events of the Messages API. Pure: fed with bytes, it does no I/O.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming

At most one content block is open at a time, and none gets anything once it is closed: clients fail at either. What
comes while a tool call is not whole, of another call or of the text, waits until it is.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from shared.dialects.messages.answer import ending, message_id, reasoning_blocks, usage_object
from shared.dialects.tool_names import plain_id
from shared.errors import UpstreamBadAnswer
from shared.providers.server_sent_events import payloads

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
FIELDS: Mapping[str, tuple[bytes, bytes]] = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool_use": (b"input_json_delta", b"partial_json"),
}


class _Call:
    """A tool call on its way. `told` says that its block has been opened, `unsaid` is what came since of its arguments."""

    __slots__ = ("arguments", "identity", "name", "told", "unsaid")

    def __init__(self) -> None:
        self.identity = ""
        self.name = ""
        self.arguments = ""
        self.unsaid = ""
        self.told = False

    @property
    def whole(self) -> bool:
        """Whether its arguments are complete JSON."""
        try:
            orjson.loads(self.arguments)
        except orjson.JSONDecodeError:
            return False
        return True


class MessageStream:
    """Turns runs of whole chunks into runs of whole events. `prompt_tokens` is what the first event says of the input.

    `names` are the tools whose names were shortened, by their short ones.
    """

    def __init__(self, names: Mapping[str, str], *, prompt_tokens: int) -> None:
        self._names = names
        self._prompt_tokens = prompt_tokens
        self._out: list[bytes] = []
        self._started = False
        self._kind = ""
        self._index = -1
        self._signature = ""
        self._thought = False
        self._answered = False
        self._calls: dict[int, _Call] = {}
        self._open_call: _Call | None = None
        self._held: list[tuple[str, str]] = []
        self._choice: dict[str, Any] = {}
        self._usage: Any = None

    def feed(self, events: bytes) -> bytes:
        """The events that these chunks come to. Raises UpstreamBadAnswer for what is no chunk."""
        for data in payloads(events):
            try:
                self._take(orjson.loads(data))
            except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
                raise UpstreamBadAnswer(
                    "The provider sent an event of the wrong shape.", operator_detail=repr(error), begun=True
                ) from None
        return self._taken()

    def finish(self) -> bytes:
        """The last events: how the answer ended, and what it used."""
        if not self._started:
            self._start({})
        for call in self._calls.values():
            if not call.told:
                self._open_tool(call)
                self._say_call(call)
        self._open_call = None
        self._say_held()
        self._close()
        usage = usage_object(self._usage)
        delta = {"type": "message_delta", "delta": ending(self._choice, called=bool(self._calls)), "usage": usage}
        self._event("message_delta", delta)
        self._out.append(STOP)
        return self._taken()

    def _taken(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _take(self, chunk: dict[str, Any]) -> None:
        if not self._started:
            self._start(chunk)
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            self._reasoning(delta)
            if text := delta.get("content"):
                self._answered = True
                self._say("text", text)
            elif (refusal := delta.get("refusal")) and not self._answered:
                self._say("text", refusal)
            for call in delta.get("tool_calls") or ():
                self._called(call)
            if choice.get("finish_reason"):
                self._choice = choice

    def _start(self, chunk: dict[str, Any]) -> None:
        self._started = True
        message: dict[str, Any] = {
            "id": message_id(),
            "type": "message",
            "role": "assistant",
            "model": chunk.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage_object(None), "input_tokens": self._prompt_tokens, "output_tokens": 1},
        }
        self._event("message_start", {"type": "message_start", "message": message})
        self._out.append(PING)

    def _reasoning(self, delta: Mapping[str, Any]) -> None:
        """Thinking as text, and what `reasoning_details` add to it: its signature, or a block that nobody can read."""
        text = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(text, str) and text:
            self._say("thinking", text)
        for block in reasoning_blocks(delta.get("reasoning_details")):
            if block["type"] == "redacted_thinking":
                self._open(block)
                self._close()
            elif self._kind == "thinking":
                self._signature = block["signature"] or self._signature
                if not self._thought and not text and block["thinking"]:
                    self._say("thinking", block["thinking"])
            elif not self._thought and (block["thinking"] or block["signature"]):
                self._open({"type": "thinking", "thinking": "", "signature": ""})
                if block["thinking"]:
                    self._delta("thinking", block["thinking"])
                self._signature = block["signature"]

    def _say(self, kind: str, text: str) -> None:
        if self._open_call is not None and not self._open_call.whole:
            self._held.append((kind, text))
            return
        if self._kind != kind:
            self._open({"type": "text", "text": ""} if kind == "text" else {"type": kind, kind: "", "signature": ""})
        self._thought = self._thought or kind == "thinking"
        self._delta(kind, text)

    def _called(self, piece: Mapping[str, Any]) -> None:
        number = piece.get("index")
        call = self._calls.setdefault(number if isinstance(number, int) else len(self._calls), _Call())
        function = piece.get("function") or piece.get("custom") or {}
        call.identity = call.identity or str(piece.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        said = str(function.get("arguments") or function.get("input") or "")
        call.arguments += said
        call.unsaid += said
        if not call.told and call.name and (self._open_call is None or self._open_call.whole):
            self._open_tool(call)
        if call is self._open_call:
            self._say_call(call)
            if self._held and call.whole:
                self._say_held()

    def _say_held(self) -> None:
        held, self._held = self._held, []
        for kind, text in held:
            self._say(kind, text)

    def _open_tool(self, call: _Call) -> None:
        identity = plain_id(call.identity or f"toolu_{secrets.token_hex(12)}")
        name = self._names.get(call.name, call.name)
        self._open({"type": "tool_use", "id": identity, "name": name, "input": {}})
        call.told, self._open_call = True, call

    def _say_call(self, call: _Call) -> None:
        if call.unsaid:
            self._delta("tool_use", call.unsaid)
            call.unsaid = ""

    def _open(self, block: dict[str, Any]) -> None:
        self._close()
        self._index += 1
        self._kind = block["type"]
        self._event(
            "content_block_start", {"type": "content_block_start", "index": self._index, "content_block": block}
        )

    def _close(self) -> None:
        if not self._kind:
            return
        if self._kind == "thinking" and self._signature:
            self._out.append(DELTA % (self._index, b"signature_delta", b"signature", orjson.dumps(self._signature)))
        self._kind, self._signature, self._open_call = "", "", None
        self._event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _delta(self, kind: str, text: str) -> None:
        name, field = FIELDS[kind]
        self._out.append(DELTA % (self._index, name, field, orjson.dumps(text)))

    def _event(self, name: str, data: dict[str, Any]) -> None:
        self._out.append(b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), orjson.dumps(data)))

"""A stream of OpenAI's chunks as the events of the Messages API. Pure: fed with bytes, it does no I/O.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from shared.dialects.block_stream import BlockStream, Call, Kind
from shared.dialects.messages.answer import ending, message_id, reasoning_blocks, usage_object
from shared.dialects.tool_names import plain_id

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
TEXT = (b"text_delta", b"text")
FIELDS: Mapping[Kind, tuple[bytes, bytes]] = {
    "text": TEXT,
    "refusal": TEXT,
    "thinking": (b"thinking_delta", b"thinking"),
    "call": (b"input_json_delta", b"partial_json"),
}


class MessageStream(BlockStream):
    """Turns runs of whole chunks into runs of whole events. `prompt_tokens` is what the first event says of the input.

    `names` are the tools whose names were shortened, by their short ones.
    """

    def __init__(self, names: Mapping[str, str], *, prompt_tokens: int) -> None:
        super().__init__()
        self._names = names
        self._prompt_tokens = prompt_tokens
        self._signature = ""
        self._thought = False

    def _begin(self, chunk: dict[str, Any]) -> None:
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

    def _details(self, delta: Mapping[str, Any]) -> None:
        """What `reasoning_details` add to the thinking: its signature, or a block that nobody can read."""
        said = bool(delta.get("reasoning_content") or delta.get("reasoning"))
        for block in reasoning_blocks(delta.get("reasoning_details")):
            if block["type"] == "redacted_thinking":
                self._close()
                self._index += 1
                self._block_start(block)
                self._block_stop()
            elif self._kind == "thinking":
                self._signature = block["signature"] or self._signature
                if not self._thought and not said and block["thinking"]:
                    self._say("thinking", block["thinking"])
            elif not self._thought and (block["thinking"] or block["signature"]):
                self._open("thinking")
                if block["thinking"]:
                    self._delta("thinking", block["thinking"])
                self._signature = block["signature"]

    def _opened(self, kind: Kind, call: Call | None) -> None:
        if call is not None:
            identity = plain_id(call.identity or f"toolu_{secrets.token_hex(12)}")
            name = self._names.get(call.name, call.name)
            self._block_start({"type": "tool_use", "id": identity, "name": name, "input": {}})
        elif kind == "thinking":
            self._block_start({"type": "thinking", "thinking": "", "signature": ""})
        else:
            self._block_start({"type": "text", "text": ""})

    def _more(self, text: str) -> None:
        self._thought = self._thought or self._kind == "thinking"
        self._delta(self._kind, text)

    def _closed(self, kind: Kind) -> None:
        if kind == "thinking" and self._signature:
            self._out.append(DELTA % (self._index, b"signature_delta", b"signature", orjson.dumps(self._signature)))
        self._signature = ""
        self._block_stop()

    def _end(self) -> None:
        usage = usage_object(self._usage)
        delta = {"type": "message_delta", "delta": ending(self._choice, called=bool(self._calls)), "usage": usage}
        self._event("message_delta", delta)
        self._out.append(STOP)

    def _block_start(self, block: dict[str, Any]) -> None:
        started = {"type": "content_block_start", "index": self._index, "content_block": block}
        self._event("content_block_start", started)

    def _block_stop(self) -> None:
        self._event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _delta(self, kind: Kind, text: str) -> None:
        name, field = FIELDS[kind]
        self._out.append(DELTA % (self._index, name, field, orjson.dumps(text)))

    def _event(self, name: str, data: dict[str, Any]) -> None:
        self._out.append(b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), orjson.dumps(data)))

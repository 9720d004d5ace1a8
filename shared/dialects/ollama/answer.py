"""Answers in OpenAI's form as those of Ollama's API, whole and in the lines of a stream. Pure.

Source: https://docs.ollama.com/api/chat, https://docs.ollama.com/api/streaming
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from shared.dialects.tool_names import input_of
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer
from shared.providers.server_sent_events import payloads

Kind = Literal["chat", "generate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer belongs to: the model by the caller's name for it, and when it was asked (RFC 3339).

    `names` are the tools whose names were shortened, by their short ones.
    """

    kind: Kind
    model: str
    created_at: str
    names: Mapping[str, str]

    def part(self, text: str, *, thinking: str = "", calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Some of the answer, or all of it."""
        common = {"model": self.model, "created_at": self.created_at}
        thought = {"thinking": thinking} if thinking else {}
        if self.kind == "generate":
            return {**common, "response": text, **thought}
        called = {"tool_calls": calls} if calls else {}
        return {**common, "message": {"role": "assistant", "content": text, **thought, **called}}


@dataclass(frozen=True, slots=True)
class Spent:
    """Nanoseconds: until the answer ended, and until its first part came."""

    total: int
    until_first: int = 0


def whole_of(asked: Asked, answer: Mapping[str, Any], usage: Usage, spent: Spent) -> dict[str, Any]:
    """The answer in one piece."""
    choice: Mapping[str, Any] = next(iter(answer.get("choices") or ()), {})
    told = choice.get("message") or {}
    text = _text(told.get("content")) or told.get("refusal") or ""
    thinking = told.get("reasoning_content") or told.get("reasoning")
    calls = [
        tool_call(asked, index, call.get("id"), call.get("function") or {})
        for index, call in enumerate(told.get("tool_calls") or ())
    ]
    part = asked.part(text, thinking=thinking if isinstance(thinking, str) else "", calls=calls)
    return {**part, **ending(choice.get("finish_reason"), usage, spent)}


def ending(reason: Any, usage: Usage, spent: Spent) -> dict[str, Any]:
    """What the end of an answer says: why it ended, and what it took."""
    return {
        "done": True,
        "done_reason": "length" if reason == "length" else "stop",
        "total_duration": spent.total,
        "load_duration": 0,
        "prompt_eval_count": usage.prompt,
        "prompt_eval_duration": spent.until_first,
        "eval_count": usage.completion,
        "eval_duration": spent.total - spent.until_first,
    }


def loaded(asked: Asked, *, unload: bool) -> dict[str, Any]:
    """The answer to a request that only loads a model, or unloads it."""
    return {**asked.part(""), "done": True, "done_reason": "unload" if unload else "load"}


def tool_call(asked: Asked, index: int, identity: Any, function: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a tool, its arguments an object."""
    name = str(function.get("name") or "")
    made = {"index": index, "name": asked.names.get(name, name), "arguments": input_of(function.get("arguments"))}
    return {**({"id": identity} if isinstance(identity, str) and identity else {}), "function": made}


class LineStream:
    """Turns runs of whole chunks into runs of whole lines. Calls of tools come in one line, once all of them are whole."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._calls: dict[int, dict[str, Any]] = {}
        self._reason: Any = None
        self._answered = False

    def feed(self, events: bytes) -> bytes:
        """The lines that these chunks come to. Raises UpstreamBadAnswer for what is not a chunk."""
        lines: list[bytes] = []
        for data in payloads(events):
            try:
                self._take(orjson.loads(data), lines)
            except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
                raise UpstreamBadAnswer(
                    "The provider sent an event of the wrong shape.", operator_detail=repr(error), begun=True
                ) from None
        return b"".join(lines)

    def finish(self, usage: Usage, spent: Spent) -> bytes:
        """The last lines: the calls of tools, and how the answer ended."""
        calls = [tool_call(self._asked, index, call["id"], call) for index, call in enumerate(self._calls.values())]
        told = [line({**self._asked.part("", calls=calls), "done": False})] if calls else []
        return b"".join([*told, line({**self._asked.part(""), **ending(self._reason, usage, spent)})])

    def _take(self, chunk: dict[str, Any], lines: list[bytes]) -> None:
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            text, thinking = delta.get("content"), delta.get("reasoning_content") or delta.get("reasoning")
            if not text and not self._answered:
                text = delta.get("refusal")
            self._answered = self._answered or bool(delta.get("content"))
            if text or thinking:
                part = self._asked.part(text or "", thinking=thinking or "")
                lines.append(line({**part, "done": False}))
            for piece in delta.get("tool_calls") or ():
                self._called(piece)
            self._reason = choice.get("finish_reason") or self._reason

    def _called(self, piece: Mapping[str, Any]) -> None:
        number = piece.get("index")
        place = number if isinstance(number, int) else len(self._calls)
        call = self._calls.setdefault(place, {"id": "", "name": "", "arguments": ""})
        function = piece.get("function") or {}
        call["id"] = call["id"] or piece.get("id") or ""
        call["name"] = call["name"] or function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""


def line(value: Mapping[str, Any]) -> bytes:
    """A line of a stream."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""

"""What servers leave out or get wrong in answers that are otherwise good, put right for OpenAI's SDKs. Pure.

Seen with vLLM, llama.cpp, LM Studio and Ollama's compatible endpoint: `finish_reason: "stop"` after tool calls, tool
call deltas without `index`, streams that end without a finish reason.
"""

from typing import Any

import orjson

CALLED = "tool_calls"
STOPPED = "stop"
SHAPE = ("id", "created", "system_fingerprint")


def repair_choice(choice: dict[str, Any]) -> None:
    """Give a choice of a whole answer the finish reason that fits its message."""
    calls = choice["message"].get(CALLED)
    reason = choice.get("finish_reason")
    if calls and reason in (STOPPED, None):
        choice["finish_reason"] = CALLED
    elif reason is None:
        choice["finish_reason"] = STOPPED


class StreamRepairs:
    """Follows the events of one stream. `called` holds the numbers of the choices that have called a tool."""

    def __init__(self) -> None:
        self.called: set[int] = set()
        self._ids: dict[int, list[Any]] = {}
        self._shape: dict[str, Any] = {}

    def repair(self, event: dict[str, Any]) -> bool:
        """Put an event right in place. Returns whether it was changed."""
        if not self._shape:
            self._shape = {name: event[name] for name in SHAPE if name in event}
        changed = False
        for choice in event.get("choices") or ():
            if isinstance(choice, dict):
                changed = self._repaired(choice) or changed
        return changed

    def ending(self, model: str) -> bytes:
        """The data of the event that a stream without a finish reason lacks."""
        choices = [
            {"index": number, "delta": {}, "finish_reason": CALLED if number in self.called else STOPPED}
            for number in (sorted(self.called) or [0])
        ]
        return orjson.dumps({**self._shape, "object": "chat.completion.chunk", "model": model, "choices": choices})

    def _repaired(self, choice: dict[str, Any]) -> bool:
        number, delta = choice.get("index", 0), choice.get("delta")
        calls = delta.get(CALLED) if isinstance(delta, dict) else None
        changed = False
        if isinstance(calls, list) and calls and isinstance(number, int):
            self.called.add(number)
            ids = self._ids.setdefault(number, [])
            changed = (
                sum(self._numbered(call, ids) for call in calls if isinstance(call, dict)) > 0
            )  # each one is numbered
        if choice.get("finish_reason") == STOPPED and number in self.called:
            choice["finish_reason"] = CALLED
            changed = True
        return changed

    @staticmethod
    def _numbered(call: dict[str, Any], ids: list[Any]) -> bool:
        """Give a tool call without a number its place: a new id begins the next one, no id goes on with the last."""
        if isinstance(call.get("index"), int):
            return False
        if (own := call.get("id")) and own not in ids:
            ids.append(own)
        call["index"] = ids.index(own) if own else max(len(ids) - 1, 0)
        return True

"""An answer as it comes in: text and facts picked out of a stream of OpenAI's chunks. Pure."""

from typing import Any

import orjson

from shared.domain.usage import Usage
from shared.providers.server_sent_events import payloads


class Reply:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.size = 0
        self.finish_reason = ""
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._parts)

    def take(self, events: bytes) -> None:
        """Add a run of whole events."""
        for data in payloads(events):
            if data != b"[DONE]":
                self._take(orjson.loads(data))

    def _take(self, chunk: dict[str, Any]) -> None:
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            for part in (delta.get("content"), delta.get("refusal")):
                if isinstance(part, str) and part:
                    self._parts.append(part)
                    self.size += len(part.encode("utf-8", "surrogatepass"))
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = Usage.from_openai(usage)

"""An answer as it comes in: text and facts picked out of a stream of OpenAI's chunks. Pure."""

from typing import Any

import orjson

from shared.domain.usage import Usage
from shared.errors import UpstreamError
from shared.providers.server_sent_events import payloads


class Reply:
    """What a stream has said so far. `notes` is its `gateway` object."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.size = 0
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.notes: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._parts)

    def take(self, events: bytes) -> None:
        """Add a run of whole events. Raises UpstreamError for one that isn't JSON: what it was to say is lost."""
        for data in payloads(events):
            if data != b"[DONE]":
                self._take(_chunk(data))

    def _take(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                delta = {}
            for part in (delta.get("content"), delta.get("refusal")):
                if isinstance(part, str) and part:
                    self._parts.append(part)
                    self.size += len(part.encode("utf-8", "surrogatepass"))
            if isinstance(reason := choice.get("finish_reason"), str) and reason:
                self.finish_reason = reason
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = Usage.from_openai(usage)
        if isinstance(notes := chunk.get("gateway"), dict):
            self.notes = notes


def _chunk(data: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamError("The provider sent an event that is not JSON.", operator_detail=str(error)) from None
    if not isinstance(chunk, dict):
        raise UpstreamError("The provider sent an event of the wrong shape.")
    return chunk

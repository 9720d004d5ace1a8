"""Anthropic's event stream passed on as it came, to a caller who speaks the same dialect. Pure: fed with bytes, no I/O."""

import re
from dataclasses import replace

from shared.domain.chat import Chunk
from shared.errors import UpstreamBadAnswer
from shared.providers.anthropic.stream import StreamDecoder

ERROR = re.compile(rb"(?:^|\n)(event:\s*error\n)")
TOOL_USE = re.compile(rb'"type":\s*"tool_use",\s*"id":\s*"([^"\\]+)"')
THINKS = re.compile(rb'"type":\s*"thinking"')
"""A block of thinking begins an answer, also where its text is not shown: it may take minutes."""

PLAIN = b"event: content_block_delta\n"
"""What the events of text begin with; every other event is read."""


class MessageRelay(StreamDecoder):
    """Reads a stream for what the gateway must know of it, and gives the events themselves in place of their translation."""

    def feed(self, block: bytes) -> Chunk:
        """The events that are whole by now, up to one that reports a failure."""
        events = self._splitter.feed(block)
        if self._committed and events.count(PLAIN) == events.count(b"\n\n"):
            return Chunk(events, content=True, native=True)
        return self._relayed(events)

    def _relayed(self, events: bytes) -> Chunk:
        found = self._take(events)
        if (error := ERROR.search(events)) is not None:
            events = events[: error.start(1)]
        calls = tuple(identity.decode("ascii", "replace") for identity in TOOL_USE.findall(events))
        begun = found.content or THINKS.search(events) is not None
        return replace(found, data=events, content=begun, native=True, calls=calls)

    def _last(self) -> Chunk:
        try:
            return self._relayed(self._splitter.finish())
        except UpstreamBadAnswer:
            return Chunk(b"", native=True)  # an event that was cut is none

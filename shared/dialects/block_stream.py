"""A stream of OpenAI's chunks as blocks that come one after the other, for dialects whose streams are made of those. Pure.

At most one block is open at a time, and none gets anything once it is closed: clients fail at either. What comes while a
tool call is not whole, of another call or of the text, waits until it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from shared.errors import UpstreamBadAnswer
from shared.providers.server_sent_events import payloads

Kind = Literal["", "text", "refusal", "thinking", "call"]
"""Kinds of blocks; the empty one while none is open."""


class Call:
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


class BlockStream(ABC):
    """Turns runs of whole chunks into runs of whole events of a dialect, which says how each step is told."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._started = False
        self._kind: Kind = ""
        self._index = -1
        self._answered = False
        self._calls: dict[int, Call] = {}
        self._open_call: Call | None = None
        self._held: list[tuple[Kind, str]] = []
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
        self._end()
        return self._taken()

    @abstractmethod
    def _begin(self, chunk: dict[str, Any]) -> None:
        """Tell that the answer begins."""

    @abstractmethod
    def _opened(self, kind: Kind, call: Call | None) -> None:
        """Tell that a block begins; `self._index` is its place."""

    @abstractmethod
    def _more(self, text: str) -> None:
        """Tell more of the open block."""

    @abstractmethod
    def _closed(self, kind: Kind) -> None:
        """Tell that the open block is whole."""

    @abstractmethod
    def _details(self, delta: Mapping[str, Any]) -> None:
        """Take in what a piece says of the reasoning beside its text, and the pieces of text that are not of any block."""

    @abstractmethod
    def _end(self) -> None:
        """Tell how the answer ended; no block is open by then."""

    def _taken(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _start(self, chunk: dict[str, Any]) -> None:
        self._started = True
        self._begin(chunk)

    def _take(self, chunk: dict[str, Any]) -> None:
        if not self._started:
            self._start(chunk)
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            self._told(delta)
            if choice.get("finish_reason"):
                self._choice = choice

    def _told(self, delta: Mapping[str, Any]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._say("thinking", thought)
        self._details(delta)
        if text := delta.get("content"):
            self._answered = True
            self._say("text", text)
        elif (refusal := delta.get("refusal")) and not self._answered:
            self._say("refusal", refusal)
        for call in delta.get("tool_calls") or ():
            self._called(call)

    def _say(self, kind: Kind, text: str) -> None:
        if self._open_call is not None and not self._open_call.whole:
            self._held.append((kind, text))
            return
        if self._kind != kind:
            self._open(kind)
        self._more(text)

    def _called(self, piece: Mapping[str, Any]) -> None:
        number = piece.get("index")
        call = self._calls.setdefault(number if isinstance(number, int) else len(self._calls), Call())
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

    def _open_tool(self, call: Call) -> None:
        self._open("call", call)
        call.told, self._open_call = True, call

    def _say_call(self, call: Call) -> None:
        if call.unsaid:
            self._more(call.unsaid)
            call.unsaid = ""

    def _open(self, kind: Kind, call: Call | None = None) -> None:
        self._close()
        self._index += 1
        self._kind = kind
        self._opened(kind, call)

    def _close(self) -> None:
        if not self._kind:
            return
        kind = self._kind
        self._kind, self._open_call = "", None
        self._closed(kind)

"""Which chat led to a command: known by the tool call that its model made, by the trace, or by the session."""

from dataclasses import replace
from typing import Literal, NamedTuple

from shared.domain.identity import Caller
from shared.domain.trace import current_id

By = Literal["toolCall", "trace", "session"]

REMEMBERED = 20_000
"""Names that are kept at least, the newest; at most twice as many."""


class Cause(NamedTuple):
    """The id of the request that led here, and how that is known."""

    request_id: str
    by: str


class Causes:
    """The last chats of this process, by what a later request of the same caller may name of them."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._chats: dict[tuple[By, str, str], str] = {}
        self._older: dict[tuple[By, str, str], str] = {}

    def remember(self, by: By, caller: Caller, name: str) -> None:
        """The chat that the caller made has this name; a newer chat takes it over."""
        if len(self._chats) >= self._size:
            self._older, self._chats = self._chats, {}
        self._chats[by, caller.id, name] = caller.request_id

    def find(self, by: By, caller: Caller, name: str) -> Cause | None:
        """The newest chat of the caller that has this name."""
        if not name:
            return None
        key = (by, caller.id, name)
        found = self._chats.get(key) or self._older.get(key)
        return None if found is None or found == caller.request_id else Cause(found, by)

    def of(self, caller: Caller, trace_id: str) -> Cause | None:
        """The chat that led to what the caller asks for now, by the surest sign of it."""
        if caller.led_by is not None:
            return Cause(*caller.led_by)
        return (
            self.find("toolCall", caller, caller.tool_call_id)
            or self.find("trace", caller, trace_id)
            or self.find("session", caller, caller.session)
        )

    def told(self, caller: Caller) -> Caller:
        """The caller as another process is told of it: that one does not know which chats were answered here."""
        cause = self.of(caller, current_id())
        return caller if cause is None else replace(caller, led_by=(cause.request_id, cause.by))

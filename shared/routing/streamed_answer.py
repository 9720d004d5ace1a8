"""An answer as it comes from the provider: passed on, counted, and written down when it ends."""

from collections.abc import AsyncIterator
from typing import Any

from shared.domain.chat import CHARACTERS_PER_TOKEN, Chunk
from shared.domain.usage import Usage
from shared.errors import UpstreamError
from shared.routing import usage_event
from shared.routing.attempt import Attempt

NATIVE_EVENT_BYTES = 110
"""About how much of an event in another dialect is not text."""


def _calls_tools(data: bytes) -> bool:
    return b'"tool_calls"' in data and b'"tool_calls":null' not in data


class StreamedAnswer:
    """An answer under way, as an EventStream. `outcome` is `cancelled` until its end, then `ok` or an error's code.

    Raises UpstreamError from the iteration when the provider breaks off: the answer is then incomplete for good.
    """

    def __init__(self, attempt: Attempt, first: bytes, rest: AsyncIterator[Chunk]) -> None:
        self.route = attempt.route
        self.usage: Usage | None = None
        self._attempt = attempt
        self._first = first
        self._rest = rest
        self._events = 0
        self._bytes = 0
        self._called = 0
        self._final: dict[str, Any] | None = None
        self.outcome = "cancelled"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        said = self.route.said
        said.add(self._first)
        if b'"tool_calls"' in self._first:
            self.route.tool_calls += usage_event.tool_call_ids(self._first)
        yield self._first
        try:
            async for chunk in self._rest:
                data = chunk.data
                if data:
                    said.add(data)
                    if _calls_tools(data):
                        self._called += usage_event.length(data)
                        self.route.tool_calls += usage_event.tool_call_ids(data)
                    else:
                        self._events += data.count(b"data:")
                        self._bytes += len(data)
                    yield data
                if chunk.usage is not None:
                    self._attempt.hear(chunk.usage)
                if chunk.final is not None:
                    self._final = chunk.final
        except UpstreamError as error:
            self._broken(error)
            raise
        usage = self._succeeded(called=bool(self._called) or _calls_tools(self._first))
        request, model, cost = self._attempt.request, self.route.model, self.route.cost
        last = usage_event.final(request, model, self._first, self._final, usage, cost)
        said.add(last)
        yield last

    def settle(self) -> None:
        """Write down what a stream used that did not come to its end; the provider bills it all the same."""
        if self.outcome != "ok":
            self._attempt.ended(self.outcome, self._used(), self._raw_usage())
            self.route.cost = self._attempt.job.tab.total

    def _broken(self, error: UpstreamError) -> None:
        self.outcome = error.code
        self._attempt.hear(error.usage)
        if error.code != "request_timeout":
            self._attempt.troubled(error)

    def _succeeded(self, *, called: bool) -> Usage:
        usage = self.usage = self._used()
        self._attempt.succeeded(usage, self._raw_usage())
        if called:
            self._attempt.called_tools()
        self.outcome = "ok"
        self.route.cost = self._attempt.job.tab.total
        return usage

    def _raw_usage(self) -> Any:
        return self._attempt.told if self._final is None else self._final.get("usage")

    def _used(self) -> Usage:
        used = Usage.from_answer(self._final or {})
        if used.prompt or used.completion:
            return used
        return self._attempt.used(self._tokens())

    def _tokens(self) -> int:
        """About how many tokens have come: one for each event of text at least, or what is said in all of them makes.

        Text is what an event holds beside its envelope; what calls a tool lies deeper, and was measured as it came.
        """
        text = self._bytes - self._events * usage_event.envelope(self._first)
        said = usage_event.length(self._first) + max(text, 0) + self._called
        return max(self._events, said // CHARACTERS_PER_TOKEN + 1)


class NativeAnswer(StreamedAnswer):
    """One in the caller's own dialect: its events are passed on as they are, the usage among them."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        said, route = self.route.said, self.route
        route.tool_calls += self._attempt.calls
        self._count(self._first)
        said.add(self._first)
        yield self._first
        try:
            async for chunk in self._rest:
                if chunk.data:
                    said.add(chunk.data)
                    self._count(chunk.data)
                    yield chunk.data
                route.tool_calls += chunk.calls
                if chunk.usage is not None:
                    self._attempt.hear(chunk.usage)
                if chunk.final is not None:
                    self._final = chunk.final
        except UpstreamError as error:
            self._broken(error)
            raise
        self._succeeded(called=bool(route.tool_calls))

    def _count(self, data: bytes) -> None:
        self._events += data.count(b"\n\n")
        self._bytes += len(data)

    def _tokens(self) -> int:
        text = self._bytes - self._events * NATIVE_EVENT_BYTES
        return max(self._events, text // CHARACTERS_PER_TOKEN + 1)

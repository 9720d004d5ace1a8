"""Spans of requests, made only where a trace is recorded, and handed to what exports them."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import anyio

from shared.domain import trace
from shared.domain.measures import Family
from shared.domain.sampling import Sampler
from shared.domain.trace import CURRENT, SAMPLED, Trace
from shared.errors import GatewayError

LAST_SECONDS = 3.0
"""How long the gateway waits for the last export when it ends."""

Kind = Literal["server", "client", "internal"]
Value = str | bool | int | float | list[str]


@dataclass(slots=True, kw_only=True)
class Span:
    """A step of a trace. `parent` is the span id of the step around it, empty for the first one; times are in ns.

    `error` is the sentence of a failure; `error.type` among the attributes is its class.
    """

    name: str
    kind: Kind
    trace: Trace
    parent: str = ""
    started: int = field(default_factory=time.time_ns)
    ended: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str = ""

    def fail(self, kind: str, message: str = "") -> None:
        """Note a failure."""
        self.attributes["error.type"] = kind
        self.error = message or kind


class Exporter(Protocol):
    """Where spans and metrics go."""

    def span(self, span: Span) -> None:
        """Queue a span that has ended. Never waits."""

    async def families(self, families: list[Family]) -> None:
        """Send what is measured."""

    async def aclose(self) -> None:
        """Send the rest."""

    def abort(self) -> None:
        """Give up what is still tried again."""


class Telemetry:
    """Traces and metrics of one gateway. `content` says whether messages, commands and their output go into spans.

    `redact` takes known secrets out of that text. `families` is what is exported every `interval` seconds.
    """

    def __init__(
        self,
        exporter: Exporter,
        sampler: Sampler,
        *,
        content: bool = False,
        redact: Callable[[str], str] = lambda text: text,
        interval: float = 60,
    ) -> None:
        self.content = content
        self.redact = redact
        self._exporter = exporter
        self._sampler = sampler
        self._interval = interval
        self._sources: list[Callable[[], list[Family]]] = []

    def begun(self, traceparent: object = None) -> Trace:
        """A step of ours, as `trace.begun`; its flags say whether the trace is recorded."""
        step = trace.begun(traceparent)
        named = traceparent is not None and trace.named(traceparent) is not None
        taken = self._sampler.takes(step.trace_id, bool(step.flags & SAMPLED) if named else None)
        if taken == bool(step.flags & SAMPLED):
            return step
        return Trace(step.trace_id, step.span_id, SAMPLED if taken else 0)

    def sampled(self, step: Trace) -> Trace:
        """The first step of a trace, with flags that say whether it is recorded."""
        return step._replace(flags=SAMPLED if self._sampler.takes(step.trace_id, None) else 0)

    def child(self, name: str, kind: Kind) -> Span | None:
        """A span inside the current one, begun now; None where the trace is not recorded."""
        around = CURRENT.get()
        if around is None or not around.flags & SAMPLED:
            return None
        return Span(name=name, kind=kind, trace=trace.step_of(around), parent=around.span_id)

    @contextmanager
    def within(self, span: Span | None) -> Iterator[None]:
        """Make the span the current one inside the block, and end it with the block."""
        if span is None:
            yield
            return
        try:
            with trace.tracing(span.trace):
                yield
        except GatewayError as error:
            span.fail(error.code, error.message)
            raise
        except BaseException as error:
            span.fail("cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__qualname__)
            raise
        finally:
            self.end(span)

    def end(self, span: Span) -> None:
        """End a span and queue it."""
        span.ended = time.time_ns()
        self._exporter.span(span)

    def text(self, value: str, most: int) -> str:
        """Text as it may stand in a span: without known secrets, and cut."""
        return self.redact(value[:most])

    def watch(self, source: Callable[[], list[Family]]) -> None:
        """Export what this measures, too."""
        self._sources.append(source)

    async def run(self) -> None:
        """Export metrics again and again, for ever."""
        while True:
            await asyncio.sleep(self._interval)
            await self.export_metrics()

    async def export_metrics(self) -> None:
        """Export all metrics as they are now."""
        await self._exporter.families([family for source in self._sources for family in source()])

    async def aclose(self) -> None:
        """Send what is left, within some seconds: a receiver may be away."""
        with anyio.move_on_after(LAST_SECONDS, shield=True) as limit:
            await self.export_metrics()
            await self._exporter.aclose()
        if limit.cancelled_caught:
            self._exporter.abort()


def known(attributes: Mapping[str, Any]) -> dict[str, Value]:
    """The attributes that have a value."""
    return {name: value for name, value in attributes.items() if value not in (None, "", [])}

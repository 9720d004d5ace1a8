"""One trace over all that is done for one purpose: the `traceparent` of W3C Trace Context, level 1."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
SAMPLED = 0b1
LONGEST = 512


class Trace(NamedTuple):  # made for every request, at half of what a frozen dataclass costs
    """Which trace, and which step in it is ours."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED

    @property
    def traceparent(self) -> str:
        """As it goes on to others."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The trace of what the running task does; surfaces set it for each request."""


def begun(traceparent: object = None) -> Trace:
    """A step of ours in the trace that `traceparent` names; in a new one where that is missing or malformed."""
    around = named(traceparent)
    if around is None:
        return Trace(f"{random.getrandbits(128) or 1:032x}", _span_id())
    return Trace(around.trace_id, _span_id(), around.flags)


def continued(traceparent: object) -> Trace | None:
    """A step of ours in the trace that `traceparent` names, if it names one."""
    around = named(traceparent)
    return None if around is None else step_of(around)


def step_of(around: Trace) -> Trace:
    """A step of ours inside another one."""
    return Trace(around.trace_id, _span_id(), around.flags)


def named(traceparent: object) -> Trace | None:
    """The step that `traceparent` names, which is somebody else's; None where it is missing or malformed."""
    found = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) and len(traceparent) < LONGEST else None
    if found is None or not _is_valid(*found.groups()):
        return None
    return Trace(found[2], found[3], int(found[4], 16) & SAMPLED)


def current_id() -> str:
    """The id of the current trace; empty where there is none."""
    trace = CURRENT.get()
    return "" if trace is None else trace.trace_id


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Inside the block this is the current trace."""
    token = CURRENT.set(trace)
    try:
        yield
    finally:
        CURRENT.reset(token)


def _span_id() -> str:
    """It only has to be unlike the others, which needs no system call."""
    return f"{random.getrandbits(64) or 1:016x}"


def _is_valid(version: str, trace_id: str, parent: str, _: str, more: str | None) -> bool:
    """Version 00 ends after the flags; later ones may go on; ff is none, and nor are ids of zeros alone."""
    return version != "ff" and (more is None or version != "00") and bool(int(trace_id, 16) and int(parent, 16))

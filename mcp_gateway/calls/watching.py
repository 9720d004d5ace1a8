"""Waiting for a terminal within one call, and telling how it goes. Leaving a wait does nothing to the session."""

import asyncio
from dataclasses import dataclass

from mcp_gateway.calls.call import Call
from mcp_gateway.calls.screens import Written, readable
from mcp_gateway.terminals.arguments import WaitFor
from shared.domain.terminal import Output, Sent
from shared.domain.waits import View, WaitEnd
from shared.operations import dispatch
from shared.operations.terminals import READ_TERMINAL, SEND_TO_TERMINAL

SLICE = 0.5
"""Seconds between two looks at what kind of program it is that is waited for."""
REACTION = 1.0
"""Seconds that a full-screen program gets to react to keys; some keys change nothing."""
SILENCE_MS = 1000
TAIL = 500
"""Characters of what came that progress tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is waited for, and how long at most, in seconds."""

    kind: WaitFor
    seconds: float
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a wait is over, and the text that it was waited for."""

    reason: WaitEnd
    match: str | None = None


class Watch:
    """A session after a cursor, watched on behalf of one call. `before` is what had come until there."""

    def __init__(self, call: Call, session_id: str, after: int, before: Written | None = None) -> None:
        self._call = call
        self._id = session_id
        self._after = after
        self._before = before

    async def written(self) -> Written:
        """What came after the cursor."""
        payload = {"id": self._id, "cursor": self._after}
        part = await dispatch.call(self._call.gateway, self._call.caller, READ_TERMINAL, payload)
        before = self._before
        return Written(part, before is not None and before.full_screen, before is not None and before.held)

    async def changed(self) -> Output:
        """The rows of the screen that changed after the cursor."""
        return await screen_of(self._call, self._id, "diff", self._after)

    async def whole(self) -> Output:
        """The whole screen."""
        return await screen_of(self._call, self._id)

    async def until(self, wanted: Wanted, *, reaction: float | None = None) -> Ended:
        """Wait. `reaction` seconds at most go by until something that was typed shows its first effect."""
        deadline = _now() + wanted.seconds
        self._call.progress.say("waiting …")
        if wanted.pattern is not None or wanted.kind == "ready":
            if reaction is not None:
                await self._wait("output", min(reaction, wanted.seconds))
            return await self._ready(wanted.pattern, deadline)
        sent = await self._wait(wanted.kind, max(deadline - _now(), 0))
        return _ended(sent)

    async def _ready(self, pattern: str | None, deadline: float) -> Ended:
        while True:
            written = await self.written()
            self._call.progress.say(readable(written.raw[-2 * TAIL :])[-TAIL:] or "waiting …")
            for kind in _kinds(written, pattern):
                left = deadline - _now()
                sent = await self._wait(kind, max(min(SLICE, left), 0), pattern)
                if sent.reason != "timeout" and not await self._has_left(written):
                    if sent.reason == "matched" and (await self.written()).drawn:
                        await self._wait("screen", SLICE)  # the rest of it may still be drawn
                    return _ended(sent)
            if deadline <= _now():
                return Ended("timeout")

    async def _has_left(self, before: Written) -> bool:
        """Whether a program has given the screen back meanwhile, so that something else is to be waited for."""
        return before.held and not (await self.written()).held

    async def _wait(self, kind: str, seconds: float, pattern: str | None = None) -> Sent:
        wait = {
            "for": kind,
            "timeoutMs": max(int(seconds * 1000), 1),
            "cursor": self._after,
            **({"pattern": pattern} if pattern is not None else {}),
            **({"quietMs": SILENCE_MS} if kind == "silence" else {}),
        }
        return await dispatch.call(
            self._call.gateway, self._call.caller, SEND_TO_TERMINAL, {"id": self._id, "wait": wait}
        )


async def screen_of(call: Call, session_id: str, view: View = "screen", after: int | None = None) -> Output:
    """The screen of a session as it is; with the view `diff` only the rows that changed after the cursor."""
    payload = {"id": session_id, "view": view, "attributes": True, **({} if after is None else {"cursor": after})}
    return await dispatch.call(call.gateway, call.caller, READ_TERMINAL, payload)


def _kinds(written: Written, pattern: str | None) -> tuple[str, ...]:
    """What to wait for next, one after the other, since a program may begin and end while it is waited for."""
    if written.held:
        return ("screen",)
    first = "prompt" if pattern is None else "output"
    return (first, "screen") if written.drawn else (first,)


def _ended(sent: Sent) -> Ended:
    assert sent.reason is not None
    return Ended(sent.reason, sent.match)


def _now() -> float:
    return asyncio.get_running_loop().time()

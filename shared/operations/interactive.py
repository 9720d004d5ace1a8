"""Typing into interactive shells, waiting for what they answer, and reading what they have shown."""

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.domain.identity import Caller
from shared.domain.screens import ScreenInfo, ScreenSpan
from shared.domain.signals import SignalTerminal
from shared.domain.terminal import Done, Output, ReadOutput, Send, Sent
from shared.domain.waits import View, Wait
from shared.operations import oversight, policing
from shared.terminal import keys, styles
from shared.terminal.display import Rendering
from shared.terminal.patterns import Pattern
from shared.terminal.session import Session
from shared.terminal.waits import Wanted

if TYPE_CHECKING:
    from shared.gateway import Gateway

MAX_AUDITED = 2000
FIRST_PROMPT = 5.0
"""Seconds that a shell gets for its first prompt, where the end of what is typed is to be known by the next one."""


async def send(gateway: "Gateway", caller: Caller, request: Send) -> Sent:
    """Type, and wait where that was asked for. What does not make sense is refused before anything is typed."""
    types, wait = bool(request.data or request.keys), request.wait
    to_use = oversight.to_type_into if types else oversight.to_watch
    session = await to_use(gateway, caller, request.id)
    typed = keys.Input(text=request.data or "", paste=request.paste, keys=keys.parse(request.keys or ""))
    if types:
        await policing.permit_typing(gateway, caller, session)
    if wait is None:
        await session.send(typed)
        return Sent()
    wanted = _wanted(wait, fresh=types)
    shown_from = session.end_cursor if session.ended_shell else None  # so that it is told that this is another shell
    if wanted.fresh and wanted.kind == "prompt" and not session.shell_runs:
        wanted = await _after_first_prompt(session, wanted)
    if wait.view == "diff":
        await session.screen()
    after = await session.send(typed) if wanted.fresh else session.end_cursor
    after = after if wait.cursor is None else wait.cursor
    outcome = await session.wait(wanted, after=after)
    shown_from = after if shown_from is None or wait.cursor is not None else shown_from
    shown = await _shown(session, caller, wait.view, cursor=shown_from, strip=wait.strip, attributes=wait.attributes)
    return Sent(**dict(shown), reason=outcome.reason, match=outcome.match)


def sent(request: Send) -> dict[str, Any] | None:
    """What the audit trail tells of what was typed: how much, and which keys, but never the text."""
    if not request.data and not request.keys:
        return None  # it only waits
    characters, names = keys.told(request.keys or "")
    facts: dict[str, Any] = {"sessionId": request.id, "characters": len(request.data or "") + characters}
    if names:
        facts["keys"] = " ".join(names)[:MAX_AUDITED]
    return facts


def _wanted(wait: Wait, *, fresh: bool) -> Wanted:
    return Wanted(
        kind=wait.for_,
        timeout=wait.timeout_ms / 1000,
        quiet=wait.quiet_ms / 1000,
        pattern=None if wait.pattern is None else Pattern(wait.pattern),
        fresh=fresh,
    )


async def _after_first_prompt(session: Session, wanted: Wanted) -> Wanted:
    """Start the shell and wait for its prompt; what is wanted, with the time that is left for it."""
    began = time.monotonic()
    await session.start()
    await session.wait(replace(wanted, fresh=False, timeout=min(wanted.timeout, FIRST_PROMPT)))
    return replace(wanted, timeout=max(0.0, wanted.timeout - (time.monotonic() - began)))


async def signal(gateway: "Gateway", caller: Caller, request: SignalTerminal) -> Done:
    """Send a signal to what runs on the session's terminal."""
    await gateway.terminals.get(caller.id, request.id).signal(request.signal)
    return Done()


async def read(gateway: "Gateway", caller: Caller, request: ReadOutput) -> Output:
    """What the shell has shown, in the view that was asked for."""
    session, wait = await oversight.to_watch(gateway, caller, request.id), request.wait_ms / 1000
    return await _shown(
        session,
        caller,
        request.view,
        cursor=request.cursor,
        strip=request.strip,
        attributes=request.attributes,
        wait=wait,
    )


async def _shown(
    session: Session,
    caller: Caller,
    view: View,
    *,
    cursor: int | None,
    strip: bool,
    attributes: bool,
    wait: float = 0,
) -> Output:
    if view == "text":
        part = await session.read(caller.id, cursor=cursor, wait=wait, strip=strip)
        text, connected = [part.text] if part.text else [], session.connected
        return Output(output=text, cursor=part.cursor, dropped=part.dropped, connected=connected)
    seen = await session.screen(after=cursor, wait=wait)
    lines, rows = list(seen.look.lines), None
    if view == "diff":
        lines, rows = [lines[row] for row in seen.rows], list(seen.rows)
    return Output(
        output=lines,
        cursor=seen.cursor,
        dropped=0,
        connected=session.connected,
        screen=_screen(seen),
        rows=rows,
        attributes=await asyncio.to_thread(_attributes, seen, rows) if attributes else None,
    )


def _attributes(seen: Rendering, rows: list[int] | None) -> list[ScreenSpan]:
    look = seen.look
    return [
        ScreenSpan(
            row=span.row,
            start=span.start,
            end=span.end,
            text=span.text,
            highlight=span.highlight,
            reverse=span.style.reverse,
            bold=span.style.bold,
            underline=span.style.underline,
            color=span.style.fg,
            background=span.style.bg,
        )
        for span in styles.spans(look.lines, look.runs, look.columns)
        if rows is None or span.row in rows
    ]


def _screen(seen: Rendering) -> ScreenInfo:
    look = seen.look
    return ScreenInfo(
        cols=look.columns,
        rows=len(look.lines),
        cursor_row=look.row,
        cursor_col=look.column,
        cursor_visible=look.cursor_visible,
        title=look.title,
        bells=look.bells,
        alternate=look.alternate,
    )

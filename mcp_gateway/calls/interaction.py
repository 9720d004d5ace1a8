"""Typing into a terminal and reading it, each in one call that ends within the time given."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import anyio.to_thread

from mcp_gateway.calls.bounds import bounded
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.screens import Picture, mostly_changed, pictured, text_of
from mcp_gateway.calls.watching import REACTION, Ended, Wanted, Watch, screen_of
from mcp_gateway.terminals.arguments import ReadTerminalArguments, SendToTerminalArguments
from mcp_gateway.terminals.results import TerminalOutput
from shared.domain.screens import ScreenInfo, ScreenSpan
from shared.domain.terminal import Output, SessionInfo
from shared.domain.waits import View
from shared.operations import dispatch
from shared.operations.answers import ANSWER_PROMPT
from shared.operations.terminals import GET_TERMINAL, SEND_TO_TERMINAL, SIGNAL_TERMINAL
from shared.terminal.patterns import Pattern

START_SECONDS = 3.0
SECRET_SECONDS = 1.0
"""What a shell gets to show its first prompt, and a program to ask for the password. With the longest wait they must
stay below the 50 seconds in which a call ends.
"""
MOST_OF_MATCH = 300
"""Characters of a match; the text shown has it too."""
ANSWER = 1.0
"""Seconds that are kept of a call to show what came."""
TOO_LONG = "The session is still there: call read_terminal to see how it stands, or close_terminal."


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be shown; `screen` where that is one."""

    picture: Picture
    full_screen: bool
    screen: ScreenInfo | None = None
    attributes: list[ScreenSpan] | None = None


async def send(call: Call, arguments: SendToTerminalArguments) -> TerminalOutput:
    """Type, wait, and show what came."""
    async with bounded(call, TOO_LONG):
        return await _send(call, arguments)


async def read(call: Call, arguments: ReadTerminalArguments) -> TerminalOutput:
    """Wait if that is wanted, and show what came after the cursor, or the screen as it is."""
    async with bounded(call, TOO_LONG):
        return await _read(call, arguments)


async def _send(call: Call, arguments: SendToTerminalArguments) -> TerminalOutput:
    session_id = arguments.session_id
    _check_pattern(arguments)
    before = await Watch(call, session_id, 0).written()
    if before.part.cursor == 0 and not (await _info(call, session_id)).background:
        await first_prompt(call, session_id, START_SECONDS)
        before = await Watch(call, session_id, 0).written()
    watch = Watch(call, session_id, before.part.cursor, before)
    await _type(call, arguments)
    ended = None
    if arguments.longest:
        wanted = _wanted(call, arguments)
        ended = await watch.until(wanted, reaction=REACTION if before.held else wanted.seconds)
    found = await _since(call, watch, arguments.view)
    return await result_of(call, session_id, found, ended, attributes=arguments.attributes)


async def _read(call: Call, arguments: ReadTerminalArguments) -> TerminalOutput:
    session_id, after = arguments.session_id, arguments.cursor
    _check_pattern(arguments)
    now = await Watch(call, session_id, 0).written()
    watch = Watch(call, session_id, now.part.cursor if after is None else after, now)
    ended = None
    if arguments.longest:
        ended = await watch.until(_wanted(call, arguments))
    found = await (_since(call, watch, arguments.view) if after is not None else _as_it_is(call, arguments))
    return await result_of(call, session_id, found, ended, attributes=arguments.attributes)


def _check_pattern(arguments: SendToTerminalArguments | ReadTerminalArguments) -> None:
    """Before anything is typed. Raises InvalidInput."""
    if arguments.pattern is not None:
        Pattern(arguments.pattern)


def _wanted(call: Call, arguments: SendToTerminalArguments | ReadTerminalArguments) -> Wanted:
    seconds = min(arguments.longest, max(call.left - ANSWER, 0))
    return Wanted(kind=arguments.wait_for, seconds=seconds, pattern=arguments.pattern)


async def _info(call: Call, session_id: str) -> SessionInfo:
    return (await dispatch.call(call.gateway, call.caller, GET_TERMINAL, {"id": session_id})).session


async def first_prompt(call: Call, session_id: str, seconds: float) -> Ended:
    """Start the session's shell where it has none yet, and wait for its first prompt, or a login's."""
    return await Watch(call, session_id, 0).until(Wanted(kind="ready", seconds=seconds))


async def first_shown(call: Call, session_id: str, seconds: float) -> TerminalOutput:
    """All that a session shows first, once it waits for input."""
    ended = await first_prompt(call, session_id, seconds)
    return await result_of(call, session_id, await _since(call, Watch(call, session_id, 0), "auto"), ended)


async def result_of(
    call: Call, session_id: str, found: Found, ended: Ended | None, *, attributes: bool = False
) -> TerminalOutput:
    """What was found as a result, with how the session is and how to go on."""
    info = await _info(call, session_id)
    picture, screen = found.picture, found.screen
    return TerminalOutput(
        text=picture.text,
        view=picture.view,
        full_screen=found.full_screen,
        cursor_row=None if screen is None else screen.cursor_row,
        cursor_col=None if screen is None else screen.cursor_col,
        wait_ended="not_waited" if ended is None else ended.reason,
        match=None if ended is None or ended.match is None else ended.match[:MOST_OF_MATCH],
        connected=info.connected,
        exit_code=None if info.connected else info.exit_code,
        attributes=found.attributes if attributes else None,
        cursor=picture.cursor,
        truncated=bool(picture.left_out or picture.lost),
        note=" ".join([*_left_out(picture), *_how_to_go_on(picture, ended, info)]),
    )


async def _since(call: Call, watch: Watch, view: View | Literal["auto"]) -> Found:
    """What came after the watch's cursor, in that view."""
    written = await watch.written()
    if view == "text" or (view == "auto" and not written.drawn):
        limit = call.limits.terminal_characters
        return Found(await anyio.to_thread.run_sync(partial(text_of, written, limit=limit)), written.full_screen)
    changed = await watch.changed()
    if view == "diff" or (view == "auto" and not mostly_changed(changed)):
        return _seen(call, changed, "diff")
    return _seen(call, await watch.whole(), "screen")


async def _as_it_is(call: Call, arguments: ReadTerminalArguments) -> Found:
    """The screen, in the view that is wanted; as text all that was written."""
    if arguments.view == "text":
        return await _since(call, Watch(call, arguments.session_id, 0), "text")
    view: View = "diff" if arguments.view == "diff" else "screen"
    return _seen(call, await screen_of(call, arguments.session_id, view), view)


def _seen(call: Call, screen: Output, view: View) -> Found:
    picture = pictured(screen, view, limit=call.limits.terminal_characters)
    return Found(picture, _full_screen(screen), screen.screen, screen.attributes)


def _full_screen(screen: Output) -> bool:
    return screen.screen is not None and screen.screen.alternate


async def _type(call: Call, arguments: SendToTerminalArguments) -> None:
    payload: dict[str, Any] = {"id": arguments.session_id}
    if arguments.signal is not None:
        await dispatch.call(call.gateway, call.caller, SIGNAL_TERMINAL, {**payload, "signal": arguments.signal})
        return
    if arguments.secret is not None:
        payload |= {"secret": arguments.secret, "waitMs": int(SECRET_SECONDS * 1000)}
        await dispatch.call(call.gateway, call.caller, ANSWER_PROMPT, payload)
        return
    if arguments.text is not None:
        payload |= {"data": arguments.text, "paste": arguments.paste}
    if arguments.keys is not None:
        payload["keys"] = arguments.keys
    await dispatch.call(call.gateway, call.caller, SEND_TO_TERMINAL, payload)


def _left_out(found: Picture) -> list[str]:
    notes = []
    if found.lost:
        notes.append(f"{found.lost:,} characters before this are lost: the session keeps only the last of its output.")
    if found.gap is not None:
        notes.append(
            f"{found.left_out:,} characters were left out of the middle; call read_terminal with cursor {found.gap} and "
            "view text to read on there, or have less shown (grep, head, tail)."
        )
    elif found.left_out:
        notes.append("The screen is too large to be shown whole; open a session with fewer rows and cols.")
    return notes


def _how_to_go_on(found: Picture, ended: Ended | None, info: SessionInfo) -> list[str]:
    if not info.connected:
        reason = f" ({info.reason.rstrip('.')})" if info.reason else ""
        return [f"It is over{reason}: close it when you have read what you need."]
    if ended is None:
        return []
    if ended.reason == "timeout":
        return [
            f"What you waited for has not come yet; the program goes on. Call read_terminal with cursor {found.cursor} and "
            "waitSeconds to wait on, or send <C-c> to stop it."
        ]
    if ended.reason == "password":
        return [
            "It asks for a password. Do not ask the user to tell you one: send secret `password` where the session's "
            "saved connection has it, else let the user type it into this session, or send <C-c>."
        ]
    return []

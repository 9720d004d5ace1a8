"""Terminal sessions opened, listed and closed."""

from typing import Any

from mcp.types import InputRequiredResult

from mcp_gateway.calls import leave
from mcp_gateway.calls.bounds import bounded
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.interaction import first_shown
from mcp_gateway.terminals.arguments import CloseTerminalArguments, ListTerminalsArguments, OpenTerminalArguments
from mcp_gateway.terminals.results import ClosedTerminal, ConnectionEntry, OpenedTerminal, TerminalEntry, TerminalList
from shared.domain.connections import ConnectionInfo
from shared.domain.terminal import SessionAnswer, SessionInfo
from shared.domain.watchers import WatcherInfo
from shared.domain.wire import iso
from shared.errors import NotFound
from shared.operations import dispatch, policing
from shared.operations.connections import LIST_CONNECTIONS
from shared.operations.terminals import CLOSE_TERMINAL, LIST_TERMINALS, OPEN_TERMINAL

FIRST_SECONDS = 5.0
"""What a shell or device gets to show itself."""
MOST_CONNECTIONS = 50
NOT_OPENED = (
    "No session was opened. Check with the user that the host, and each jump host on the way to it, is up and answers."
)


async def open_(call: Call, arguments: OpenTerminalArguments) -> OpenedTerminal | InputRequiredResult:
    """Open a session and wait for what it shows first, if need be once the user knows the host's key.

    One that nobody will learn of is closed again.
    """

    async def work(given: leave.Given) -> SessionAnswer:
        async with bounded(call, NOT_OPENED):
            payload = {**_payload(call, arguments), **given.fields}
            return await dispatch.call(call.gateway, call.caller, OPEN_TERMINAL, payload)

    answer = await leave.with_leave(call, "", work)
    if isinstance(answer, InputRequiredResult):
        return answer
    session = answer.session
    try:
        first = await first_shown(call, session.id, min(FIRST_SECONDS, call.left))
    except BaseException:
        await _close(call, session.id)
        raise
    shown = {
        **dict(first),
        "note": " ".join(filter(None, (session.reason, first.note, await _on_typing(call, session)))),
    }
    return OpenedTerminal(
        session_id=session.id, type=session.type, host=session.host, username=session.username, **shown
    )


async def _on_typing(call: Call, session: SessionInfo) -> str:
    """What to do where a policy keeps the caller from typing; else nothing."""
    found = call.gateway.terminals.get(call.caller.id, session.id)
    policy = await policing.no_typing(call.gateway, call.caller, found)
    if policy is None:
        return ""
    instead = "tell the user" if session.type == "telnet" else "use run_command with this sessionId"
    return f"The command policy '{policy}' lets nobody type into this session; {instead}."


async def list_(call: Call, arguments: ListTerminalsArguments) -> TerminalList:
    """The caller's open sessions and saved connections."""
    found = await dispatch.call(call.gateway, call.caller, LIST_TERMINALS, {})
    saved = (await dispatch.call(call.gateway, call.caller, LIST_CONNECTIONS, {})).connections
    matching = [one for one in saved if _matches(one, arguments.search)]
    return TerminalList(
        sessions=[entry(session) for session in found.sessions],
        connections=[
            ConnectionEntry(name=one.name, type=one.type, host=one.host, username=one.username)
            for one in matching[:MOST_CONNECTIONS]
        ],
        more_connections=max(len(matching) - MOST_CONNECTIONS, 0),
        incomplete=found.incomplete,
    )


async def close(call: Call, arguments: CloseTerminalArguments) -> ClosedTerminal:
    """End a session and all that runs in it."""
    await dispatch.call(call.gateway, call.caller, CLOSE_TERMINAL, {"id": arguments.session_id})
    return ClosedTerminal(closed=True)


def entry(session: SessionInfo) -> TerminalEntry:
    """A session in brief."""
    return TerminalEntry(
        session_id=session.id,
        type=session.type,
        connected=session.connected,
        host=session.host,
        username=session.username,
        label=session.title or None,
        exit_code=None if session.connected else session.exit_code,
        last_activity=session.last_activity,
        login=session.login,
        busy=None if session.busy is None else f"since {iso(session.busy.since)}: {session.busy.command}",
        watched=", ".join(map(_watcher, session.watchers)) or None,
    )


def _watcher(found: WatcherInfo) -> str:
    """What one administrator does, or has done."""
    did = "watches" if found.watching else f"watched until {iso(found.last_seen)}"
    return f"{found.name} {did}{' and has typed into it' if found.took_over else ''}"


def _payload(call: Call, arguments: OpenTerminalArguments) -> dict[str, Any]:
    payload = arguments.model_dump(by_alias=True, exclude_none=True)
    if (connection := payload.pop("connection", None)) is not None:
        return {**payload, "connectionId": connection}
    if (jump := payload.pop("jump", None)) is not None:
        payload["jumps"] = jump
    payload = {"type": "local", **payload}
    return {**payload, "cwd": call.directory(arguments.cwd)} if payload["type"] == "local" else payload


def _matches(found: ConnectionInfo, search: str | None) -> bool:
    wanted = (search or "").lower()
    return wanted in found.name.lower() or wanted in (found.host or "").lower()


async def _close(call: Call, session_id: str) -> None:
    try:
        await dispatch.call(call.gateway, call.caller, CLOSE_TERMINAL, {"id": session_id})
    except NotFound:  # it has gone by itself
        return

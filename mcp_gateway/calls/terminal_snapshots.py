"""What the resources show of terminal sessions; a client's message holds only so much, so output is its end."""

from typing import TYPE_CHECKING

from mcp_gateway.calls.screens import pictured, readable
from mcp_gateway.calls.terminals import entry
from mcp_gateway.terminals.results import TerminalEntry
from shared.domain.identity import Caller
from shared.domain.wire import Wire
from shared.operations import dispatch
from shared.operations.terminals import LIST_TERMINALS, READ_TERMINAL

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST_CHARACTERS = 50_000


class SessionsSnapshot(Wire):
    """The caller's open sessions."""

    sessions: list[TerminalEntry]
    incomplete: list[str]


async def sessions(gateway: "Gateway", caller: Caller) -> str:
    """terminal://sessions"""
    found = await dispatch.call(gateway, caller, LIST_TERMINALS, {})
    entries = [entry(session) for session in found.sessions]
    return SessionsSnapshot(sessions=entries, incomplete=found.incomplete).model_dump_json(by_alias=True)


async def output(gateway: "Gateway", caller: Caller, session_id: str) -> str:
    """terminal://{id}/output"""
    found = await dispatch.call(gateway, caller, READ_TERMINAL, {"id": session_id, "cursor": 0})
    text = readable("".join(found.output))
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"[… the first {len(text) - MOST_CHARACTERS:,} characters are left out …]\n{text[-MOST_CHARACTERS:]}"


async def screen(gateway: "Gateway", caller: Caller, session_id: str) -> str:
    """terminal://{id}/screen"""
    found = await dispatch.call(
        gateway, caller, READ_TERMINAL, {"id": session_id, "view": "screen", "attributes": True}
    )
    return pictured(found, "screen", limit=MOST_CHARACTERS).text

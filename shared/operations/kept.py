"""Output that was cut: paged and searched by its id; and the scrollback of a session, searched."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.kept import KeptPart, ReadKept, ScrollbackMatches, SearchTerminal
from shared.operations.operation import Operation
from shared.terminal.patterns import Pattern
from shared.terminal.searching import search_text

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _read(gateway: "Gateway", caller: Caller, request: ReadKept) -> KeptPart:
    return await gateway.terminals.outputs.read(caller.id, request)


async def _search(gateway: "Gateway", caller: Caller, request: SearchTerminal) -> ScrollbackMatches:
    session, pattern = gateway.terminals.get(caller.id, request.id), Pattern(request.search, field="search")
    scrollback = await session.held()
    begin, dropped = scrollback.start, scrollback.lines_gone
    text, start = scrollback.read(begin).text, max(0, request.cursor - begin)
    look = partial(search_text, start=start, context=request.context, most=request.max_matches)
    found = await asyncio.to_thread(look, text, pattern)
    return ScrollbackMatches(
        matches=[match.model_copy(update={"line": match.line + dropped}) for match in found.matches],
        next_cursor=None if found.next_cursor is None else found.next_cursor + begin,
        dropped=dropped,
    )


READ_KEPT = Operation(
    name="read_kept_output",
    summary="Page or search the output of a command whose result was cut.",
    scope="terminal",
    effect="read",
    request=ReadKept,
    result=KeptPart,
    run=_read,
)

SEARCH_TERMINAL = Operation(
    name="search_terminal",
    summary="Search the scrollback of a terminal session with a regular expression.",
    scope="terminal",
    effect="read",
    request=SearchTerminal,
    result=ScrollbackMatches,
    run=_search,
)

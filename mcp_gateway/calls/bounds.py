"""The time that a call of a terminal tool gets: hosts give up after 60 seconds, and then nobody learns what came of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_gateway.calls.call import Call
from shared.errors import TerminalError


@asynccontextmanager
async def bounded(call: Call, how_to_go_on: str) -> AsyncIterator[None]:
    """Give the block the time that the call has left. Raises TerminalError that says how to go on after it."""
    try:
        async with asyncio.timeout(call.left) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise TerminalError(
            f"The host did not get it done in the {call.limits.terminal_seconds:.0f} seconds of a call. {how_to_go_on}",
            code="call_too_long",
        ) from None

"""What a terminal session shows, as it comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from shared.domain.identity import Caller
from shared.domain.terminal import SessionRef
from shared.operations import oversight
from shared.operations.operation import StreamOperation
from shared.terminal.scrollback import Slice

if TYPE_CHECKING:
    from shared.gateway import Gateway


class FollowTerminal(SessionRef):
    """Follow a session's output from a cursor on."""

    cursor: Annotated[int, Field(ge=0)] = Field(0, description="Where to begin; 0 is all that is kept.")


@asynccontextmanager
async def _follow(gateway: "Gateway", caller: Caller, request: FollowTerminal) -> AsyncIterator[AsyncIterator[Slice]]:
    async with (
        oversight.following(gateway, caller, request.id) as session,
        session.follow(request.cursor) as parts,
    ):
        yield parts


FOLLOW_TERMINAL = StreamOperation(
    name="follow_terminal",
    summary="Follow what the interactive shell of a terminal session shows, until it ends.",
    scope="terminal",
    effect="read",
    request=FollowTerminal,
    open=_follow,
    events=(Slice,),
)

"""Commands that go on after the call: each is a session whose terminal runs it, to be read, waited for and closed."""

from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.targets import LocalTarget
from shared.domain.terminal import RunCommand, SessionInfo

if TYPE_CHECKING:
    from shared.gateway import Gateway

TITLE = 100


async def begin(gateway: "Gateway", caller: Caller, request: RunCommand) -> SessionInfo:
    """Start a command in the background; the session that it runs in. Raises as `Sessions.open` does."""
    target = LocalTarget(cwd=request.cwd, env=request.env or {}, background=request.command)
    session = await gateway.terminals.open(caller.id, target, title=" ".join(request.command.split())[:TITLE])
    gateway.policy.remember(session, target, None)
    try:
        await session.read(caller.id, cursor=0)  # which starts it
    except BaseException:
        await gateway.terminals.close(caller.id, session.id)
        raise
    return session.info

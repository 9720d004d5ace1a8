"""Commands that go on after the call: each is a session whose terminal runs it, to be read, waited for and closed."""

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.targets import LocalTarget, SshTarget
from shared.domain.terminal import RunCommand, SessionInfo
from shared.errors import Unsupported
from shared.operations import host_leave, policing, targets
from shared.terminal import environment

if TYPE_CHECKING:
    from shared.gateway import Gateway

TITLE = 100


async def begin(gateway: "Gateway", caller: Caller, request: RunCommand, permit: policing.Permit) -> SessionInfo:
    """Start a command in the background that may run; the session that it runs in. Raises as `Sessions.open` does."""
    target = await _target(gateway, caller, request)
    title = " ".join(request.command.split())[:TITLE]
    await permit.again()
    session = await host_leave.connecting(
        gateway, caller, lambda: gateway.terminals.open(caller.id, target, title=title), permit.give_back
    )
    gateway.policy.remember(session, target, request.connection)
    try:
        await session.read(caller.id, cursor=0)  # which starts it
    except BaseException:
        await gateway.terminals.close(caller.id, session.id)
        raise
    return session.info


async def _target(gateway: "Gateway", caller: Caller, request: RunCommand) -> LocalTarget | SshTarget:
    """This machine, or the host of a saved connection, with the command. Raises Unsupported, and as `saved` does."""
    env = {**(request.env or {}), **environment.of_trace()}
    if request.connection is None:
        return LocalTarget(cwd=request.cwd, env=env, background=request.command, sandbox=request.sandbox)
    target = await targets.saved(gateway, caller, request.connection)
    target = await policing.permit_opening(gateway, caller, target, request.connection)
    if isinstance(target, SshTarget):
        cwd = request.cwd or target.cwd
        return replace(target, cwd=cwd, env={**target.env, **env}, background=request.command)
    if isinstance(target, LocalTarget):
        return replace(target, cwd=request.cwd or target.cwd, env={**target.env, **env}, background=request.command)
    raise Unsupported(
        "A telnet host cannot run a command in the background; open a session there and type it (send_to_terminal)."
    )

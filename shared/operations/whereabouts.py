"""Where a command would run, as policies ask: the place, its directory, and its home."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.operations import targets

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.terminal.policy.rules import Place
    from shared.terminal.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where commands run, the directory that they begin in, if that is known, and what `~` is there."""

    place: "Place"
    cwd: str | None
    home: str
    target: Target | None = None

    def directory(self, given: str | None, home: str) -> str | None:
        """That of one command, if it is known."""
        from shared.terminal.policy.directories import within

        if not given:
            return self.cwd
        return within(given, self.cwd or "", home) if self.cwd or given[0] in "/~" else None


async def where(gateway: "Gateway", caller: Caller, session: "Session | None", connection: str | None) -> Where:
    """That of a session, of a saved connection, or of this machine. Raises NotFound, Forbidden, InvalidInput."""
    from shared.terminal.policy.directories import first, home_of
    from shared.terminal.policy.rules import Place

    target: Target | None = LocalTarget()
    if session is not None:
        found = gateway.policy.whereabouts(session)
        target, connection = found.target, found.connection
    elif connection is not None:
        target = await targets.saved(gateway, caller, connection)
    told = None if session is None else session.directory
    if target is None and session is not None:
        info = session.info
        return Where(place=Place(type=info.type, host=info.host or ""), cwd=told, home="~")
    target = target or LocalTarget()
    place = await place_of(gateway, caller, target, connection)
    return Where(place=place, cwd=first(target) if told is None else told, home=home_of(target), target=target)


async def place_of(gateway: "Gateway", caller: Caller, target: Target, connection: str | None) -> "Place":
    """What policies may call a target."""
    from shared.terminal.policy.rules import Place

    names: tuple[str, ...] = ()
    if connection is not None:
        saved = await gateway.connections.list(caller.id)
        found = next((one for one in saved if connection in (one.id, one.name)), None)
        names = (connection,) if found is None else (found.id, found.name)
    if isinstance(target, LocalTarget):
        return Place(type="local", connection=names)
    if isinstance(target, SshTarget):
        return Place(type="ssh", host=target.login.host, connection=names)
    return Place(type="telnet", host=target.host, connection=names)

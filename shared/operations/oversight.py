"""Sessions of other callers: what an administrator may do with them, audited and shown to their owner."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from shared.domain.identity import Caller
from shared.domain.terminal import SessionInfo
from shared.errors import Forbidden, invalid_field
from shared.terminal.session import Session

if TYPE_CHECKING:
    from shared.gateway import Gateway

ACTION = "oversee_terminal"
"""The name of its rows in the audit trail."""

Did = Literal["watch", "take_over", "close"]


def oversees(gateway: "Gateway", caller: Caller) -> bool:
    """Whether the caller may watch, close and take over sessions of others: with logins, the scope `admin`."""
    return caller.may("admin") and gateway.settings.auth_mode == "required"


def may_see(gateway: "Gateway", caller: Caller) -> Callable[[str], bool]:
    """Whether the caller may deal with what belongs to an owner."""
    every = oversees(gateway, caller)
    return lambda owner: every or owner == caller.id


def check(gateway: "Gateway", caller: Caller) -> None:
    """Raises Forbidden unless the caller oversees the sessions of others, InvalidInput where nobody does."""
    if gateway.settings.auth_mode != "required":
        raise invalid_field("all", "it is for gateways with AUTH_MODE=required; leave it out")
    if not oversees(gateway, caller):
        raise Forbidden(
            "Only an administrator lists the sessions of all callers; leave out 'all'.", details={"scope": "admin"}
        )


def found(gateway: "Gateway", caller: Caller, session_id: str) -> Session:
    """A session that the caller has or oversees. Raises NotFound."""
    session = gateway.terminals.named(session_id)
    if session is not None and session.owner != caller.id and oversees(gateway, caller):
        return session
    return gateway.terminals.get(caller.id, session_id)


def info_for(caller: Caller, session: Session) -> SessionInfo:
    """What listings show the caller; of the session of another, its owner too."""
    return session.info if session.owner == caller.id else session.info.model_copy(update={"owner": session.owner})


async def to_watch(gateway: "Gateway", caller: Caller, session_id: str) -> Session:
    """A session to read. Raises NotFound."""
    session = found(gateway, caller, session_id)
    if session.owner != caller.id and session.watchers.looks(caller.id, caller.name):
        await _record(gateway, caller, session, "watch")
    return session


async def to_type_into(gateway: "Gateway", caller: Caller, session_id: str) -> Session:
    """A session to type into. Raises NotFound."""
    session = found(gateway, caller, session_id)
    if session.owner != caller.id and session.watchers.types(caller.id, caller.name):
        await _record(gateway, caller, session, "take_over")
    return session


async def to_close(gateway: "Gateway", caller: Caller, session_id: str) -> Session:
    """A session to end. Raises NotFound."""
    session = found(gateway, caller, session_id)
    if session.owner != caller.id:
        await _record(gateway, caller, session, "close")
    return session


@asynccontextmanager
async def following(gateway: "Gateway", caller: Caller, session_id: str) -> AsyncIterator[Session]:
    """A session to read for as long as the block lasts. Raises NotFound."""
    session = await to_watch(gateway, caller, session_id)
    with nullcontext() if session.owner == caller.id else session.watchers.following(caller.id):
        yield session


async def _record(gateway: "Gateway", caller: Caller, session: Session, did: Did) -> None:
    """Write the row before it is done. Raises Unavailable when the trail cannot be written."""
    await gateway.audit.require()
    await gateway.audit.record(caller, ACTION, {"sessionId": session.id, "owner": session.owner, "did": did}, "ok")

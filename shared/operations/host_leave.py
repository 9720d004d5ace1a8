"""Keys of SSH hosts that a person is to accept: unknown ones with SSH_HOST_KEYS=ask, and changed ones unless it is strict."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from shared.domain.identity import Caller
from shared.errors import Conflict, GatewayError, HostKeyChanged, TerminalError

if TYPE_CHECKING:
    from shared.domain.approvals import Approval, ApprovalKind
    from shared.domain.policy import Asking
    from shared.gateway import Gateway
    from shared.terminal.policy.rules import Verdict

T = TypeVar("T")

ACTION = "host_key"
"""The name of its rows in the audit trail."""


async def nothing_held() -> None:
    """For work that needed no leave of its own."""


async def connecting(
    gateway: "Gateway",
    caller: Caller,
    work: Callable[[], Awaitable[T]],
    give_back: Callable[[], Awaitable[None]] = nothing_held,
) -> T:
    """What `work` gives, which connects to a host, perhaps by way of others.

    A key that a person has agreed to is remembered, and `work` done again. Raises Conflict (approval_required) while nobody
    has, or (code_required) while a host waits for a code, after `give_back` of the leave that `work` had for itself, and
    Forbidden (approval_denied).
    """
    while True:
        try:
            return await work()
        except (TerminalError, HostKeyChanged) as error:
            wanted = error.code in ("host_key_unconfirmed", "host_key_changed")
            if not wanted or not isinstance(error.details, dict) or "key" not in error.details:
                raise
            try:
                if isinstance(error, HostKeyChanged):
                    await _replaced(gateway, caller, error.details)
                else:
                    await _agreed(gateway, caller, error.details)
            except GatewayError:
                await give_back()
                raise
        except Conflict as error:
            if error.code == "code_required":
                await give_back()
            raise


async def _agreed(gateway: "Gateway", caller: Caller, shown: dict[str, Any]) -> None:
    """Return once the key is remembered."""
    from shared.terminal.ssh.known_hosts import HostKey, KnownHosts

    host, port = shown["host"], shown["port"]
    key = HostKey.of(shown["keyType"], shown["key"])
    facts = {
        "command": f"trust {key.type} {key.fingerprint} as the host key of {host}:{port}",
        "place": f"ssh {host}:{port}",
        "session_id": None,
        "cwd": None,
    }
    details = {"host": host, "port": port, "fingerprint": key.fingerprint}
    verdict = _verdict(
        "this gateway has not seen that host before; compare the fingerprint with one that its operator gives you",
        ask=_asking(caller),
    )
    try:
        given = await leave_for(gateway, caller, facts, verdict, kind="host_key")
    except GatewayError as error:
        await gateway.audit.record(caller, ACTION, details, error.code)
        raise
    await KnownHosts(gateway.settings.data_dir / "known_hosts").remember(host, port, key)
    await gateway.audit.record(caller, ACTION, {**details, "decidedBy": given.decided_by}, "approved")


async def _replaced(gateway: "Gateway", caller: Caller, shown: dict[str, Any]) -> None:
    """Return once the new key stands in the place of those known. Raises HostKeyChanged when these are others by now."""
    from shared.terminal.ssh.known_hosts import HostKey, KnownHosts

    host, port, old = shown["host"], shown["port"], shown["knownFingerprint"]
    key = HostKey.of(shown["keyType"], shown["key"])
    facts = {
        "command": f"trust {key.type} {key.fingerprint} as the host key of {host}:{port} in the place of {old}",
        "place": f"ssh {host}:{port}",
        "session_id": None,
        "cwd": None,
    }
    details = {"host": host, "port": port, "before": old, "fingerprint": key.fingerprint}
    verdict = _verdict(
        f"this host showed another key before ({old}), so that somebody may be in between; ask its operator whether the "
        "key was changed, and compare the fingerprint",
        ask=_asking(caller),
    )
    try:
        given = await leave_for(gateway, caller, facts, verdict, kind="host_key")
    except Conflict as error:
        await gateway.audit.record(caller, ACTION, details, error.code)
        told = error.details if isinstance(error.details, dict) else {}
        fingerprints = {name: shown[name] for name in ("host", "port", "knownFingerprint", "presentedFingerprint")}
        raise Conflict(error.message, code=error.code, details={**told, **fingerprints}) from error
    except GatewayError as error:
        await gateway.audit.record(caller, ACTION, details, error.code)
        raise
    known = KnownHosts(gateway.settings.data_dir / "known_hosts")
    if not await known.replace(host, port, key, known=frozenset(old.split(", "))):
        raise HostKeyChanged(
            f"The known keys of {host}:{port} have been changed meanwhile, so nothing was replaced; open the session again.",
            details={name: value for name, value in shown.items() if name != "key"},
        )
    await gateway.audit.record(caller, ACTION, {**details, "decidedBy": given.decided_by}, "approved")


def _asking(caller: Caller) -> "tuple[Asking, ...]":
    """Who may agree; behind a client with an API key there may be no person."""
    return ("queue",) if caller.kind == "key" else ("client", "queue")


def _verdict(reason: str, *, ask: "tuple[Asking, ...]") -> "Verdict":
    from shared.terminal.policy.rules import Verdict

    return Verdict(action="confirm", policy="SSH_HOST_KEYS", reason=reason, ask=ask)


async def leave_for(
    gateway: "Gateway", caller: Caller, facts: dict[str, Any], verdict: "Verdict", *, kind: "ApprovalKind"
) -> "Approval":
    """The leave that a person has given for this, now used. Raises Conflict (approval_required), Forbidden (approval_denied)."""
    from shared.terminal.approvals import required

    given = await gateway.approvals.take(caller, facts)
    if given is not None:
        return given
    raise required(await gateway.approvals.ask(caller, verdict, facts, kind=kind))

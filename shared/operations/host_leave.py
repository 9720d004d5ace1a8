"""SSH hosts whose key nobody has seen before, where a person is to say whether it is theirs (SSH_HOST_KEYS=ask)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from shared.domain.identity import Caller
from shared.errors import GatewayError, TerminalError

if TYPE_CHECKING:
    from shared.gateway import Gateway

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
    has, after `give_back` of the leave that `work` had for itself, and Forbidden (approval_denied).
    """
    while True:
        try:
            return await work()
        except TerminalError as error:
            if error.code != "host_key_unconfirmed" or not isinstance(error.details, dict):
                raise
            try:
                await _agreed(gateway, caller, error.details)
            except GatewayError:
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
    try:
        decided_by = await _leave(gateway, caller, facts)
    except GatewayError as error:
        await gateway.audit.record(caller, ACTION, details, error.code)
        raise
    await KnownHosts(gateway.settings.data_dir / "known_hosts").remember(host, port, key)
    await gateway.audit.record(caller, ACTION, {**details, "decidedBy": decided_by}, "approved")


async def _leave(gateway: "Gateway", caller: Caller, facts: dict[str, Any]) -> str | None:
    """Who has agreed. Raises Conflict (approval_required), Forbidden (approval_denied)."""
    from shared.terminal.approvals import required
    from shared.terminal.policy.rules import Verdict

    given = await gateway.approvals.take(caller, facts)
    if given is not None:
        return given.decided_by
    verdict = Verdict(
        action="confirm",
        policy="SSH_HOST_KEYS",
        reason="this gateway has not seen that host before; compare the fingerprint with one that its operator gives you",
        ask=("client", "queue"),
    )
    raise required(await gateway.approvals.ask(caller, verdict, facts, kind="host_key"))

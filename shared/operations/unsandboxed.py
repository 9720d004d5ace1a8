"""Commands and sessions that are to run without the sandbox, which needs a person's leave each time."""

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.targets import LocalTarget, Target
from shared.errors import Forbidden, GatewayError
from shared.operations import host_leave
from shared.terminal.sandbox import LIFTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.domain.policy import Asking
    from shared.gateway import Gateway
    from shared.terminal.policy.rules import Verdict

ACTION = "session_without_sandbox"
"""The name of a session's rows in the audit trail; a command's are those of the command policy."""

OF_COMMAND = "it is to run without the sandbox, with all rights of the gateway's user and with the network"
OF_SESSION = f"{OF_COMMAND}; so will every command in it"


def needs_leave(gateway: "Gateway", *, sandbox: bool) -> bool:
    """Whether a command or session for which the caller wants no `sandbox` needs leave: where there is one.

    Raises Forbidden where TERMINAL_SANDBOX lets nothing run without.
    """
    if sandbox:
        return False
    held = gateway.sandbox
    if held.kind == "none" and held.rules.network:
        return False
    if not held.liftable:
        raise Forbidden(
            "TERMINAL_SANDBOX is 'required', so that nothing runs without the sandbox; leave 'sandbox' out.",
            code="sandbox_required",
        )
    return True


def confirmed(caller: Caller, verdict: "Verdict") -> "Verdict":
    """What is to be done about a command that would run without the sandbox: at least to ask a person.

    The client of an API key cannot give leave.
    """
    ask: tuple[Asking, ...] = ("queue",) if caller.kind == "key" else ("client", "queue")
    if verdict.action == "allow":
        return replace(verdict, action="confirm", policy=LIFTED, rule=None, reason=OF_COMMAND, ask=ask)
    if verdict.action == "confirm":
        reason = "; ".join(filter(None, (OF_COMMAND, verdict.reason)))
        return replace(verdict, reason=reason, ask=tuple(one for one in verdict.ask if one in ask))
    return verdict


@asynccontextmanager
async def leave_to_open(gateway: "Gateway", caller: Caller, target: Target) -> "AsyncIterator[None]":
    """Enter once a person has let the session be opened; leave that did not come to use counts again.

    Raises Conflict (approval_required), Forbidden (approval_denied, sandbox_required).
    """
    if not isinstance(target, LocalTarget) or not needs_leave(gateway, sandbox=target.sandbox):
        yield
        return
    from shared.terminal.policy.rules import ALLOWED

    facts = {
        "command": f"open a terminal session with {target.shell or 'the default shell'}, without the sandbox",
        "place": "type:local",
        "session_id": None,
        "cwd": target.cwd,
        "env": dict(target.env),
        "sandbox": "none",
    }
    details = {"cwd": target.cwd, "sandbox": False}
    verdict = replace(confirmed(caller, ALLOWED), reason=OF_SESSION)
    try:
        given = await host_leave.leave_for(gateway, caller, facts, verdict, kind="session")
    except GatewayError as error:
        await gateway.audit.record(caller, ACTION, details, error.code)
        raise
    details |= {"approvalId": given.id, "decidedBy": given.decided_by}
    await gateway.audit.record(caller, ACTION, details, "approved")
    try:
        yield
    except GatewayError:
        await gateway.approvals.give_back(caller, given, facts)
        raise

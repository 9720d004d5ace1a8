"""Commands held against the policy before they run: allowed, refused, or only with somebody's leave."""

import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from shared.domain.identity import Caller
from shared.domain.policy import Policy
from shared.domain.targets import LocalTarget, SshTarget, Target
from shared.domain.terminal import Execute, RunCommand
from shared.errors import Forbidden, GatewayError, invalid_field
from shared.operations import facts, unsandboxed, whereabouts

if TYPE_CHECKING:
    from shared.domain.approvals import Approval
    from shared.gateway import Gateway
    from shared.terminal.policy.commands import Seen
    from shared.terminal.policy.rules import Place, Verdict
    from shared.terminal.session import Session

ACTION = "command_policy"
"""The name of its rows in the audit trail."""
MAX_AUDITED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A command that is to run, with all that bears on what it does, and the leave that was given for it."""

    command: str
    stdin: str | None = field(default=None, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    home: str | None = None
    sandbox: bool = True
    approval_id: str | None = None
    wait_ms: int = 0

    @classmethod
    def of(cls, request: Execute | RunCommand) -> "Wanted":
        """What a request wants run."""
        run = request if isinstance(request, RunCommand) else None
        return cls(
            command=f"sudo -- sh -c {shlex.quote(request.command)}" if request.sudo else request.command,
            stdin=request.stdin,
            env={} if run is None else run.env or {},
            cwd=None if run is None else run.cwd,
            home=(run.env or {}).get("HOME") if run is not None and run.background else None,
            sandbox=run is None or run.sandbox,
            approval_id=request.approval_id,
            wait_ms=request.approval_wait_ms,
        )


@dataclass(frozen=True, slots=True)
class Permit:
    """What lets a command run.

    `again` holds it against its approval, and judges it once more where the session has moved or the policy has changed
    while it waited; it is to be called in the command's turn, right before it runs.
    `give_back` lets leave that was used for it count again, where it did not come to run.
    """

    again: Callable[[], Awaitable[None]]
    give_back: Callable[[], Awaitable[None]]


async def permit(
    gateway: "Gateway",
    caller: Caller,
    wanted: Wanted,
    *,
    session: "Session | None" = None,
    connection: str | None = None,
) -> Permit:
    """Return if the command may run in the session, on the saved connection, or here.

    Raises Forbidden (command_denied, command_unparsable, approval_denied), and Conflict (approval_required).
    """
    from shared.terminal.approvals import refuse_changes

    before = gateway.policy.current, session and session.directory

    async def again() -> None:
        if audit is not None and audit.used is not None:
            now = await _situation(gateway, caller, wanted, session, connection)
            if now is not None:
                await now.look(wanted)
                refuse_changes(audit.facts, now.facts)
        if before[0] is not gateway.policy.current or before[1] != (session and session.directory):
            fresh = replace(wanted, approval_id=None, wait_ms=0)  # leave was for what it was, and nobody waits now
            await _permit(gateway, caller, fresh, session, connection)

    audit = await _permit(gateway, caller, wanted, session, connection)

    async def give_back() -> None:
        if audit is not None and audit.used is not None:
            await gateway.approvals.give_back(caller, audit.used, audit.facts)

    return Permit(again, give_back)


async def _permit(
    gateway: "Gateway", caller: Caller, wanted: Wanted, session: "Session | None", connection: str | None
) -> "_Audit | None":
    """The audit record of the verdict; None where no policy applies and nothing else needs approval."""
    situation = await _situation(gateway, caller, wanted, session, connection)
    if situation is None:
        return None
    audit = _Audit(gateway, caller, situation.facts, lifted=situation.lifted)
    try:
        seen = await situation.look(wanted)
        verdict = await anyio.to_thread.run_sync(partial(_judge, situation.policies, seen))
    except GatewayError as error:
        await audit.record(error.code)
        raise
    await _obey(audit, unsandboxed.confirmed(caller, verdict) if situation.lifted else verdict, wanted)
    return audit


@dataclass(frozen=True, slots=True)
class _Situation:
    """What a command would run in: the policies that apply, the facts that an approval of it is for, and its home.

    `lifted` is one that the sandbox is not to confine.
    """

    policies: tuple[Policy, ...]
    facts: dict[str, Any]
    home: str
    local: bool
    lifted: bool

    async def look(self, wanted: Wanted) -> "Seen | None":
        """What the command does; the files of its programs on this machine become facts. Raises Unparsable.

        Without a policy, one that cannot be read is None: a person may approve it all the same.
        """
        from shared.terminal.policy.grammar import Unparsable

        try:
            seen = await anyio.to_thread.run_sync(partial(_seen, wanted, self.facts["cwd"], self.home))
        except Unparsable:
            if self.policies:
                raise
            return None
        if self.local:
            self.facts["programs"] = await anyio.to_thread.run_sync(partial(facts.programs, seen, self.facts))
        return seen


async def _situation(
    gateway: "Gateway", caller: Caller, wanted: Wanted, session: "Session | None", connection: str | None
) -> _Situation | None:
    """That of a command now; None where no policy applies and nothing else needs leave. Raises Forbidden."""
    lifted = unsandboxed.needs_leave(gateway, sandbox=wanted.sandbox)
    if not (gateway.policy.active or lifted):
        return None
    where = await whereabouts.where(gateway, caller, session, connection)
    policies = gateway.policy.applying(caller, where.place)
    if not (policies or lifted):
        return None
    home = wanted.home or where.home
    found = {
        "command": wanted.command,
        "place": " ".join(where.place.names),
        "session_id": None if session is None else session.id,
        "cwd": where.directory(wanted.cwd, home),
        "env": dict(wanted.env),
        "stdin": wanted.stdin,
        **facts.of_place(gateway, where, session),
        **({"sandbox": "none"} if lifted else {}),
    }
    return _Situation(policies, found, home, where.place.type == "local", lifted)


async def permit_typing(gateway: "Gateway", caller: Caller, session: "Session") -> None:
    """Return if the caller may type into a session's shell: what is typed there cannot be read as commands."""
    gateway.command_limits.check_typing(caller)
    policy = await no_typing(gateway, caller, session)
    if policy is not None:
        details = {"sessionId": session.id, "policy": policy, "verdict": "deny", "typing": True}
        await gateway.audit.record(caller, ACTION, details, "command_denied")
        raise Forbidden(
            f"The policy '{policy}' lets nobody type into a shell here, since it cannot judge what is typed; "
            'run commands one by one instead, or have `interactive` set to "allow" in it.',
            code="command_denied",
            details={"policy": policy},
        )


async def no_typing(gateway: "Gateway", caller: Caller, session: "Session") -> str | None:
    """The policy that lets the caller not type into a session's shell; None where they may."""
    if not gateway.policy.active:
        return None
    where = await whereabouts.where(gateway, caller, session, None)
    applying = gateway.policy.applying(caller, where.place)
    return next((policy.name for policy in applying if policy.interactive == "deny"), None)


async def permit_opening(gateway: "Gateway", caller: Caller, target: Target, connection: str | None) -> Target:
    """The target as a session may have it: its shell is one, and it and the variables, some of which are commands, may be.

    Raises Forbidden (command_denied), and InvalidInput for what is no shell, where a policy applies.
    """
    from shared.terminal.environment import known_shell

    env = target.env if isinstance(target, LocalTarget | SshTarget) else {}
    shell = target.shell if isinstance(target, LocalTarget) else None
    if not gateway.policy.active or not (env or shell):
        return target
    place = await whereabouts.place_of(gateway, caller, target, connection)
    policies = gateway.policy.applying(caller, place)
    if not policies:
        return target
    path = known_shell(shell, gateway.settings.terminal_shell, env) if shell else ""
    if path is None:
        raise invalid_field("shell", "under a command policy it must be in /etc/shells, or be TERMINAL_SHELL")
    command = f"{shlex.quote(path)} -i" if path else ""
    asked = {"command": command, "place": " ".join(place.names), "session_id": None, "cwd": None}
    seen = await anyio.to_thread.run_sync(partial(_seen, Wanted(command=command, env=env), None, "~"))
    verdict = _judge(policies, seen)
    if verdict.action != "allow":
        await _Audit(gateway, caller, asked).record("command_denied", verdict)
        raise _denied(verdict)
    return replace(target, shell=path) if path and isinstance(target, LocalTarget) else target


async def verdict_on(
    gateway: "Gateway", caller: Caller, place: "Place", command: str, cwd: str | None
) -> "tuple[Verdict, list[str]]":
    """What the policy would say, and what it sees in the command. Raises Unparsable when any policy applies."""
    from shared.terminal.policy import rules
    from shared.terminal.policy.commands import seen
    from shared.terminal.policy.directories import home_of, within

    policies = gateway.policy.applying(caller, place)
    home = home_of(LocalTarget()) if place.type == "local" else "~"
    found = await anyio.to_thread.run_sync(partial(seen, command, cwd=within(cwd, home, home), home=home))
    return rules.judge(policies, found), [act.shown for act in found.acts]


def _seen(wanted: Wanted, cwd: str | None, home: str) -> "Seen":
    from shared.terminal.policy.commands import seen
    from shared.terminal.policy.words import ANY

    return seen(wanted.command, stdin=wanted.stdin, env=wanted.env, cwd=cwd or ANY, home=home)


def _judge(policies: tuple[Policy, ...], seen: "Seen | None") -> "Verdict":
    from shared.terminal.policy import rules

    return rules.ALLOWED if seen is None else rules.judge(policies, seen)


async def _obey(audit: "_Audit", verdict: "Verdict", wanted: Wanted) -> None:
    if verdict.action == "allow":
        if verdict.rule is not None:
            await audit.record("allowed", verdict)
        return
    if verdict.action == "deny" or not verdict.ask:
        await audit.record("command_denied", verdict)
        raise _denied(verdict)
    try:
        await _with_leave(audit, verdict, wanted)
    except GatewayError as error:
        await audit.record(error.code, verdict)
        raise
    await audit.record("approved", verdict)


async def _with_leave(audit: "_Audit", verdict: "Verdict", wanted: Wanted) -> None:
    """Return once somebody has given leave. Raises Conflict (approval_required) while nobody has."""
    from shared.terminal.approvals import required

    approvals, caller = audit.gateway.approvals, audit.caller
    approval_id = wanted.approval_id
    if approval_id is not None and (used := await approvals.use(caller, approval_id, audit.facts)) is not None:
        audit.used = used
        return
    asked = await approvals.ask(caller, verdict, audit.facts)
    audit.asked = asked.id
    if wanted.wait_ms and await approvals.decided(caller, asked.id, seconds=wanted.wait_ms / 1000):
        used = await approvals.use(caller, asked.id, audit.facts)
        if used is not None:
            audit.used = used
            return
    raise required(asked)


def _denied(verdict: "Verdict") -> Forbidden:
    rule = f"rule {verdict.rule}" if verdict.rule else "default"
    reason = f": {verdict.reason}" if verdict.reason else ""
    unsure = " A part of it is only known when it runs; write it out to have it judged." if verdict.unsure else ""
    nobody = " It would need a confirmation, and the policy names nobody to ask." if verdict.action == "confirm" else ""
    return Forbidden(
        f"The policy '{verdict.policy}' ({rule}) does not allow this command{reason}.{unsure}{nobody}",
        code="command_denied",
        details={"policy": verdict.policy, "rule": verdict.rule, "reason": verdict.reason},
    )


@dataclass(slots=True)
class _Audit:
    gateway: "Gateway"
    caller: Caller
    facts: dict[str, Any]
    lifted: bool = False
    asked: str | None = None
    used: "Approval | None" = None

    async def record(self, outcome: str, verdict: "Verdict | None" = None) -> None:
        """A row with the verdict and the rule; env and stdin stay out of it."""
        details: dict[str, Any] = {"command": self.facts["command"][:MAX_AUDITED], "place": self.facts["place"]}
        if self.lifted:
            details["sandbox"] = False
        if self.facts["session_id"]:
            details["sessionId"] = self.facts["session_id"]
        if verdict is not None:
            details |= {"verdict": verdict.action, "policy": verdict.policy, "rule": verdict.rule}
        if self.used is not None:
            details |= {"approvalId": self.used.id, "decidedBy": self.used.decided_by}
        elif self.asked is not None:
            details |= {"approvalId": self.asked, "decidedBy": None}
        await self.gateway.audit.record(self.caller, ACTION, details, outcome)

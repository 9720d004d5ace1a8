"""Leave for commands that a policy wants confirmed: asked for, given or refused by a person, and used once."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from shared.domain.approvals import Approval, ApprovalKind, ApprovalStatus, Decision
from shared.domain.identity import Caller
from shared.domain.wire import iso
from shared.errors import Conflict, Forbidden, NotFound, RateLimited
from shared.terminal.visible import cut, visible

if TYPE_CHECKING:
    from sqlmodel import Session

    from shared.storage.database import Database
    from shared.terminal.policy.rules import Verdict

PENDING = timedelta(minutes=10)
APPROVED = timedelta(minutes=5)
"""How long a command waits for leave, and how long leave waits for its command."""
MAX_PER_CALLER = 20
MAX_PENDING = 500
LOOK_SECONDS = 0.25
NAMED = 8
"""Changed facts that an error names in its sentence; all are in its details."""
_WORDS = {
    "cwd": "the directory",
    "env": "a variable of the request",
    "variables": "a variable of the session",
    "programs": "the file of",
    "stdin": "the input",
    "session_id": "the session",
}
"""Phrases for the facts."""
ASKED_FOR: dict[ApprovalKind, tuple[str, str]] = {
    "command": ("command", " with approvalId"),
    "host_key": ("host key", ""),
    "session": ("session", ""),
}
"""What is asked for, and what the request that is sent again needs."""


class Approvals:
    """The commands that wait, in the database: asked for in one process, decided in another.

    All of it raises Unavailable when the database is away, and nothing runs then.
    """

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def ask(
        self, caller: Caller, verdict: "Verdict", facts: dict[str, Any], kind: ApprovalKind = "command"
    ) -> Approval:
        """Put a command into the queue; one that waits there already is not put twice. Raises RateLimited.

        `facts` are what the leave is for: command, place, session_id, cwd, and whatever else must not change.
        """
        now, print_ = self._clock(), fingerprint(caller, facts)
        asked = Approval(
            id=f"appr-{token_hex(12)}",
            kind=kind,
            caller=caller.id,
            caller_name=visible(caller.name),
            command=visible(facts["command"]),
            place=visible(facts["place"]),
            session_id=facts["session_id"],
            cwd=None if facts["cwd"] is None else visible(facts["cwd"]),
            stdin=None if facts.get("stdin") is None else cut(facts["stdin"]),
            env=[visible(name) for name in sorted(facts.get("env") or {})],
            host=None if facts.get("host") is None else visible(facts["host"]),
            sandbox=facts.get("sandbox"),
            shell=None if facts.get("shell") is None else visible(facts["shell"]),
            umask=facts.get("umask"),
            path=_path(facts),
            variables=[visible(name) for name in sorted(facts.get("variables") or {})],
            programs=_programs(facts),
            policy=verdict.policy or "",
            rule=verdict.rule,
            reason=visible(verdict.reason),
            ask=list(verdict.ask),
            created_at=now,
            expires_at=now + PENDING,
        )

        def work(session: "Session") -> Approval:
            from shared.storage import approval_rows

            waiting = [row for row in self._kept(session) if row["approval"]["status"] == "pending"]
            for row in waiting:
                if row["fingerprint"] == print_:
                    return _approval(row)
            own = sum(row["approval"]["caller"] == caller.id for row in waiting)
            if own >= MAX_PER_CALLER or len(waiting) >= MAX_PENDING:
                raise RateLimited(
                    "Too many commands wait for approval; have some of them decided first.",
                    code="too_many_approvals",
                    retry_after=60,
                )
            approval_rows.save(session, asked.id, _row(asked, print_, _digests(asked.id, facts)))
            return asked

        return await self._database.run(work)

    async def use(self, caller: Caller, approval_id: str, facts: dict[str, Any]) -> Approval | None:
        """Take leave for exactly this; None while nobody has decided. Raises NotFound, Conflict, Forbidden."""

        def work(session: "Session") -> Approval | None:
            from shared.storage import approval_rows

            row = self._find(session, approval_id, owner=caller.id)
            if changed := _changed(row.get("facts") or {}, _digests(approval_id, facts)):
                raise _mismatch(changed)
            approval = _approval(row)
            if approval.status == "pending":
                return None
            approval_rows.delete(session, approval_id)
            return approval

        return _allowed(await self._database.run(work))

    async def give_back(self, caller: Caller, approval: Approval, facts: dict[str, Any]) -> None:
        """Leave that was used, but not for anything yet, counts again for as long as it would have."""
        row = _row(approval, fingerprint(caller, facts), _digests(approval.id, facts))

        def work(session: "Session") -> None:
            from shared.storage import approval_rows

            approval_rows.save(session, approval.id, row)

        await self._database.run(work)

    async def take(self, caller: Caller, facts: dict[str, Any]) -> Approval | None:
        """As `use`, by what it is for. Raises Forbidden."""
        print_ = fingerprint(caller, facts)

        def work(session: "Session") -> Approval | None:
            from shared.storage import approval_rows

            for row in self._kept(session):
                approval = _approval(row)
                if row["fingerprint"] != print_ or approval.status == "pending":
                    continue
                if approval_rows.find(session, approval.id, hold=True) is not None:  # nobody has used it meanwhile
                    approval_rows.delete(session, approval.id)
                    return approval
            return None

        return _allowed(await self._database.run(work))

    async def decided(self, caller: Caller, approval_id: str, *, seconds: float) -> bool:
        """Wait so long for a decision on one of the caller's; whether there is one."""
        try:
            async with asyncio.timeout(seconds):
                while not await self._database.read(  # noqa: ASYNC110 - it comes from any process
                    lambda session: self._is_decided(session, caller, approval_id)
                ):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    async def queue(self, status: ApprovalStatus | None = None) -> list[Approval]:
        """Those that count, oldest first."""
        found = [_approval(row) for row in await self._database.read(_readable)]
        now = self._clock()
        kept = [one for one in found if one.expires_at > now and status in (None, one.status)]
        return sorted(kept, key=lambda one: (one.created_at, one.id))

    async def decide(self, decider: Caller, approval_id: str, decision: Decision) -> Approval:
        """What an administrator says. Raises NotFound, Conflict when it is decided already, Forbidden for one's own.

        The user of this machine and whatever acts for them on it are one caller, so these may decide their own.
        """

        def check(approval: Approval) -> None:
            if "queue" not in approval.ask:
                raise Forbidden("Only the person behind the caller's MCP client may decide this one.")
            if approval.caller == decider.id and decider.kind != "local":
                raise Forbidden("You asked for this yourself; somebody else has to decide it.", code="own_approval")

        return await self._decide(decider, approval_id, decision, check, owner=None)

    async def confirm(self, caller: Caller, approval_id: str, *, agreed: bool) -> Approval:
        """What the person behind the caller's own client says. Raises as `decide` does."""

        def check(approval: Approval) -> None:
            if "client" not in approval.ask:
                raise Forbidden("An administrator has to decide this one; it is in the approval queue.")

        return await self._decide(caller, approval_id, "approve" if agreed else "deny", check, owner=caller.id)

    async def _decide(
        self,
        decider: Caller,
        approval_id: str,
        decision: Decision,
        check: Callable[[Approval], None],
        *,
        owner: str | None,
    ) -> Approval:
        def work(session: "Session") -> Approval:
            from shared.storage import approval_rows

            row = self._find(session, approval_id, owner=owner)
            approval = _approval(row)
            check(approval)
            if approval.status != "pending":
                raise Conflict("This one is decided already.", code="already_decided")
            changed = approval.model_copy(
                update={
                    "status": "approved" if decision == "approve" else "denied",
                    "decided_by": decider.id,
                    "expires_at": self._clock() + APPROVED,
                }
            )
            approval_rows.save(session, approval_id, _row(changed, row["fingerprint"], row.get("facts") or {}))
            return changed

        return await self._database.run(work)

    def _find(self, session: "Session", approval_id: str, *, owner: str | None, hold: bool = True) -> dict[str, Any]:
        from shared.storage import approval_rows, readable

        row = approval_rows.find(session, approval_id, hold=hold)
        if row is not None:
            try:
                _approval(row)
            except readable.UNREADABLE as error:
                raise readable.refused("approval", approval_id, error) from None
        if row is None or owner not in (None, row["approval"]["caller"]) or not self._counts(row):
            raise NotFound("There is no such approval; it may have expired or been used.", code="approval_not_found")
        return row

    def _is_decided(self, session: "Session", caller: Caller, approval_id: str) -> bool:
        row = self._find(session, approval_id, owner=caller.id, hold=False)
        return bool(row["approval"]["status"] != "pending")

    def _kept(self, session: "Session") -> list[dict[str, Any]]:
        """Those that still count; the others are forgotten."""
        from shared.storage import approval_rows

        rows = _readable(session)
        for row in rows:
            if not self._counts(row):
                approval_rows.delete(session, row["approval"]["id"])
        return [row for row in rows if self._counts(row)]

    def _counts(self, row: dict[str, Any]) -> bool:
        return _approval(row).expires_at > self._clock()


def fingerprint(caller: Caller, facts: dict[str, Any]) -> str:
    """What one approval is for, and for nothing else."""
    text = json.dumps([caller.id, facts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_changes(approved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises Conflict (approval_mismatch) where a fact is not the one that was approved any more."""
    if changed := _changed(_texts(approved), _texts(now)):
        raise _mismatch(changed)


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Each fact as JSON; the variables and programs one by one, as `variables.PATH`."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        flat |= {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
    return {name: json.dumps(value, sort_keys=True, ensure_ascii=True) for name, value in flat.items()}


def _digests(approval_id: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """What the database keeps of the facts; equal values of two approvals look different."""
    return {name: hashlib.sha256(f"{approval_id} {text}".encode()).hexdigest() for name, text in _texts(facts).items()}


def _changed(approved: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*approved, *now} if approved.get(name) != now.get(name))


def _mismatch(changed: list[str]) -> Conflict:
    phrases = []
    for name in changed[:NAMED]:
        fact, _, key = name.partition(".")
        phrases.append(f"{_WORDS.get(fact, f'the {fact}')} {visible(key)}".strip())
    if len(changed) > NAMED:
        phrases.append(f"{len(changed) - NAMED} more")
    return Conflict(
        f"The approval is for other facts. These have changed: {', '.join(phrases)}. Send the request without approvalId "
        "to ask for approval of the command as it is now.",
        code="approval_mismatch",
        details={"changed": changed},
    )


def _path(facts: Mapping[str, Any]) -> str | None:
    path = {**(facts.get("variables") or {}), **(facts.get("env") or {})}.get("PATH")
    return None if path is None else cut(path)


def _programs(facts: Mapping[str, Any]) -> list[str]:
    found = sorted((facts.get("programs") or {}).items())
    return [visible(f"{name}: {', '.join(file[0] for file in files)}") for name, files in found]


def facts_shown(found: Mapping[str, Any]) -> dict[str, str]:
    """The facts of an approval, or of the details of an error that asks for one, by what people call them, each one line."""
    texts = {
        "Host": found.get("host"),
        "Shell": found.get("shell"),
        "Sandbox": found.get("sandbox"),
        "Umask": found.get("umask"),
        "PATH": found.get("path"),
        "Programs": cut("; ".join(found.get("programs") or ())),
        "Variables given": cut(", ".join(found.get("env") or ())),
        "Variables of the session": cut(", ".join(found.get("variables") or ())),
        "Input": found.get("stdin"),
    }
    return {name: text.replace("\n", "\\n") for name, text in texts.items() if text}


def required(approval: Approval) -> Conflict:
    """The error that says how to go on."""
    reason = f" ({approval.reason})" if approval.reason else ""
    what, by = ASKED_FOR[approval.kind]
    if "queue" in approval.ask:
        how = (
            f"approve {approval.id} with POST /v1/approvals/{approval.id}, or with `mcp-gateway "
            f"approvals approve {approval.id}`; then send the same request again{by}"
        )
    else:
        how = "the person behind an MCP client that can ask is the only one who may allow it"
    return Conflict(
        f"This {what} needs a person's approval{reason}: {how}.",
        code="approval_required",
        details={
            "approvalId": approval.id,
            "kind": approval.kind,
            "command": approval.command,
            "policy": approval.policy,
            "rule": approval.rule,
            "reason": approval.reason,
            "expiresAt": iso(approval.expires_at),
            "ask": list(approval.ask),
            "place": approval.place,
            "cwd": approval.cwd,
            "host": approval.host,
            "sandbox": approval.sandbox,
            "shell": approval.shell,
            "umask": approval.umask,
            "path": approval.path,
            "env": approval.env,
            "variables": approval.variables,
            "programs": approval.programs,
            "stdin": approval.stdin,
        },
    )


def _allowed(found: Approval | None) -> Approval | None:
    if found is not None and found.status == "denied":
        raise Forbidden("The person who was asked did not allow this; do something else.", code="approval_denied")
    return found


def _row(approval: Approval, print_: str, facts: dict[str, str]) -> dict[str, Any]:
    return {"approval": approval.model_dump(mode="json", by_alias=False), "fingerprint": print_, "facts": facts}


def _approval(row: dict[str, Any]) -> Approval:
    from shared.storage import readable

    return readable.known_fields(Approval, row["approval"])


def _readable(session: "Session") -> list[dict[str, Any]]:
    """The rows that this version can read."""
    from shared.storage import approval_rows, readable

    def checked(row: dict[str, Any]) -> dict[str, Any]:
        _approval(row)
        return row

    return readable.readable(session, "approvals", approval_rows.every(session), checked, name=_id_of)


def _id_of(row: Mapping[str, Any]) -> str:
    approval = row.get("approval")
    return str(approval.get("id", "")) if isinstance(approval, dict) else ""

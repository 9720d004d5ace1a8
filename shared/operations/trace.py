"""One trace told whole: question, model, answer, approval, command, exit code, cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
from sqlmodel import Session

from shared.domain.audit import CHAT, AuditEntry
from shared.domain.identity import Caller
from shared.domain.story import Kind, TraceRef, TraceStep, TraceStory
from shared.errors import NotFound
from shared.operations import policing
from shared.operations.operation import Operation
from shared.storage import decision_rows

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST = 1000
MOST_TEXT = 2000
KINDS: Mapping[str, Kind] = {
    CHAT: "chat",
    policing.ACTION: "policy",
    **dict.fromkeys(("execute_once", "execute_command", "run_command", "run_command_events"), "command"),
}


async def _get(gateway: "Gateway", caller: Caller, request: TraceRef) -> TraceStory:
    own = None if caller.may("admin") else caller.id
    entries = await gateway.audit.story(request.trace_id, caller=own, limit=MOST + 1)
    if not entries:
        raise NotFound(
            "Nothing of yours has this trace id; the header X-Trace-Id of an answer names its trace.",
            details={"traceId": request.trace_id},
        )
    kept = entries[:MOST]
    questions = await _questions(gateway, kept)
    steps = [_step(entry, questions.get(entry.request_id)) for entry in kept]
    return TraceStory(trace_id=request.trace_id, steps=steps, cost_usd=_cost(steps), truncated=len(entries) > len(kept))


async def _questions(gateway: "Gateway", entries: Sequence[AuditEntry]) -> Mapping[str, str]:
    """The question of each chat, by request id, where messages are kept."""
    asked = {entry.request_id: entry.caller for entry in entries if entry.action == CHAT}
    if not asked or not gateway.settings.decision_text:
        return {}
    await gateway.decisions.flush()

    def work(session: Session) -> dict[str, str]:
        rows = {request: decision_rows.newest(session, request, caller=caller) for request, caller in asked.items()}
        return {request: _asked(row.text) for request, row in rows.items() if row is not None and row.text}

    return await gateway.database.read(work)


def _asked(messages: str) -> str:
    """The text of the last message of a person; all that is kept where it was cut."""
    try:
        said = [message for message in orjson.loads(messages) if message["role"] == "user"]
    except orjson.JSONDecodeError:
        return messages[:MOST_TEXT]
    content = said[-1].get("content") if said else ""
    if isinstance(content, list):
        content = " ".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return str(content or "")[:MOST_TEXT]


def _step(entry: AuditEntry, question: str | None) -> TraceStep:
    details = entry.details
    cost = details.get("costUsd")
    return TraceStep(
        sequence=entry.sequence,
        at=entry.at,
        kind=KINDS.get(entry.action, "other"),
        action=entry.action,
        outcome=entry.outcome,
        caller=entry.caller,
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        cause_request_id=entry.cause_request_id or None,
        cause_by=details.get("causeBy"),
        question=question if entry.action == CHAT else None,
        model=details.get("model"),
        layer=details.get("layer"),
        cost_usd=None if cost is None else Decimal(str(cost)),
        command=details.get("command"),
        exit_code=details.get("exitCode"),
        approval_id=details.get("approvalId"),
        decided_by=details.get("decidedBy"),
        details=details,
    )


def _cost(steps: Sequence[TraceStep]) -> Decimal | None:
    """What all chats cost together; None where the price of one is not known. A chat without an answer cost nothing."""
    answered = [step.cost_usd for step in steps if step.kind == "chat" and step.model is not None]
    known = [cost for cost in answered if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(answered) else None


GET_TRACE = Operation(
    name="get_trace",
    summary="All that came of one question: the chats, approvals and commands of a trace, and what they cost.",
    scope="chat",
    effect="read",
    request=TraceRef,
    result=TraceStory,
    run=_get,
)

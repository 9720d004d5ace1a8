"""`mcp-gateway trace`: all that came of one question."""

from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import NONE, AsJson, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.story import TraceStep

WIDTH = 100
"""Characters of a command in the table; --json has all of it."""


def trace(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="The trace's id: an answer's header X-Trace-Id.")],
    as_json: AsJson = False,
) -> None:
    """Tell what came of a question: chats, approvals, commands and their exit codes, and the cost."""
    from mcp_gateway.commands.opening import call
    from shared.operations.trace import GET_TRACE

    story = call(GET_TRACE, {"traceId": trace_id})
    if as_json:
        print_json(story)
        return
    print_table(("number", "at", "what", "outcome", "caused by", "told"), map(_row, story.steps))
    cost = "not known: a price is missing" if story.cost_usd is None else f"${story.cost_usd:f}"
    print(
        f"Cost of the chats: {cost}.{' There is more; --json has the first 1000 entries.' if story.truncated else ''}"
    )


def _row(step: "TraceStep") -> tuple[object, ...]:
    what = step.action if step.kind == "other" else step.kind
    cause = NONE if step.cause_request_id is None else f"{step.cause_request_id} ({step.cause_by})"
    return step.sequence, f"{step.at:%H:%M:%S}", what, step.outcome, cause, visible(_told(step))


def _told(step: "TraceStep") -> str:
    if step.kind == "chat":
        cost = "" if step.cost_usd is None else f", ${step.cost_usd:f}"
        answered = "no answer" if step.model is None else f"{step.model} ({step.layer}){cost}"
        return f"request {step.request_id}: {answered}"
    parts = [(step.command or "")[:WIDTH]]
    if step.approval_id is not None:
        parts.append(f"approval {step.approval_id}, decided by {step.decided_by or 'nobody yet'}")
    if step.exit_code is not None:
        parts.append(f"exit code {step.exit_code}")
    return "; ".join(part for part in parts if part)

"""What came of one question: the chats, the approvals and the commands of a trace, in the order they happened."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.domain.wire import Money, Timestamp, Wire

Kind = Literal["chat", "policy", "command", "other"]


class TraceRef(Wire):
    """A trace by its id, the answer's header `X-Trace-Id`."""

    trace_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class TraceStep(Wire):
    """One entry of the audit trail, with what matters of it by name.

    `question` is the last message of a chat, where messages are kept (DECISION_TEXT). `causeRequestId` names the chat that
    led to the step, `causeBy` says how that is known: by the tool call, the trace or the session.
    """

    sequence: int
    at: Timestamp
    kind: Kind
    action: str
    outcome: str
    caller: str
    request_id: str
    trace_id: str
    cause_request_id: str | None = None
    cause_by: str | None = None
    question: str | None = None
    model: str | None = None
    layer: str | None = None
    cost_usd: Money | None = None
    command: str | None = None
    exit_code: int | None = None
    approval_id: str | None = None
    decided_by: str | None = None
    details: dict[str, Any] = Field(description="The entry's details, as in the audit trail.")


class TraceStory(Wire):
    """The steps of a trace and of what is linked to it, oldest first.

    `costUsd` is that of the chats in it, null where a price is not known. `truncated` says that there is more.
    """

    trace_id: str
    steps: list[TraceStep]
    cost_usd: Money | None
    truncated: bool = False

"""The audit trail as callers see it."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from shared.domain.wire import Moment, Timestamp, Wire

CHAT = "chat"
"""The action of a chat's entry."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class AuditEntry(Wire):
    """One link of the chain: `hash` covers everything else in it, `previous_hash` included.

    `trace_id` is the trace (W3C Trace Context) that the request belonged to, empty where there was none.
    `cause_request_id` is the chat that led to it, empty where that is not known; `details.causeBy` says how it is known.
    """

    sequence: int
    at: Timestamp
    caller: str
    address: str
    request_id: str
    action: str
    outcome: str
    details: dict[str, Any]
    trace_id: str = ""
    cause_request_id: str = ""
    previous_hash: str = ""
    hash: str = ""


class AuditQuery(Wire):
    """Which entries: newest first, those before `cursor`, `start` included and `end` not."""

    action: Text | None = None
    caller: Text | None = None
    outcome: Text | None = None
    request_id: Text | None = None
    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = None
    cause_request_id: Text | None = None
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    cursor: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AuditPage(Wire):
    """Some entries; `next_cursor` asks for those before them."""

    entries: list[AuditEntry]
    next_cursor: int | None = None


class AuditCheck(Wire):
    """Whether the chain is whole; else the first sequence number that is wrong, and how.

    `entries` are those that are there and right, `pruned` the deleted ones before them, which a signed checkpoint stands for;
    the newest of these is from `pruned_until`.
    """

    valid: bool
    entries: int
    pruned: int = 0
    pruned_until: Timestamp | None = None
    first_broken: int | None = None
    reason: str = ""

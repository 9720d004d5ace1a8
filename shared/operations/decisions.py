"""How requests were routed: one stored decision."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from shared.domain.identity import Caller
from shared.domain.wire import Timestamp, Wire
from shared.errors import NotFound
from shared.operations.operation import Operation
from shared.storage import decision_rows

if TYPE_CHECKING:
    from shared.gateway import Gateway


class GetDecision(Wire):
    """A request by its id, the answer's header `X-Request-ID`."""

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class StoredDecision(Wire):
    """How a request was routed: what was known of it, the plan, the calls that were made, and what came of it.

    `score` is what its caller said of the answer, `text` its messages, where the gateway keeps them.
    """

    request_id: str
    at: Timestamp
    caller: str
    trace_id: str
    score: float | None
    text: str | None
    decision: dict[str, Any]


async def _get(gateway: "Gateway", caller: Caller, request: GetDecision) -> StoredDecision:
    await gateway.decisions.flush()
    own = None if caller.may("admin") else caller.id
    row = await gateway.database.read(partial(decision_rows.newest, request_id=request.request_id, caller=own))
    if row is None:
        days = gateway.decisions.days
        kept = f"they are kept for {days} days (DECISION_DAYS)" if days else "none are kept, since DECISION_DAYS is 0"
        raise NotFound(
            f"There is no decision on a request with this id: {kept}. Cached answers need none.",
            details={"requestId": request.request_id},
        )
    return StoredDecision(
        request_id=row.request_id,
        at=row.at,
        caller=row.caller,
        trace_id=row.trace_id,
        score=row.score,
        text=row.text,
        decision=dict(row.data),
    )


GET_DECISION = Operation(
    name="get_decision",
    summary="How a request was routed: your own, or as an administrator anybody's",
    scope="chat",
    effect="read",
    request=GetDecision,
    result=StoredDecision,
    run=_get,
)

"""What callers say of the answers they got."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.domain.identity import Caller
from shared.domain.wire import Wire
from shared.errors import NotFound
from shared.operations.operation import Operation
from shared.storage import feedback_rows

if TYPE_CHECKING:
    from shared.gateway import Gateway


class Feedback(Wire):
    """How good the answer to one of your requests was: from 0, useless, to 1, just right.

    `requestId` is the answer's header `X-Request-ID`. A later score for the same request replaces the earlier one.
    The comment is for the operator, who finds it in the audit trail.
    """

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    score: Annotated[float, Field(ge=0, le=1)]
    comment: Annotated[str, StringConstraints(max_length=1_000)] = ""


class FeedbackTaken(Wire):
    """The score has been taken."""

    success: Literal[True] = True


async def _give(gateway: "Gateway", caller: Caller, request: Feedback) -> FeedbackTaken:
    await gateway.decisions.flush()  # the row may still be on its way
    write = partial(feedback_rows.vote, caller=caller.id, request_id=request.request_id, score=request.score)
    stored = await gateway.database.run(write)
    remembered = gateway.learner.vote(caller.id, request.request_id, request.score)
    if stored is None and not remembered:
        raise NotFound(
            "None of your recent requests has this id, so there is nothing to score; send the 'X-Request-ID' of a chat "
            "answer, with the credentials that asked for it.",
            details={"requestId": request.request_id},
        )
    if stored is not None and not remembered:
        gateway.learner.late_vote(stored.data.get("lesson"), request.score, before=stored.before)
    return FeedbackTaken()


def _facts(request: Feedback) -> dict[str, Any]:
    facts: dict[str, Any] = {"requestId": request.request_id, "score": request.score}
    return {**facts, "comment": request.comment} if request.comment else facts


GIVE_FEEDBACK = Operation(
    name="give_feedback",
    summary="Say how good an answer was, from 0 to 1; the router learns from it",
    scope="chat",
    effect="write",
    request=Feedback,
    result=FeedbackTaken,
    run=_give,
    audit=_facts,
)

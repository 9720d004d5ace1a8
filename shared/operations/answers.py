"""Prompts answered: for a password on a terminal, with the one that the session was opened with; for a code at a login."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.domain.identity import Caller
from shared.domain.logins import ListPendingLogins, PendingLoginList
from shared.domain.targets import refuse
from shared.domain.terminal import Done, SessionRef
from shared.operations import oversight, policing
from shared.operations.elsewhere import gather
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


LoginAnswer = Annotated[SecretStr, Field(max_length=1000)]


class AnswerPrompt(SessionRef):
    """Answer the password prompt on a session's terminal, such as sudo's, or the prompts of a login that wants a code."""

    answers: Annotated[list[LoginAnswer], Field(min_length=1, max_length=20)] | None = Field(
        None,
        repr=False,
        description="For a login (`loginId` of the error `code_required` as id): an answer to each prompt, in their order. "
        "Then send the request that wanted the login again.",
    )
    secret: Literal["password"] = Field(
        "password", description="What to answer with: the password of the login, which the gateway holds."
    )
    wait_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        5000, description="Milliseconds that the prompt gets to come."
    )

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        for name in ("secret", "wait_ms"):
            if self.answers is not None and name in self.model_fields_set:
                raise refuse(name, "cannot be given together with 'answers'")
        return self


async def _answer(gateway: "Gateway", caller: Caller, request: AnswerPrompt) -> Done:
    if request.answers is not None:
        answers = [answer.get_secret_value() for answer in request.answers]
        may = oversight.may_see(gateway, caller)
        await gateway.terminals.logins.answer(request.id, answers, may=may)
        return Done()
    session = gateway.terminals.get(caller.id, request.id)
    await policing.permit_typing(gateway, caller, session)
    await session.answer(timeout=request.wait_ms / 1000)
    return Done()


async def _list(gateway: "Gateway", caller: Caller, request: ListPendingLogins) -> PendingLoginList:
    """Those of all processes, and the processes that did not answer in time."""
    own = await _list_here(gateway, caller, request)
    elsewhere, missing = ([], []) if gateway.nodes.alone else await gather(gateway, caller, LIST_LOGINS_HERE, {})
    return PendingLoginList(
        logins=[login for answer in (own, *elsewhere) for login in answer.logins], incomplete=missing
    )


async def _list_here(gateway: "Gateway", caller: Caller, request: ListPendingLogins) -> PendingLoginList:
    return PendingLoginList(logins=gateway.terminals.logins.waiting(oversight.may_see(gateway, caller)))


def _audited(request: AnswerPrompt) -> dict[str, Any]:
    """The session or login that was answered, never the answers."""
    if request.answers is not None:
        return {"loginId": request.id, "answers": len(request.answers)}
    return {"sessionId": request.id, "secret": request.secret}


LIST_LOGINS = Operation(
    name="list_pending_logins",
    summary="SSH logins that wait for a one-time code or another answer of a person.",
    scope="terminal",
    effect="read",
    request=ListPendingLogins,
    result=PendingLoginList,
    run=_list,
)

LIST_LOGINS_HERE = Operation(
    name="list_pending_logins_here",
    summary="SSH logins that wait for an answer, in one process of the gateway.",
    scope="terminal",
    effect="read",
    request=ListPendingLogins,
    result=PendingLoginList,
    run=_list_here,
)

ANSWER_PROMPT = Operation(
    name="answer_prompt",
    summary="Answer a password prompt, such as sudo's, with the session's password, or a login that asks for a one-time code.",
    scope="terminal",
    effect="execute",
    request=AnswerPrompt,
    result=Done,
    run=_answer,
    audit=_audited,
)

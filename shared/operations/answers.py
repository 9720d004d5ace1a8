"""Password prompts on a terminal, answered with the password that the session was opened with."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from shared.domain.identity import Caller
from shared.domain.terminal import Done, SessionRef
from shared.operations import policing
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


class AnswerPrompt(SessionRef):
    """Answer the password prompt that stands on the session's terminal, such as sudo's."""

    secret: Literal["password"] = Field(
        "password", description="What to answer with: the password of the login, which the gateway holds."
    )
    wait_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        5000, description="Milliseconds that the prompt gets to come."
    )


async def _answer(gateway: "Gateway", caller: Caller, request: AnswerPrompt) -> Done:
    session = gateway.terminals.get(caller.id, request.id)
    await policing.permit_typing(gateway, caller, session)
    await session.answer(timeout=request.wait_ms / 1000)
    return Done()


ANSWER_PROMPT = Operation(
    name="answer_prompt",
    summary="Answer a password prompt, such as sudo's, with the password of the session's login, which nobody sees.",
    scope="terminal",
    effect="execute",
    request=AnswerPrompt,
    result=Done,
    run=_answer,
    audit=lambda request: {"sessionId": request.id, "secret": request.secret},
)

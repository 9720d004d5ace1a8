"""Leave for a command that the policy wants confirmed, or for the key of a new host: asked of the user, noted, and used for
exactly that. And codes that hosts ask for at a login.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mcp.types import InputRequiredResult

from mcp_gateway.asking import Earlier, Leave
from mcp_gateway.calls.call import Call
from shared.errors import Conflict, Forbidden
from shared.operations import dispatch
from shared.operations.answers import ANSWER_PROMPT
from shared.operations.approvals import CONFIRM_COMMAND
from shared.terminal.sandbox import LIFTED
from shared.terminal.visible import visible

T = TypeVar("T")

CODE = "approval_required"
CODE_OF_LOGIN = "code_required"
LOGIN = "login-"
"""How the ids of logins begin."""
LONGEST = 2_000
"""Characters of a command that a question shows; one that is longer cannot be judged by who is asked."""
MOST_QUESTIONS = 4
"""A command and the hosts on the way to where it runs may each need leave."""
MOST_OF_STATE = 200
ANSWER = 2.0
"""Seconds that are kept for the answer, when the user says nothing for so long that the call must end."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the user is asked; `approval` is what the command has when they agree, which for a host's key is what it had."""

    id: str
    approval: str | None

    @property
    def login(self) -> str | None:
        """The login that wants answers, where it is one."""
        return self.id if self.id.startswith(LOGIN) else None

    @property
    def state(self) -> str:
        """For the next round of a call; clients bring it back."""
        return f"{self.id} {self.approval or ''}".strip()

    @classmethod
    def of(cls, state: str) -> "Question":
        """What was asked in the round before; each id in it counts only for the caller's own."""
        asked, _, approval = state[:MOST_OF_STATE].partition(" ")
        return cls(asked, approval or None)


@dataclass(frozen=True, slots=True)
class Given:
    """What the user has given so far: an approval of the command, and answers at a login."""

    approval: str | None = None
    login: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """Those of the request that it makes good."""
        return {name: value for name, value in (("approvalId", self.approval), ("loginId", self.login)) if value}


async def with_leave(
    call: Call, command: str, work: Callable[[Given], Awaitable[T]], given: str | None = None, *, needed: float = 5
) -> T | InputRequiredResult:
    """What `work` gives, if need be once the user has agreed; it takes what they have given.

    `needed` are the seconds that it may take: a user who thinks for so long that they are not left has agreed to the
    next call.
    """
    have, said, asked_now = Given(given), call.user.earlier, False
    for left in range(MOST_QUESTIONS, -1, -1):
        try:
            if said is not None:
                taken, said = said, None
                have = await _taken(call, taken, have)
            if asked_now and call.left < needed:
                raise _for_the_next_call(have)
            return await work(have)
        except Conflict as error:
            if not left:
                raise
            answer = await _asked(call, command, error, have.approval)
            if isinstance(answer, InputRequiredResult):
                return answer
            said, asked_now = answer, True
    raise AssertionError("the last round returns or raises")


async def _taken(call: Call, earlier: Earlier, have: Given) -> Given:
    """What the user gave in the round before. Raises Conflict when the host wants more, Forbidden when they refused."""
    question = Question.of(earlier.state)
    if question.login is None:
        await _noted(call, question.id, agreed=earlier.leave == "given")
    else:
        await _answered(call, question.login, earlier.answers)
    return Given(question.approval or have.approval, question.login)


async def _answered(call: Call, login: str, answers: list[str] | None) -> None:
    """Hand the user's answers to the host. Raises Conflict when it wants more, Forbidden where there are none."""
    if answers is None:
        raise Forbidden("The user gave no code, so nothing was done.", code="code_refused")
    await dispatch.call(call.gateway, call.caller, ANSWER_PROMPT, {"id": login, "answers": answers})


async def _asked(call: Call, command: str, error: Conflict, held: str | None) -> Earlier | InputRequiredResult:
    """What the user says, or what to end the call with; `held` is the approval that the command has already.

    Raises the error again when they cannot be asked, or say nothing in time: it names what can still be given.
    """
    question = _question_in(call, command, error, held)
    call.progress.say("asking the user …")
    details = error.details if isinstance(error.details, dict) else {}
    seconds = call.limits.asking_seconds
    said: Leave | list[str] | InputRequiredResult
    try:
        async with asyncio.timeout(call.left - ANSWER) as limit:
            if question.login is None:
                text = _text(command, details)
                said = await call.user.leave(text, state=question.state, seconds=seconds)
            else:
                prompts = [str(prompt["text"]) or "Answer" for prompt in details["prompts"]]
                said = await call.user.answers(_login_text(details), prompts, state=question.state, seconds=seconds)
    except TimeoutError:
        if not limit.expired():
            raise
        raise _with_approval(error, question) from None
    if isinstance(said, InputRequiredResult):
        return said
    if said == "not asked":
        raise _with_approval(error, question)
    if isinstance(said, list):
        return Earlier(question.state, "given", said)
    return Earlier(question.state, said, None)


async def _noted(call: Call, approval_id: str, *, agreed: bool) -> None:
    """Note what the user said. Raises Forbidden when that was no clear yes."""
    try:
        await dispatch.call(call.gateway, call.caller, CONFIRM_COMMAND, {"id": approval_id, "agreed": agreed})
    except Conflict:
        return  # somebody else has decided meanwhile, and that counts
    if not agreed:
        raise Forbidden("The user did not agree to this; do something else.", code="approval_denied")


def _for_the_next_call(have: Given) -> Conflict:
    with_it = "" if have.approval is None else f" with approvalId {have.approval}"
    return Conflict(
        f"The user has agreed, but only when the time of this call was nearly over: call again{with_it} to have it done.",
        code="approval_given",
    )


def _with_approval(error: Conflict, question: "Question") -> Conflict:
    """The error of a host's key or a login that also names the leave which the command itself has: it is wanted again."""
    if question.approval in (None, question.id):
        return error
    message = f"{error.message} The command itself is allowed: send it with approvalId {question.approval}."
    return Conflict(message, code=error.code, details=error.details)


def _text(command: str, details: dict[str, Any]) -> str:
    if details["kind"] == "host_key":
        return f"May I {details['command']}?\n\nSay yes only if it is right: {details['reason']}."
    cwd = (details["cwd"] or "a directory that is not known").replace("\n", "\\n")
    where = f"Where: {details['place']}, in {cwd}{_facts(details)}"
    if details["kind"] == "session":
        return f"May I {details['command']}?\n\nSay yes only if you want that: {details['reason']}.\n\n{where}"
    if details["policy"] == LIFTED:
        return f"This needs your leave: {details['reason']}. Run it?\n\n{visible(command)}\n\n{where}"
    why = f" ({details['reason']})" if details["reason"] else ""
    return f"The command policy wants this confirmed{why}. Run it?\n\n{visible(command)}\n\n{where}"


def _facts(details: dict[str, Any]) -> str:
    """The other facts that the approval binds, one on each line."""
    from shared.terminal.approvals import facts_shown

    return "".join(f"\n{name}: {text}" for name, text in facts_shown(details).items())


def _login_text(details: dict[str, Any]) -> str:
    where = f"{details['username']} on the SSH host {details['host']}:{details['port']}"
    said = f"\n\nThe host says: {details['instructions']}" if details["instructions"] else ""
    return f"The login of {where} asks for more than the stored credentials. The answer goes to that host alone.{said}"


def _question_in(call: Call, command: str, error: Conflict, held: str | None) -> "Question":
    """The question that an error is. Raises the error again when it is another one, or the user cannot be asked."""
    details = error.details if isinstance(error.details, dict) else {}
    if error.code == CODE_OF_LOGIN:
        question = Question(str(details["loginId"]), held)
        if not call.user.can_be_asked:
            raise _with_approval(error, question)
        return question
    if error.code != CODE:
        raise error
    asked = str(details["approvalId"])
    question = Question(asked, asked if details["kind"] == "command" else held)
    if "client" not in details["ask"] or not call.user.can_be_asked or len(command) > LONGEST:
        raise _with_approval(error, question)
    return question

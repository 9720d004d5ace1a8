"""Leave for a command that the policy wants confirmed, or for the key of a new host: asked of the user, noted, and used for
exactly that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp.types import InputRequiredResult

from mcp_gateway.calls.call import Call
from shared.errors import Conflict, Forbidden
from shared.operations import dispatch
from shared.operations.approvals import CONFIRM_COMMAND
from shared.terminal.visible import visible

T = TypeVar("T")

CODE = "approval_required"
LONGEST = 2_000
"""Characters of a command that a question shows; one that is longer cannot be judged by who is asked."""
MOST_QUESTIONS = 4
"""A command and the hosts on the way to where it runs may each need leave."""
ANSWER = 2.0
"""Seconds that are kept for the answer, when the user says nothing for so long that the call must end."""


async def with_leave(
    call: Call, command: str, work: Callable[[str | None], Awaitable[T]], given: str | None = None, *, needed: float = 5
) -> T | InputRequiredResult:
    """What `work` gives, if need be once the user has agreed; it takes the approval, if there is one.

    `needed` are the seconds that it may take: a user who thinks for so long that they are not left has agreed to the
    next call.
    """
    approval = given
    if (earlier := call.user.earlier) is not None:
        approval = earlier.state[:100]
        await noted(call, approval, agreed=earlier.leave == "given")
    for _ in range(MOST_QUESTIONS):
        try:
            return await work(approval)
        except Conflict as error:
            said = await asked(call, command, error)
            if isinstance(said, InputRequiredResult):
                return said
            if call.left < needed:
                raise _for_the_next_call(said) from None
            approval = said
    return await work(approval)


async def asked(call: Call, command: str, error: Conflict) -> str | InputRequiredResult:
    """The approval that the user has given, or what to end the call with. Raises Forbidden when they did not, and the
    error again when they cannot be asked.
    """
    approval_id = _approval_of(call, command, error)
    call.progress.say("asking the user …")
    question = _question(command, error.details if isinstance(error.details, dict) else {})
    try:
        async with asyncio.timeout(call.left - ANSWER) as limit:
            said = await call.user.leave(question, state=approval_id, seconds=call.limits.asking_seconds)
    except TimeoutError:
        if not limit.expired():
            raise
        raise error from None  # it names the approval, which can still be given
    if isinstance(said, InputRequiredResult):
        return said
    if said == "not asked":
        raise error
    await noted(call, approval_id, agreed=said == "given")
    return approval_id


async def noted(call: Call, approval_id: str, *, agreed: bool) -> None:
    """Note what the user said. Raises Forbidden when that was no clear yes."""
    try:
        await dispatch.call(call.gateway, call.caller, CONFIRM_COMMAND, {"id": approval_id, "agreed": agreed})
    except Conflict:
        return  # somebody else has decided meanwhile, and that counts
    if not agreed:
        raise Forbidden("The user did not agree to this; do something else.", code="approval_denied")


def _for_the_next_call(approval_id: str) -> Conflict:
    return Conflict(
        f"The user has agreed, but only when the time of this call was nearly over: call again with approvalId {approval_id} "
        "to have it done.",
        code="approval_given",
    )


def _question(command: str, details: dict[str, Any]) -> str:
    if details["kind"] == "host_key":
        return f"May I {details['command']}?\n\nSay yes only if it is right: {details['reason']}."
    why = f" ({details['reason']})" if details["reason"] else ""
    where = f"Where: {details['place']}, in {details['cwd'] or 'a directory that is not known'}"
    return f"The command policy wants this confirmed{why}. Run it?\n\n{visible(command)}\n\n{where}"


def _approval_of(call: Call, command: str, error: Conflict) -> str:
    """The approval in an error. Raises the error again when it is another one, or the user cannot be asked."""
    details = error.details if isinstance(error.details, dict) else {}
    if error.code != CODE or "client" not in details["ask"]:
        raise error
    if not call.user.can_be_asked or len(command) > LONGEST:
        raise error
    return str(details["approvalId"])

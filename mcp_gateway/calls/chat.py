"""Chat: the stream of the core, told as progress and gathered into one answer."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mcp.types import InputRequiredResult
from pydantic import ValidationError

from mcp_gateway.arguments import ChatArguments
from mcp_gateway.asking import Leave
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.checks import checks_of
from mcp_gateway.calls.offer import Offer
from mcp_gateway.calls.ongoing import Ongoing, bounded
from mcp_gateway.calls.questions import payload_of
from mcp_gateway.results import ChatResult, ChatUsage
from shared.domain.identity import Caller
from shared.domain.usage import Usage
from shared.domain.wire import Wire
from shared.errors import Conflict, GatewayError, InvalidInput, UpstreamError
from shared.operations import dispatch
from shared.operations.chat import CHAT_STREAM

if TYPE_CHECKING:
    from shared.gateway import Gateway

NOTES = {
    "length": "The answer reached its longest length; raise maxTokens, or ask for the rest.",
    "unfinished": "It goes on: call chat with this chatId for the rest. Left alone for 5 minutes, it is stopped.",
    "size_limit": "The answer is too long and was stopped; send its end back in `messages` and ask for the rest.",
    "content_filter": "The provider's filter stopped the answer.",
}
MOST_BYTES = 4 * 1024 * 1024
"""Of one answer, in all its parts."""


class Pending(Wire):
    """A question to the user, and the answer that they get without agreeing."""

    offer: Offer
    kept: ChatResult


async def run(call: Call, arguments: ChatArguments) -> ChatResult | InputRequiredResult:
    """The answer; before a step that costs money the user is asked, and without their leave the cheap answer stays."""
    begun = None if arguments.chat_id is None else call.chats.find(call.caller.id, arguments.chat_id)
    payload = payload_of(arguments) if begun is None else begun.payload
    payload["gateway"]["escalation"] = "confirm"
    seconds = arguments.wait_seconds
    leave: Leave | InputRequiredResult
    if (earlier := call.user.earlier) is not None:
        pending, leave = _pending(earlier.state), earlier.leave
    else:
        try:
            return await (_answered(call, payload, seconds) if begun is None else _part(call, begun, seconds))
        except Conflict as error:
            offer = Offer.of(error)
            pending = Pending(kept=_kept(call, offer, error), offer=offer.model_copy(update={"answer": ""}))
        call.progress.say("asking the user …")
        state = pending.model_dump_json(by_alias=True)
        leave = await call.user.leave(pending.offer.question, state=state, seconds=call.limits.asking_seconds)
    if isinstance(leave, InputRequiredResult):
        return leave
    if leave == "given":
        return await _better(call, pending, payload)
    note = pending.offer.refused if leave == "refused" else pending.offer.invitation
    return pending.kept.model_copy(update={"note": note})


async def _better(call: Call, pending: Pending, payload: dict[str, Any]) -> ChatResult:
    """The answer that the user has agreed to pay for; if there is none, the one there was."""
    offer = pending.offer
    call.progress.say(f"asking {offer.next_model} …")
    try:
        return await _answered(call, offer.accepted(payload), call.limits.chat_seconds, offer)
    except GatewayError as error:
        note = f"{offer.next_model} could not be asked after all: {error.message}"
        return pending.kept.model_copy(update={"note": note})


def _pending(state: str) -> Pending:
    try:
        return Pending.model_validate_json(state)
    except ValidationError:
        raise InvalidInput("'requestState' is not what this server gave; call the tool anew.") from None


def _kept(call: Call, offer: Offer, error: Conflict) -> ChatResult:
    """The answer there is. Raises the error when its model has just gone."""
    model = call.gateway.registry.snapshot.models.get(offer.model)
    if model is None:
        raise error
    limit = call.limits.chat_bytes
    text = bounded(offer.answer, limit)
    reason = "length" if offer.reason == "truncated" else "stop" if text == offer.answer else "size_limit"
    return ChatResult(
        text=text,
        model=model.api_model_name,
        model_id=model.id,
        provider=model.provider,
        layer=model.layer,
        usage=None if offer.usage is None else _usage(Usage.from_openai(offer.usage)),
        cost_usd=offer.spent_usd,
        attempts=1,
        finish_reason=reason,
        truncated=reason != "stop",
        chat_id=None,
        duration_ms=0,
        note="",
        checks=None,
    )


async def _answered(call: Call, payload: dict[str, Any], seconds: float, offer: Offer | None = None) -> ChatResult:
    """Ask, and give the answer or the beginning of it."""

    async def read(chat: Ongoing) -> None:
        await _read(call.gateway, call.caller, chat)

    chat = call.chats.begin(call.caller.id, payload, read, offer)
    try:
        return await _part(call, chat, seconds)
    except Conflict:
        chat.drop()
        raise


async def _read(gateway: "Gateway", caller: Caller, chat: Ongoing) -> None:
    """Take the stream in to its end."""
    async with dispatch.open_stream(gateway, caller, CHAT_STREAM, chat.payload) as answer:
        chat.route = answer.route
        chat.news()
        async for events in answer:
            chat.reply.take(events)
            if chat.reply.size > MOST_BYTES:
                chat.reply.finish_reason = "size_limit"
                return
            chat.news()


async def _part(call: Call, chat: Ongoing, seconds: float) -> ChatResult:
    """What has come of a chat, once it is over, long enough, or the time is up. A call that is cancelled ends it."""
    with chat.followed(call.progress):
        try:
            async with asyncio.timeout(min(seconds, call.limits.chat_seconds)):
                await chat.until(call.limits.chat_bytes)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            await chat.end()
            raise
    if (failure := chat.failure) is not None:
        if not isinstance(failure, Conflict):  # a question to the user, after which the request is wanted again
            chat.drop()
        raise _with_text_so_far(failure, chat.untold) if isinstance(failure, UpstreamError) else failure
    text = chat.take(call.limits.chat_bytes)
    goes_on = not chat.over or bool(chat.untold)
    if not goes_on:
        chat.drop()
    result = _result(chat, text, goes_on=goes_on)
    return result if chat.offer is None else _with_offer(result, chat.offer)


def _with_offer(result: ChatResult, offer: Offer) -> ChatResult:
    """The same with what the answer that was not good enough had cost."""
    total = None if result.cost_usd is None else result.cost_usd + offer.spent_usd
    taken = offer.taken(result.checks, result.model_id or offer.next_model)
    return result.model_copy(update={"cost_usd": total, "checks": taken})


def _result(chat: Ongoing, text: str, *, goes_on: bool) -> ChatResult:
    route, reply = chat.route, chat.reply
    reason = "unfinished" if goes_on else reply.finish_reason or "stop"
    note = NOTES.get(reason, "")
    if not reply.size and not note:
        note = "The model gave no text; ask in another way, or name another model."
    return ChatResult(
        text=text,
        model=None if route is None else route.model.api_model_name,
        model_id=None if route is None else route.model.id,
        provider=None if route is None else route.model.provider,
        layer=None if route is None else route.model.layer,
        usage=None if reply.usage is None else _usage(reply.usage),
        cost_usd=None if route is None or goes_on else route.cost,
        attempts=0 if route is None else route.attempts,
        finish_reason=reason,
        truncated=reason in NOTES,
        chat_id=chat.id if goes_on else None,
        duration_ms=int((chat.seconds or time.perf_counter() - chat.started) * 1000),
        note=note,
        checks=checks_of(reply.notes),
    )


def _usage(used: Usage) -> ChatUsage:
    return ChatUsage(
        prompt_tokens=used.prompt,
        completion_tokens=used.completion,
        total_tokens=used.prompt + used.completion,
        estimated=used.estimated,
    )


def _with_text_so_far(error: UpstreamError, text: str) -> UpstreamError:
    """A stream that broke off is a failure, but what it had said may still be of use."""
    if not text:
        return error
    return UpstreamError(
        f"The answer broke off: {error.message}",
        details="It had said so far:\n" + text,
        operator_detail=error.operator_detail,
        status=error.status,
        code=error.code,
    )

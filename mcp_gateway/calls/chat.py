"""Chat: the stream of the core, told as progress and gathered into one answer."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mcp.types import InputRequiredResult
from pydantic import ValidationError

from mcp_gateway.arguments import ChatArguments, Question
from mcp_gateway.asking import Leave
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.checks import checks_of
from mcp_gateway.calls.offer import Offer
from mcp_gateway.calls.reply import Reply
from mcp_gateway.results import ChatResult, ChatUsage
from shared.domain.usage import Usage
from shared.domain.wire import Wire
from shared.errors import Conflict, GatewayError, InvalidInput, UpstreamError, UpstreamTimeout
from shared.operations import dispatch
from shared.operations.chat import CHAT_STREAM

if TYPE_CHECKING:
    from shared.routing.answers import Route

NOTES = {
    "length": "The answer reached its longest length; raise maxTokens, or ask for the rest.",
    "time_limit": "The answer took too long and was stopped; ask something smaller, set a lower maxTokens, "
    "name a faster model, or send this text back in `messages` and ask for the rest.",
    "size_limit": "The answer is too long for one result and was stopped; send it back in `messages` and ask for the rest.",
    "content_filter": "The provider's filter stopped the answer.",
}


class Pending(Wire):
    """A question to the user, and the answer that they get without agreeing."""

    offer: Offer
    kept: ChatResult


async def run(call: Call, arguments: ChatArguments) -> ChatResult | InputRequiredResult:
    """The answer; before a step that costs money the user is asked, and without their leave the cheap answer stays."""
    payload = payload_of(arguments)
    payload["gateway"]["escalation"] = "confirm"
    leave: Leave | InputRequiredResult
    if (earlier := call.user.earlier) is not None:
        pending, leave = _pending(earlier.state), earlier.leave
    else:
        try:
            return await _answered(call, payload)
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
        better = await _answered(call, offer.accepted(payload))
    except GatewayError as error:
        note = f"{offer.next_model} could not be asked after all: {error.message}"
        return pending.kept.model_copy(update={"note": note})
    total = None if better.cost_usd is None else better.cost_usd + offer.spent_usd
    return better.model_copy(update={"cost_usd": total, "checks": offer.taken(better.checks, better.model_id)})


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
    text = _bounded(offer.answer, limit)
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
        duration_ms=0,
        note="",
        checks=None,
    )


async def _answered(call: Call, payload: dict[str, Any]) -> ChatResult:
    """Ask, tell how the answer grows, and give what there is when the time is up."""
    started = time.perf_counter()
    reply = Reply()
    route: Route | None = None
    stopped = ""
    try:
        async with asyncio.timeout(call.limits.chat_seconds):
            async with dispatch.open_stream(call.gateway, call.caller, CHAT_STREAM, payload) as answer:
                route = answer.route
                call.progress.follow(lambda: reply.text or f"{answer.route.model.api_model_name} is thinking …")
                async for events in answer:
                    reply.take(events)
                    if reply.size > call.limits.chat_bytes:
                        stopped = "size_limit"
                        break
                    call.progress.news()
    except TimeoutError:
        stopped = "time_limit"
    except UpstreamError as error:
        raise _with_text_so_far(error, reply) from error
    if route is None:
        raise UpstreamTimeout(
            f"No model began to answer within {call.limits.chat_seconds:g} seconds.", code="time_limit"
        )
    text = _bounded(reply.text, call.limits.chat_bytes) if stopped == "size_limit" else reply.text
    return _result(reply, text, route, stopped, int((time.perf_counter() - started) * 1000))


def question_of(question: Question) -> dict[str, Any]:
    """A question as a chat request in its canonical form."""
    messages: list[dict[str, Any]] = []
    if question.system:
        messages.append({"role": "system", "content": question.system})
    if question.messages:
        messages += [{"role": message.role, "content": message.content} for message in question.messages]
    else:
        messages.append({"role": "user", "content": question.message})
    options = {
        "quality": question.quality,
        "maxLayer": question.max_layer,
        "budgetUsd": question.budget_usd,
        "allowPaid": question.allow_paid or None,
        "session": question.session,
    }
    payload: dict[str, Any] = {"model": question.model, "messages": messages, "gateway": _given(options)}
    return payload | _given({"max_tokens": question.max_tokens})


def payload_of(arguments: ChatArguments) -> dict[str, Any]:
    """The chat request in its canonical form."""
    payload = question_of(arguments) | {"stream": True, "stream_options": {"include_usage": True}}
    payload["gateway"] |= _given(
        {
            "crossCheck": arguments.cross_check or None,
            "agreement": arguments.agreement,
            "escalate": arguments.escalate,
        }
    )
    return payload | _given({"temperature": arguments.temperature})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _bounded(text: str, limit: int) -> str:
    """The beginning of a text, as long as so many bytes: an answer that was judged comes all at once."""
    return text if len(text) * 4 <= limit else text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _result(reply: Reply, text: str, route: "Route", stopped: str, duration_ms: int) -> ChatResult:
    reason = stopped or reply.finish_reason or "stop"
    note = NOTES.get(reason, "")
    if not text and not note:
        note = "The model gave no text; ask in another way, or name another model."
    return ChatResult(
        text=text,
        model=route.model.api_model_name,
        model_id=route.model.id,
        provider=route.model.provider,
        layer=route.model.layer,
        usage=None if reply.usage is None else _usage(reply.usage),
        cost_usd=route.cost,
        attempts=route.attempts,
        finish_reason=reason,
        truncated=reason in NOTES,
        duration_ms=duration_ms,
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


def _with_text_so_far(error: UpstreamError, reply: Reply) -> UpstreamError:
    """A stream that broke off is a failure, but what it had said may still be of use."""
    if not reply.text:
        return error
    return UpstreamError(
        f"The answer broke off: {error.message}",
        details="It had said so far:\n" + reply.text,
        operator_detail=error.operator_detail,
        status=error.status,
        code=error.code,
    )

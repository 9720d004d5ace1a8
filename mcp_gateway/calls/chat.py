"""Chat: the stream of the core, told as progress and gathered into one answer."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mcp_gateway.arguments import ChatArguments
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.reply import Reply
from mcp_gateway.results import ChatResult, ChatUsage
from shared.errors import UpstreamError, UpstreamTimeout
from shared.operations import dispatch
from shared.operations.chat import CHAT_STREAM

if TYPE_CHECKING:
    from shared.routing.attempt import Route

NOTES = {
    "length": "The answer reached its longest length; raise maxTokens, or ask for the rest.",
    "time_limit": "The answer took too long and was stopped; ask something smaller, set a lower maxTokens, "
    "name a faster model, or send this text back in `messages` and ask for the rest.",
    "size_limit": "The answer is too long for one result and was stopped; send it back in `messages` and ask for the rest.",
    "content_filter": "The provider's filter stopped the answer.",
}


async def run(call: Call, arguments: ChatArguments) -> ChatResult:
    """Ask, tell how the answer grows, and give what there is when the time is up."""
    started = time.perf_counter()
    reply = Reply()
    route: Route | None = None
    stopped = ""
    try:
        async with asyncio.timeout(call.limits.chat_seconds):
            async with dispatch.open_stream(call.gateway, call.caller, CHAT_STREAM, payload_of(arguments)) as answer:
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
    return _result(reply, route, stopped, int((time.perf_counter() - started) * 1000))


def payload_of(arguments: ChatArguments) -> dict[str, Any]:
    """The chat request in its canonical form."""
    messages: list[dict[str, Any]] = []
    if arguments.system:
        messages.append({"role": "system", "content": arguments.system})
    if arguments.messages:
        messages += [{"role": message.role, "content": message.content} for message in arguments.messages]
    else:
        messages.append({"role": "user", "content": arguments.message})
    payload: dict[str, Any] = {
        "model": arguments.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "gateway": {"quality": arguments.quality},
    }
    if arguments.max_layer is not None:
        payload["gateway"]["maxLayer"] = arguments.max_layer
    if arguments.temperature is not None:
        payload["temperature"] = arguments.temperature
    if arguments.max_tokens is not None:
        payload["max_tokens"] = arguments.max_tokens
    return payload


def _result(reply: Reply, route: "Route", stopped: str, duration_ms: int) -> ChatResult:
    reason = stopped or reply.finish_reason or "stop"
    note = NOTES.get(reason, "")
    if not reply.text and not note:
        note = "The model gave no text; ask in another way, or name another model."
    return ChatResult(
        text=reply.text,
        model=route.model.api_model_name,
        model_id=route.model.id,
        provider=route.model.provider,
        layer=route.model.layer,
        usage=_usage(reply),
        cost_usd=route.cost,
        attempts=route.attempts,
        finish_reason=reason,
        truncated=reason in NOTES,
        duration_ms=duration_ms,
        note=note,
    )


def _usage(reply: Reply) -> ChatUsage | None:
    used = reply.usage
    if used is None:
        return None
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

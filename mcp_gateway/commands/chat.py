"""`mcp-gateway chat`: ask a model from a shell."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, printable
from shared.domain.identity import LOCAL

if TYPE_CHECKING:
    from mcp_gateway.calls.reply import Reply
    from shared.gateway import Gateway
    from shared.routing.attempt import Route


def chat(
    message: Annotated[str, typer.Argument(help="What to ask; `-` reads it from stdin.")],
    model: Annotated[str, typer.Option(help="auto, a layer (L0 to L3), or a model.")] = "auto",
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    max_layer: Annotated[str | None, typer.Option(help="The dearest layer that auto may use.")] = None,
    quality: Annotated[str, typer.Option(help="normal, high or critical.")] = "normal",
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer in tokens.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model; the answer comes as it is made.

    The answer goes to stdout; model, layer, tokens, cost and time go to stderr.
    """
    from mcp_gateway.commands.opening import with_gateway

    given = {
        "message": sys.stdin.read() if message == "-" else message,
        "model": model,
        "system": system,
        "maxLayer": max_layer,
        "quality": quality,
        "temperature": temperature,
        "maxTokens": max_tokens,
    }

    async def work(gateway: "Gateway") -> None:
        await _ask(gateway, given, as_json)

    with_gateway(work)


async def _ask(gateway: "Gateway", given: dict[str, Any], as_json: bool) -> None:
    from mcp_gateway.arguments import ChatArguments
    from mcp_gateway.calls.chat import payload_of
    from mcp_gateway.calls.reply import Reply
    from shared.operations import dispatch
    from shared.operations.chat import CHAT_STREAM

    payload = payload_of(dispatch.parse(ChatArguments, given, strict=False))
    reply = Reply()
    started = time.perf_counter()
    shown = 0
    try:
        async with dispatch.open_stream(gateway, LOCAL, CHAT_STREAM, payload) as answer:
            async for events in answer:
                reply.take(events)
                if not as_json:
                    shown += _print_more(reply.text[shown:])
    finally:
        if shown:
            print(flush=True)
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_facts(reply, answer.route, seconds))
    else:
        print(_footer(reply, answer.route, seconds), file=sys.stderr)


def _print_more(text: str) -> int:
    print(printable(text), end="", flush=True)
    return len(text)


def _facts(reply: "Reply", route: "Route", seconds: float) -> dict[str, Any]:
    return {
        "text": reply.text,
        "model": route.model.api_model_name,
        "modelId": route.model.id,
        "provider": route.model.provider,
        "layer": route.model.layer,
        "usage": reply.usage.to_openai() if reply.usage else None,
        "costUsd": None if route.cost is None else float(route.cost),
        "attempts": route.attempts,
        "finishReason": reply.finish_reason or None,
        "durationMs": round(seconds * 1000),
    }


def _footer(reply: "Reply", route: "Route", seconds: float) -> str:
    from mcp_gateway.rendering import dollars

    tokens = f"{reply.usage.prompt}+{reply.usage.completion} tokens" if reply.usage else "tokens not counted"
    facts = [f"{route.model.api_model_name} ({route.model.provider})", route.model.layer, tokens]
    facts += [dollars(route.cost), f"{seconds:.1f} s"]
    if route.attempts > 1:
        facts.append(f"attempt {route.attempts}")
    if reply.finish_reason == "length":
        facts.append("cut at its longest length")
    return printable("— " + " · ".join(facts))

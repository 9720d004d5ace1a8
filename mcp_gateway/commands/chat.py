"""`mcp-gateway chat`: ask a model from a shell."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, printable
from shared.domain.identity import LOCAL

if TYPE_CHECKING:
    from mcp_gateway.calls.offer import Offer
    from mcp_gateway.calls.reply import Reply
    from shared.gateway import Gateway
    from shared.routing.answers import Route


def chat(
    message: Annotated[str, typer.Argument(help="What to ask; `-` reads it from stdin.")],
    model: Annotated[str, typer.Option(help="auto, a layer (L0 to L3), or a model.")] = "auto",
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    max_layer: Annotated[str | None, typer.Option(help="The dearest layer that auto may use.")] = None,
    quality: Annotated[str, typer.Option(help="normal, high or critical.")] = "normal",
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer in tokens.")] = None,
    cross_check: Annotated[bool, typer.Option("--cross-check", help="Have a second model check the answer.")] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Ask two models at once; a layer up where they disagree.")
    ] = False,
    escalate: Annotated[
        bool, typer.Option("--escalate", help="A layer up when the answer is not good enough, as far as --max-layer.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before such a step costs money.")] = False,
    budget: Annotated[str | None, typer.Option(metavar="USD", help="The most that all of it may cost.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model; the answer comes as it is made.

    The answer goes to stdout; model, layer, tokens, cost and time go to stderr.
    """
    from mcp_gateway.arguments import ChatArguments
    from mcp_gateway.calls.chat import payload_of
    from mcp_gateway.commands.opening import with_gateway
    from shared.operations import dispatch

    given = {
        "message": sys.stdin.read() if message == "-" else message,
        "model": model,
        "system": system,
        "maxLayer": max_layer,
        "quality": quality,
        "temperature": temperature,
        "maxTokens": max_tokens,
        "crossCheck": cross_check,
        "agreement": 2 if agreement else None,
        "escalate": escalate or None,
        "budgetUsd": budget,
    }
    payload = payload_of(dispatch.parse(ChatArguments, given, strict=False))
    payload["gateway"]["escalation"] = "allow" if yes else "confirm"
    offer = with_gateway(lambda gateway: _ask(gateway, payload, as_json))
    if offer is not None:
        _keep(offer, as_json)
        if _agreed(offer, as_json):
            with_gateway(lambda gateway: _ask(gateway, offer.accepted(payload), as_json))


async def _ask(gateway: "Gateway", payload: dict[str, Any], as_json: bool) -> "Offer | None":
    """Print the answer; or give the offer of a better one that costs money."""
    from mcp_gateway.calls.offer import Offer
    from mcp_gateway.calls.reply import Reply
    from shared.errors import Conflict
    from shared.operations import dispatch
    from shared.operations.chat import CHAT_STREAM

    reply = Reply()
    started = time.perf_counter()
    shown = 0
    try:
        async with dispatch.open_stream(gateway, LOCAL, CHAT_STREAM, payload) as answer:
            async for events in answer:
                reply.take(events)
                if not as_json:
                    shown += _print_more(reply.text[shown:])
    except Conflict as error:
        return Offer.of(error)
    finally:
        if shown:
            print(flush=True)
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_facts(reply, answer.route, seconds))
    else:
        print(_footer(reply, answer.route, seconds), file=sys.stderr)
    return None


def _keep(offer: "Offer", as_json: bool) -> None:
    """Print the answer there is, and what would be possible."""
    note = f"{offer.shortcoming}; {offer.next_model} may do better and costs {offer.price}: --yes goes there."
    if as_json:
        facts = {"text": offer.answer, "modelId": offer.model, "costUsd": float(offer.spent_usd), "note": note}
        print_json({**facts, "offer": offer.model_dump(mode="json", by_alias=True, exclude={"answer", "model"})})
        return
    print(printable(offer.answer), flush=True)
    print(printable(f"— {note}"), file=sys.stderr)


def _agreed(offer: "Offer", as_json: bool) -> bool:
    """Whether the user wants it, where there is one to be asked."""
    asks = not as_json and sys.stdin.isatty() and sys.stderr.isatty()
    return asks and typer.confirm(printable(f"Ask {offer.next_model} for {offer.price}?"), err=True)


def _print_more(text: str) -> int:
    print(printable(text), end="", flush=True)
    return len(text)


def _facts(reply: "Reply", route: "Route", seconds: float) -> dict[str, Any]:
    from mcp_gateway.calls.checks import checks_of

    checks = checks_of(reply.notes, reply.cost)
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
        "checks": checks and checks.model_dump(mode="json", by_alias=True),
    }


def _footer(reply: "Reply", route: "Route", seconds: float) -> str:
    from mcp_gateway.calls.checks import checks_of
    from mcp_gateway.rendering import checks, dollars

    tokens = f"{reply.usage.prompt}+{reply.usage.completion} tokens" if reply.usage else "tokens not counted"
    facts = [f"{route.model.api_model_name} ({route.model.provider})", route.model.layer, tokens]
    facts += [dollars(route.cost), f"{seconds:.1f} s"]
    if route.attempts > 1:
        facts.append(f"attempt {route.attempts}")
    if reply.finish_reason == "length":
        facts.append("cut at its longest length")
    return printable("\n".join(["— " + " · ".join(facts), *checks(checks_of(reply.notes, reply.cost))]))

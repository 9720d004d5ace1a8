"""`mcp-gateway chat`: ask a model from a shell."""

import secrets
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, spoken
from shared.domain.identity import LOCAL
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from mcp_gateway.calls.offer import Offer
    from mcp_gateway.commands.told import Told
    from shared.gateway import Gateway


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
    allow_paid: Annotated[
        bool, typer.Option("--allow-paid", help="Models of the free layer that cost money may be asked too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a model; the answer comes as it is made.

    The answer goes to stdout; model, layer, tokens, cost and time go to stderr.
    """
    from mcp_gateway.arguments import ChatArguments
    from mcp_gateway.calls.questions import payload_of
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
        "allowPaid": allow_paid,
    }
    payload = payload_of(dispatch.parse(ChatArguments, given, strict=False))
    payload["gateway"]["escalation"] = "allow" if yes else "confirm"
    unsure = with_gateway(lambda gateway: _ask(gateway, payload, as_json))
    if unsure is None:
        return
    if _told_and_agreed(unsure, as_json):
        offer = unsure.offer
        with_gateway(lambda gateway: _ask(gateway, offer.accepted(payload), as_json, instead=offer))


@dataclass(frozen=True, slots=True)
class _Unsure:
    """An answer that may not be good enough, with the offer of a better one that costs money."""

    answer: "Told"
    offer: "Offer"


async def _ask(
    gateway: "Gateway", payload: dict[str, Any], as_json: bool, *, instead: "Offer | None" = None
) -> _Unsure | None:
    """Print the answer, if it is not to be decided first whether there is to be a better one."""
    from mcp_gateway.calls.offer import Offer
    from mcp_gateway.calls.reply import Reply
    from mcp_gateway.commands.told import told, told_of
    from shared.errors import Conflict
    from shared.operations import dispatch
    from shared.operations.chat import CHAT_STREAM

    caller = replace(LOCAL, request_id=secrets.token_hex(12))
    reply = Reply()
    started = time.perf_counter()
    shown = 0
    try:
        async with dispatch.open_stream(gateway, caller, CHAT_STREAM, payload) as answer:
            async for events in answer:
                reply.take(events)
                if not as_json:
                    shown += _print_more(reply.text[shown:])
    except Conflict as error:
        offer = Offer.of(error)
        model = gateway.registry.snapshot.models.get(offer.model)
        if model is None:
            raise
        seconds = time.perf_counter() - started
        return _Unsure(told_of(offer, model, request_id=caller.request_id, seconds=seconds), offer)
    finally:
        if shown:
            print(flush=True)
    seconds = time.perf_counter() - started
    found = told(reply, answer.route, request_id=caller.request_id, seconds=seconds, instead=instead)
    if as_json:
        print_json(found.facts)
    else:
        print(found.footer, file=sys.stderr)
    return None


def _told_and_agreed(unsure: _Unsure, as_json: bool) -> bool:
    """Print the answer there is and what would be possible; whether the user wants that, where there is one to be asked."""
    answer, offer = unsure.answer, unsure.offer
    possible = f"{offer.shortcoming}; {offer.next_model} may do better and costs {offer.price}"
    if as_json:
        rest = offer.model_dump(mode="json", by_alias=True, exclude={"answer", "model", "usage"})
        print_json({**answer.facts, "note": f"{possible}: --yes goes there.", "offer": rest})
        return False
    print(spoken(answer.text), flush=True)
    print(answer.footer, file=sys.stderr)
    if sys.stdin.isatty() and sys.stderr.isatty():
        print(visible(f"— {offer.shortcoming}"), file=sys.stderr)
        return typer.confirm(visible(f"Ask {offer.next_model} too, for {offer.price}?"), err=True)
    print(visible(f"— {possible}: --yes goes there."), file=sys.stderr)
    return False


def _print_more(text: str) -> int:
    print(spoken(text), end="", flush=True)
    return len(text)

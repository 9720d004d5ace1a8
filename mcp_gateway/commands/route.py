"""`mcp-gateway route`: where a chat would go, what it would cost, and why others are left out."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.operations.routing import Candidate, RouteExplanation

COLUMNS = ("", "layer", "model", "$/M in/out", "$ about", "$ most", "cooling")
NUMBERS = ("$/M in/out", "$ about", "$ most")
UNKNOWN = "?"
SMALLEST = Decimal("0.000001")


def route(
    message: Annotated[str, typer.Argument(help="What would be asked; `-` reads it from stdin.")],
    model: Annotated[str, typer.Option(help="auto, a layer (L0 to L3), or a model.")] = "auto",
    max_layer: Annotated[str | None, typer.Option(help="The dearest layer that auto may use.")] = None,
    quality: Annotated[str, typer.Option(help="normal, high or critical.")] = "normal",
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer in tokens.")] = None,
    budget: Annotated[str | None, typer.Option(metavar="USD", help="The most that all of it may cost.")] = None,
    allow_paid: Annotated[
        bool, typer.Option("--allow-paid", help="Models of the free layer that cost money may be asked too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a chat would go, without asking anyone.

    This process has just begun: what a running server knows of models in trouble, and of conversations, it does not.
    """
    from mcp_gateway.arguments import Question
    from mcp_gateway.calls.questions import question_of
    from mcp_gateway.commands.opening import call
    from shared.operations import dispatch
    from shared.operations.routing import EXPLAIN_ROUTE

    given = {
        "message": sys.stdin.read() if message == "-" else message,
        "model": model,
        "maxLayer": max_layer,
        "quality": quality,
        "maxTokens": max_tokens,
        "budgetUsd": budget,
        "allowPaid": allow_paid,
    }
    found = call(EXPLAIN_ROUTE, question_of(dispatch.parse(Question, given, strict=False)))
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: "RouteExplanation") -> None:
    print(visible(found.summary))
    for line in _facts(found):
        print(visible(line))
    if found.attempts:
        print()
        print_table(COLUMNS, (_row(number, entry) for number, entry in enumerate(found.attempts, 1)), right=NUMBERS)
    if found.dropped:
        print()
        print_table(
            ("", "layer", "left out", "why"), (("✗", item.layer, item.id, item.reason) for item in found.dropped)
        )


def _facts(found: "RouteExplanation") -> Iterator[str]:
    """What the plan was made from, where it is worth a line."""
    facts, policy, complexity = found.facts, found.policy, found.facts.complexity
    needs = f", needs {', '.join(facts.needs)}" if facts.needs else ""
    yield f"The prompt: about {facts.prompt_tokens} tokens{needs}; layers {policy.lowest_layer} to {policy.highest_layer}."
    counts = "and counts" if complexity.counts else "and does not count here"
    hardness = "not known" if complexity.hardness is None else f"{complexity.hardness:.2f}"
    yield f"Its complexity is {hardness} {counts}."
    if found.learned.layer is not None:
        heard = "followed" if found.learned.followed else "only watched"
        yield f"Learned: start in {found.learned.layer} ({heard}): {found.learned.reason}."
    if found.left_usd is not None:
        yield f"Budgets leave ${found.left_usd:f}."


def _row(number: int, entry: "Candidate") -> tuple[str, ...]:
    prices = UNKNOWN
    if entry.price_per_1m_input_tokens is not None and entry.price_per_1m_output_tokens is not None:
        prices = f"{_amount(entry.price_per_1m_input_tokens)}/{_amount(entry.price_per_1m_output_tokens)}"
    cooling = f"{entry.cooling_seconds:g} s ({entry.cooling_reason})" if entry.cooling_seconds else ""
    costs = (_amount(entry.expected_cost_usd), _amount(entry.most_cost_usd))
    return f"✓ {number}", entry.layer, entry.id, prices, *costs, cooling


def _amount(dollars: Decimal | None) -> str:
    if dollars is None:
        return UNKNOWN
    short = round(dollars, 6)
    if dollars and not short:
        return f"<{SMALLEST:f}"
    return f"{short.normalize():f}"

"""An answer that shows itself not good enough goes one layer up; where that costs money, with leave."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import Facts
from shared.errors import Conflict, GatewayError
from shared.routing.allowance import USUAL_TOKENS, most
from shared.routing.answers import Answer
from shared.routing.checks.evidence import shortcoming
from shared.routing.checks.review import text_of
from shared.routing.executor import Executor
from shared.routing.job import Job
from shared.usage.pricing import PriceBook

Higher = Callable[[Layer], Sequence[Model]]
"""The models of the layers from that one on which the request may use, the lowest first."""

WORDS = {
    "refused": "was a refusal",
    "truncated": "was cut off",
    "empty": "was empty",
    "invalid_json": "was not the JSON that was asked for",
    "invalid_schema": "did not keep to the JSON schema",
    "invalid_tool_call": "called a tool with arguments that are no JSON object",
    "unknown_tool": "called a tool that the request does not offer",
    "invalid_tool_arguments": "called a tool with arguments that do not keep to its schema",
    "tool_call_as_text": "wrote a tool call as text",
    "no_agreement": "was not confirmed by a second model",
    "failed_check": "did not pass its check",
}


async def escalated(executor: Executor, prices: PriceBook, job: Job, answer: Answer, higher: Higher) -> Answer:
    """The answer, or the first one of a higher layer that shows no shortcoming, with the steps in
    `route.notes["escalation"]`. A step that fails keeps what there is.

    Raises Conflict (`escalation_needs_confirmation`) before a step that costs money when the caller wants to be asked.
    """
    steps: list[dict[str, Any]] = []
    why = ""
    while (reason := reason_of(job, answer)) is not None:
        layer = answer.route.model.layer
        models = [model for model in higher(next_layer(layer)) if model.layer > layer] if layer != LAYERS[-1] else []
        steps.append({"reason": reason, "from": answer.route.model.id})
        if not models:
            why = "no higher layer is allowed or available"
            break
        if job.request.options.escalation == "confirm":
            _confirm(prices, job, answer, reason, models[0])
        try:
            better = await executor.complete(replace(job, models=tuple(models), purpose="escalation", hedged=False))
        except GatewayError as error:
            why = error.message
            break
        better.route.notes.update({name: note for name, note in answer.route.notes.items() if name == "agreement"})
        steps[-1]["to"] = better.route.model.id
        answer = better
    if steps:
        answer.route.notes["escalation"] = {"steps": steps, "ended": why or "answered"}
    return answer


def reason_of(job: Job, answer: Answer) -> str | None:
    """What speaks against an answer; None when nothing does."""
    if found := shortcoming(job.request, answer.payload):
        return found
    notes = answer.route.notes
    if answer.route.model.layer == _layer_of_agreement(answer) and notes["agreement"]["agreed"] is False:
        return "no_agreement"
    return "failed_check" if notes.get("selfCheck", {}).get("verdict") == "disputed" else None


def next_layer(layer: Layer) -> Layer:
    """The layer above."""
    return LAYERS[LAYERS.index(layer) + 1]


def _layer_of_agreement(answer: Answer) -> Layer | None:
    """The layer whose models disagreed, as long as the answer is still theirs."""
    note = answer.route.notes.get("agreement")
    return answer.route.model.layer if note and answer.route.model.id in note["models"] else None


def _confirm(prices: PriceBook, job: Job, answer: Answer, reason: str, model: Model) -> None:
    cost = expected_most(prices, job.request.bounded().facts, model)
    if cost == 0:
        return
    price = "an amount that is not known" if cost is None else f"up to ${cost:.6f}"
    raise Conflict(
        f"The answer of {answer.route.model.id} {WORDS[reason]}; {model.id} in {model.layer} may do better and costs "
        f'{price}. To go there, send the chat again with "model": "{model.layer}"; the answer in \'details\' is there '
        "to be kept.",
        details={
            "reason": reason,
            "answer": text_of(answer.payload),
            "model": answer.route.model.id,
            "nextModel": model.id,
            "nextLayer": model.layer,
            "nextRequest": {"model": model.layer},
            "costUsd": None if cost is None else float(cost),
            "spentUsd": None if job.tab.total is None else float(job.tab.total),
            "usage": answer.usage.to_openai(),
        },
        code="escalation_needs_confirmation",
    )


def expected_most(prices: PriceBook, facts: Facts, model: Model) -> Decimal | None:
    """What an answer of that model may cost; None when its price is not known."""
    rates = prices.rates(model)
    return None if rates is None else most(facts, rates, facts.max_tokens or USUAL_TOKENS)

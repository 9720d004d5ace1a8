"""Two cheap models answer at once: where they come to the same result, the cheaper answer is taken and no dearer model is asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.models import Model
from shared.domain.routing import Facts
from shared.errors import GatewayError
from shared.providers.embedded import MODEL as EMBEDDED
from shared.routing.answers import Answer
from shared.routing.checks.blocks import parsed
from shared.routing.checks.likeness import alike
from shared.routing.checks.review import question_of, text_of
from shared.routing.checks.statements import Verdict
from shared.routing.executor import Executor
from shared.routing.job import Job
from shared.routing.judgement import expected
from shared.usage.pricing import PriceBook


async def asked_both(executor: Executor, prices: PriceBook, job: Job) -> Answer:
    """One of two models' answers, with whether they agree in `route.notes["agreement"]`: null when only one answered.

    The cheaper is taken when they agree, else the one that the plan has first. Raises what the first raises when
    neither answered.
    """
    both = split(cheapest_first(prices, job.request.facts, job.models))
    calls = [executor.complete(replace(job, models=models, purpose=purpose)) for models, purpose in both]
    found = await asyncio.gather(*calls, return_exceptions=True)
    answers = [answer for answer in found if isinstance(answer, Answer)]
    if not answers or any(
        isinstance(failed, BaseException) and not isinstance(failed, GatewayError) for failed in found
    ):
        raise next(failed for failed in found if isinstance(failed, BaseException))
    if len(answers) < 2:
        answers[0].route.notes["agreement"] = {"agreed": None, "models": [answers[0].route.model.id]}
        return answers[0]
    verdict = _compared(job.request, *answers)
    taken = min(answers, key=_price) if verdict == "same" else answers[0]
    note = {"agreed": verdict == "same", "models": [answer.route.model.id for answer in answers]}
    taken.route.notes["agreement"] = {**note, "unclear": True} if verdict == "unclear" else note
    return taken


def cheapest_first(prices: PriceBook, facts: Facts, models: Sequence[Model]) -> list[Model]:
    """The models by layer and expected cost, those without a known price last; the embedded one only where it is alone:
    it is too small to agree with anybody.
    """

    def place(model: Model) -> tuple[bool, str, Decimal]:
        cost = expected(prices, facts, model)
        return model.api_model_name == EMBEDDED.name, model.layer, Decimal("Infinity") if cost is None else cost

    return sorted(models, key=place)


def split(models: Sequence[Model]) -> list[tuple[tuple[Model, ...], Any]]:
    """The models for the first answer and those for the second, each with others to fall back on; one when there is
    only one model.
    """
    first = models[0]
    others = [model for model in models if model.api_model_name != first.api_model_name]
    if not others or others[0].api_model_name == EMBEDDED.name:
        return [(tuple(models), "answer")]
    second, rest = others[0], others[1:]
    return [((first, *rest[::2]), "answer"), ((second, *rest[1::2]), "agreement")]


def _compared(request: ChatRequest, first: Answer, second: Answer) -> Verdict:
    calls = [_calls(answer) for answer in (first, second)]
    if calls[0] or calls[1]:
        return "same" if calls[0] == calls[1] else "different"
    if any(answer.payload["choices"][0].get("finish_reason") == "length" for answer in (first, second)):
        return "unclear"
    return alike(text_of(first.payload), text_of(second.payload), question_of(request))


def _calls(answer: Answer) -> list[tuple[Any, Any]]:
    """The tool calls without their ids, which always differ."""
    calls = answer.payload["choices"][0]["message"].get("tool_calls") or ()
    functions = [call.get("function") or {} for call in calls]
    return [(function.get("name"), parsed(function.get("arguments"))) for function in functions]


def _price(answer: Answer) -> Decimal:
    cost = answer.payload["usage"].get("cost")
    return Decimal("Infinity") if cost is None else Decimal(str(cost))

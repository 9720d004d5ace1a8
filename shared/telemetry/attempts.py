"""Attempts that leave a CLIENT span each, in the form of OpenTelemetry's GenAI conventions."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from shared.domain import trace
from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.domain.trace import CURRENT, SAMPLED, tracing
from shared.domain.usage import Usage
from shared.errors import Unsupported, UpstreamError
from shared.routing.attempt import Attempt, Desk
from shared.routing.job import Failure, Job, Purpose
from shared.telemetry import messages
from shared.telemetry.messages import Heard
from shared.telemetry.tracing import Span, Telemetry, Value, known

SETTINGS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}
LONGEST = 200


def attempt_of(
    telemetry: Telemetry, desk: Desk, job: Job, model: Model, key: int, number: int, purpose: Purpose
) -> Attempt:
    """An attempt, with a span where its trace is recorded."""
    around = CURRENT.get()
    if around is None or not around.flags & SAMPLED:
        return Attempt(desk, job, model, key, number, purpose)
    span = Span(name=f"chat {model.api_model_name}", kind="client", trace=trace.step_of(around), parent=around.span_id)
    return TracedAttempt(telemetry, span, desk, job, model, key, number, purpose)


class TracedAttempt(Attempt):
    """An attempt with a span of its own. The provider is told of that span."""

    def __init__(
        self,
        telemetry: Telemetry,
        span: Span,
        desk: Desk,
        job: Job,
        model: Model,
        key: int,
        number: int,
        purpose: Purpose,
    ) -> None:
        super().__init__(desk, job, model, key, number, purpose)
        self._telemetry = telemetry
        self._span = span
        self._answer: dict[str, Any] | None = None
        self._heard: Heard | None = None
        self._failure: UpstreamError | Unsupported | None = None

    async def complete(self) -> Completion:
        with tracing(self._span.trace):
            completion = await super().complete()
        self._answer = completion.payload
        return completion

    async def open(self, stack: AsyncExitStack) -> tuple[bytes, AsyncIterator[Chunk]]:
        with tracing(self._span.trace):
            first, rest = await super().open(stack)
        self._heard = Heard(first, rest)
        return first, self._heard

    def failed(self, error: UpstreamError | Unsupported) -> Failure:
        self._failure = error
        return super().failed(error)

    def _end(self, outcome: str, usage: Usage, cost: Decimal | None, **charged: Any) -> None:
        super()._end(outcome, usage, cost, **charged)
        span = self._span
        span.attributes |= self._asked_for() | _used(usage, cost)
        answer = self._heard.answer() if self._heard is not None else self._answer
        if answer is not None:
            span.attributes |= _answered(answer)
        if self._telemetry.content:
            span.attributes |= messages.content(self._telemetry, self.request, answer)
        if outcome != "ok":
            failure = self._failure
            span.fail(outcome, outcome if failure is None else failure.message)
            if isinstance(failure, UpstreamError) and failure.status:
                span.attributes["http.response.status_code"] = failure.status
        self._telemetry.end(span)

    def _asked_for(self) -> dict[str, Value]:
        model, tab = self.model, self.job.tab
        account = self._desk.providers.account(model.provider)
        address = urlsplit(account.base_url) if account is not None else None
        return known(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": model.provider,
                "gen_ai.request.model": model.api_model_name,
                "gen_ai.request.stream": self.request.stream,
                "gen_ai.request.max_tokens": self.request.facts.max_tokens,
                "gen_ai.response.time_to_first_chunk": self._first_token,
                "gen_ai.conversation.id": self.request.options.session,
                "server.address": address.hostname if address else None,
                "server.port": address.port if address else None,
                "gateway.model.id": model.id,
                "gateway.model.layer": model.layer,
                "gateway.attempt.number": self.number,
                "gateway.attempt.purpose": self._purpose,
                "gateway.chat.id": tab.chat_id,
                **_settings(self.request),
            }
        )


def _settings(request: ChatRequest) -> dict[str, Any]:
    payload = request.payload
    numbers = {
        attribute: payload[name]
        for name, attribute in SETTINGS.items()
        if isinstance(payload.get(name), int | float) and not isinstance(payload[name], bool)
    }
    stop = payload.get("stop")
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    return {**numbers, "gen_ai.request.stop_sequences": [one[:LONGEST] for one in stops if isinstance(one, str)]}


def _used(usage: Usage, cost: Decimal | None) -> dict[str, Value]:
    if not (usage.prompt or usage.completion):
        return {}
    return known(
        {
            "gen_ai.usage.input_tokens": usage.prompt,
            "gen_ai.usage.output_tokens": usage.completion,
            "gen_ai.usage.cache_read.input_tokens": usage.cached or None,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write or None,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
            "gateway.usage.estimated": usage.estimated or None,
            "gateway.cost_usd": None if cost is None else float(cost),
        }
    )


def _answered(answer: dict[str, Any]) -> dict[str, Value]:
    choices = [choice for choice in answer.get("choices") or () if isinstance(choice, dict)]
    reasons = [reason for choice in choices if isinstance(reason := choice.get("finish_reason"), str)]
    named = {"gen_ai.response.id": answer.get("id"), "gen_ai.response.model": answer.get("model")}
    return known(
        {
            **{name: value[:LONGEST] for name, value in named.items() if isinstance(value, str)},
            "gen_ai.response.finish_reasons": reasons,
        }
    )

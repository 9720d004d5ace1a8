"""Decisions on requests that were never made."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Model
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.routing.job import Made, Purpose
from shared.routing.policy import Policy
from shared.routing.replay.decision import Decision

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECRET = "the words of the caller"
ANNA = Caller(id="user-1", kind="user", name="anna", scopes=frozenset({"chat"}), request_id="r-1")


def asked(text: str = SECRET, **body: Any) -> ChatRequest:
    """A request."""
    return ChatRequest.parse({"messages": [{"role": "user", "content": text}], **body})


def a_model(name: str, layer: Any = "L1", *, priority: int = 0, price: int | None = 1, **more: Any) -> Model:
    """A model of the registry; a token of the prompt costs a thousandth of `price`, one of the answer twice that."""
    prices = {"price_per_1k_input_tokens": price, "price_per_1k_output_tokens": None if price is None else 2 * price}
    more = {"provider": "openai", **prices, **more}
    return Model(id=name, api_model_name=name, layer=layer, priority=priority, **more)


def made(model: Model, outcome: str = "ok", cost: str | None = "0", purpose: Purpose = "answer") -> Made:
    """A call."""
    return Made(model, purpose, outcome, None if cost is None else Decimal(cost), 12)


def decided(
    request: ChatRequest, models: Sequence[Model], calls: Sequence[Made], *, caller: Caller = ANNA, **more: Any
) -> Decision:
    """A decision: these models were planned, these calls made, and the last one that went well gave the answer."""
    answered = next((call.model for call in reversed(calls) if call.outcome == "ok"), None)
    values: dict[str, Any] = {
        "at": NOON,
        "policy": Policy(),
        "plan": Plan(tuple(models), cooling=more.pop("cooling", ())),
        "stay": "",
        "start": models[0].layer if models else None,
        "left": None,
        "outcome": "unavailable" if answered is None else "ok",
        "model": answered,
        "usage": None if answered is None else Usage(prompt=1000, completion=100),
        "notes": {},
        "lesson": None,
    }
    return Decision(caller=caller, request=request, facts=request.facts, calls=calls, **{**values, **more})

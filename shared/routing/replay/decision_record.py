"""A decision as it is stored, small and versioned JSON without any text of the messages, and read back. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

from shared.domain.chat import ChatRequest
from shared.domain.models import Layer
from shared.domain.routing import OPENING, Dropped, Facts, Plan, RoutingOptions
from shared.domain.usage import Usage
from shared.routing.job import Made, Purpose
from shared.routing.planner import unserved
from shared.routing.policy import Permit, Policy
from shared.routing.replay.decision import Decision

VERSION = 1
MOST_TEXT = 100_000
MOST_REASONS = 10
FIRST_DROPPED = 5

FACTS = tuple((field.name, field.default) for field in fields(Facts) if field.name not in ("conversation", "options"))
POLICY = tuple(field.name for field in fields(Policy))
USAGE = tuple(field.name for field in fields(Usage))


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model; a cost of None is not known."""

    model: str
    layer: Layer
    purpose: Purpose
    outcome: str
    cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a stored decision says: enough to plan its request again. `away` are providers that could not be asked."""

    facts: Facts
    permit: Permit
    start: Layer | None
    attempts: tuple[str, ...]
    cooling: tuple[str, ...]
    away: frozenset[str]
    calls: tuple[Call, ...]
    outcome: str
    model: str | None
    usage: Usage | None


def stored(decision: Decision) -> dict[str, Any]:
    """The data of a decision's row: made for every chat, while it ends, and all that is kept of it until it is written."""
    plan, policy, usage = decision.plan, decision.policy, decision.usage
    return {
        "version": VERSION,
        "facts": _facts(decision.facts),
        "permit": _permit(decision),
        "policy": {name: getattr(policy, name) for name in POLICY},
        "start": decision.start if plan.attempts and decision.start != plan.attempts[0].layer else None,
        "plan": _plan(plan),
        "calls": [_call(call) for call in decision.calls],
        "outcome": decision.outcome,
        "model": None if decision.model is None else decision.model.id,
        "usage": None if usage is None else {name: told for name in USAGE if (told := getattr(usage, name))},
        "notes": _verdicts(decision.notes) if decision.notes else {},
        "lesson": None if decision.lesson is None else dict(decision.lesson),
    }


def text_of(request: ChatRequest | None) -> str | None:
    """The messages as JSON, cut where they are long; None where they are not kept."""
    if request is None:
        return None
    messages = orjson.dumps(request.payload["messages"], default=str)
    return messages[:MOST_TEXT].decode("utf-8", "ignore")


def restored(data: Mapping[str, Any]) -> Record | None:
    """What a row says; None when it is of another version."""
    if data.get("version") != VERSION:
        return None
    facts, permit, plan, usage = data["facts"], data["permit"], data["plan"], data["usage"]
    models, left = permit.get("models"), permit.get("left")
    return Record(
        facts=Facts(**{**facts, "options": RoutingOptions.model_validate(facts["options"])}),
        permit=Permit(
            models=None if models is None else frozenset(models),
            max_layer=permit.get("maxLayer"),
            left=None if left is None else Decimal(left),
            stay=permit.get("stay", ""),
        ),
        start=data["start"],
        attempts=tuple(plan["attempts"]),
        cooling=tuple(plan["cooling"]),
        away=frozenset(plan["away"]),
        calls=tuple(_restored_call(call) for call in data["calls"]),
        outcome=data["outcome"],
        model=data["model"],
        usage=None if usage is None else Usage(**usage),
    )


def _facts(facts: Facts) -> dict[str, Any]:
    told = {name: value for name, default in FACTS if (value := getattr(facts, name)) != default}
    told["conversation"] = _conversation(facts)
    told["options"] = _options(facts.options) if facts.options.model_fields_set else {}
    return told


def _options(options: RoutingOptions) -> dict[str, Any]:
    given = options.model_dump(exclude_defaults=True, exclude={"budget_usd"})
    if options.budget_usd is not None:
        given["budgetUsd"] = str(options.budget_usd)
    return given


def _permit(decision: Decision) -> dict[str, Any]:
    """What bounded the request; nothing where nothing did."""
    caller, permit = decision.caller, dict[str, Any]()
    if caller.models is not None:
        permit["models"] = sorted(caller.models)
    if caller.max_layer is not None:
        permit["maxLayer"] = caller.max_layer
    if decision.left is not None:
        permit["left"] = str(decision.left)
    if decision.stay:
        permit["stay"] = decision.stay
    return permit


def _conversation(facts: Facts) -> str:
    """A name for the conversation that does not show what its caller calls it, which may be somebody's name."""
    named = facts.conversation
    if not named or named.startswith(OPENING):
        return named
    return "named:" + blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _plan(plan: Plan) -> dict[str, Any]:
    dropped = plan.dropped
    return {
        "attempts": [model.id for model in plan.attempts],
        "cooling": [*plan.cooling],
        "away": sorted(
            {each.model.provider for each in dropped if not each.unfit and each.reason == unserved(each.model)}
        ),
        "low": plan.low,
        "high": plan.high,
        "dropped": _reasons(dropped) if dropped else {},
        "firstDropped": [{"model": item.model.id, "reason": item.reason} for item in dropped[:FIRST_DROPPED]],
    }


def _reasons(dropped: Sequence[Dropped]) -> dict[str, int]:
    """How often each was given, the most frequent ones."""
    reasons = Counter("it is over budget" if item.cost is not None else item.reason for item in dropped)
    return dict(reasons.most_common(MOST_REASONS))


def _call(call: Made) -> dict[str, Any]:
    return {
        "model": call.model.id,
        "layer": call.model.layer,
        "purpose": call.purpose,
        "outcome": call.outcome,
        "cost": _text(call.cost),
        "ms": call.milliseconds,
    }


def _restored_call(call: Mapping[str, Any]) -> Call:
    cost = call["cost"]
    return Call(call["model"], call["layer"], call["purpose"], call["outcome"], None if cost is None else Decimal(cost))


def _verdicts(notes: Mapping[str, Any]) -> dict[str, Any]:
    """What checks found, in a word each: their reasons quote the answers."""
    found = {name: notes[name].get("verdict") for name in ("crossCheck", "selfCheck") if name in notes}
    if "agreement" in notes:
        found["agreement"] = notes["agreement"].get("agreed")
    if "escalation" in notes:
        found["escalation"] = [step.get("reason") for step in notes["escalation"].get("steps", ())]
    return found


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)

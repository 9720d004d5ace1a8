"""What was done with an answer besides asking for it, from the `gateway` object that it carries. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mcp_gateway.results import Checks
from shared.routing.checks.escalation import WORDS

CHECKS = ("crossCheck", "selfCheck")


def checks_of(notes: Mapping[str, Any]) -> Checks | None:
    """The checks in brief; None when there were none."""
    return _checks(notes) if notes else None


def _checks(notes: Mapping[str, Any]) -> Checks:
    found: Mapping[str, Any] = next((notes[name] for name in CHECKS if isinstance(notes.get(name), dict)), {})
    steps = (notes.get("escalation") or {}).get("steps") or ()
    models = found.get("models") or {}
    return Checks(
        verdict=found.get("verdict"),
        reviewer=models.get("reviewed"),
        arbitrator=models.get("arbitrated"),
        issues=found.get("issues") or [],
        why=found.get("reason") or "",
        agreed=(notes.get("agreement") or {}).get("agreed"),
        steps=[_step(step["reason"], step["from"], step["to"]) for step in steps if step.get("to")],
        ended=_ended(notes.get("escalation") or {}),
        added_cost_usd=_added(notes.get("costUsd"), notes.get("answerCostUsd")),
    )


def after_a_step(found: Checks | None, *, reason: str, start: str, to: str, spent: Decimal) -> Checks:
    """The checks of an answer that was asked for because that of `start`, which cost `spent`, was not good enough."""
    found = found or _checks({"costUsd": 0, "answerCostUsd": 0})
    return found.model_copy(
        update={
            "steps": [_step(reason, start, to), *found.steps],
            "ended": found.ended or "answered",
            "added_cost_usd": None if found.added_cost_usd is None else found.added_cost_usd + spent,
        }
    )


def shortcoming(reason: str, model: str) -> str:
    """What speaks against an answer, as a clause."""
    return f"the answer of {model} {WORDS.get(reason, 'is not good enough')}"


def _step(reason: str, start: str, to: str) -> str:
    return f"{reason}: {start} → {to}"


def _ended(escalation: Mapping[str, Any]) -> str:
    """How it ended; where it went no higher, from what and why."""
    steps, ended = escalation.get("steps") or (), escalation.get("ended") or ""
    if not steps or steps[-1].get("to"):
        return ended
    return f"{shortcoming(steps[-1].get('reason'), steps[-1].get('from'))}; {ended}"


def _added(total: Any, own: Any) -> Decimal | None:
    if not isinstance(total, int | float) or not isinstance(own, int | float):
        return None
    return max(Decimal(str(total)) - Decimal(str(own)), Decimal(0))

"""What was done with an answer besides asking for it, from the `gateway` object that it carries. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mcp_gateway.results import Checks

CHECKS = ("crossCheck", "selfCheck")


def checks_of(notes: Mapping[str, Any], own_cost: Any) -> Checks | None:
    """The checks in brief; None when there were none. `own_cost` is what the answer itself cost, in US dollars."""
    if not notes:
        return None
    found: Mapping[str, Any] = next((notes[name] for name in CHECKS if isinstance(notes.get(name), dict)), {})
    escalation = notes.get("escalation") or {}
    return Checks(
        verdict=found.get("verdict"),
        issues=found.get("issues") or [],
        why=found.get("reason") or "",
        agreed=(notes.get("agreement") or {}).get("agreed"),
        steps=[_step(step) for step in escalation.get("steps") or ()],
        ended=escalation.get("ended") or "",
        added_cost_usd=_added(notes.get("costUsd"), own_cost),
    )


def _step(step: Mapping[str, Any]) -> str:
    to = step.get("to")
    return f"{step.get('reason')}: {step.get('from')}" + (f" → {to}" if to else "")


def _added(total: Any, own: Any) -> Decimal | None:
    if not isinstance(total, int | float) or not isinstance(own, int | float):
        return None
    return max(Decimal(str(total)) - Decimal(str(own)), Decimal(0))

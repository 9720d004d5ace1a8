"""What each model did for a past request, and how a walk through other models would then have gone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.domain.models import Model
from shared.errors import UpstreamContextTooLong, UpstreamRefused
from shared.routing.replay.decision_record import Record
from shared.routing.ruled_out import RuledOut
from shared.routing.treatment import Next, treatment
from shared.routing.walk import MAX_ATTEMPTS

TRIED = frozenset({"answer", "hedge", "agreement"})
"""What a call may be for that the plan's models are asked for."""

NEEDS_LEAVE = "escalation_needs_confirmation"
"""The outcome of a request whose answer lies in the question whether to go higher."""

ANSWERED = frozenset({"ok", NEEDS_LEAVE})

LEFT = frozenset({"cancelled", "request_timeout"})
"""Outcomes that are the caller's doing."""

STOPPED = frozenset({"cancelled", "request_timeout", "provider_rejected_request"})
"""Outcomes after which nobody else is asked."""

HEARD = ("escalation", "hedge", "answer", "agreement")
"""Whose answer it is that is asked about: the first of these that there is."""

NEXT: Mapping[str, Next] = {kind.code: treatment(kind("")).next for kind in (UpstreamContextTooLong, UpstreamRefused)}
"""Who may be asked after the failures that rule somebody out, by their codes."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a model did: how it ended, the code of its last call, how many calls failed, and what they cost."""

    end: Literal["answered", "failed", "stopped"]
    code: str
    failed: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Walked:
    """Who would be asked, in order. `last` is the model that answers, or after which nobody is asked; None: all fail."""

    asked: Sequence[str]
    last: Model | None


class Past:
    """One request as it went. `heard` is the model of its answer; where the caller left before its end, the one that
    was being asked. `unasked` says that the caller left before anybody was.
    """

    def __init__(self, record: Record) -> None:
        self.trials = {call.model: _trial(record, call.model) for call in record.calls if call.purpose in TRIED}
        self.heard = _heard(record)
        self.unasked = record.outcome in LEFT and not record.calls
        self._cooling = frozenset(record.cooling)
        self._passed_by = _passed_by(record, self.trials)

    def failed(self, asked: Iterable[str]) -> int:
        """How many calls of these models failed; who was cooling down and not asked counts as one."""
        return sum(self.trials[name].failed if name in self.trials else name in self._cooling for name in asked)

    def walked(self, models: Iterable[Model]) -> Walked:
        """The way through the models: who failed fails again, who was not asked answers; who was cooling comes last."""
        asked: list[str] = []
        ruled_out = RuledOut()
        resting = self._cooling.difference(self.trials)
        for model in sorted(models, key=lambda model: model.id in resting):
            if model.id in self._passed_by or model in ruled_out:
                continue
            if len(asked) == MAX_ATTEMPTS:
                break
            asked.append(model.id)
            trial = self.trials.get(model.id)
            if trial is None:
                if model.id not in self._cooling:
                    return Walked(asked, model)
            elif trial.end != "failed":
                return Walked(asked, model)
            else:
                ruled_out.add(model, NEXT.get(trial.code, "any"))
        return Walked(asked, None)


def known(costs: Iterable[Decimal | None]) -> Decimal:
    """The sum of those that are known."""
    return sum((cost for cost in costs if cost is not None), Decimal(0))


def total(costs: Iterable[Decimal | None]) -> Decimal | None:
    """The sum; None when one of them is not known."""
    found = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        found += cost
    return found


def _trial(record: Record, model: str) -> Trial:
    calls = [call for call in record.calls if call.model == model and call.purpose in TRIED]
    failed = sum(call.outcome != "ok" and call.outcome not in STOPPED for call in calls)
    last, cost = calls[-1].outcome, total(call.cost for call in calls)
    if last == "ok":
        return Trial("answered", last, failed, cost)
    if last in STOPPED or model == record.model:  # a stream that broke off has been heard already
        return Trial("stopped", last, failed, cost)
    return Trial("failed", last, failed, cost)


def _heard(record: Record) -> str | None:
    if record.outcome == "ok":
        return record.model
    if record.outcome == NEEDS_LEAVE:
        good = {call.purpose: call.model for call in record.calls if call.outcome == "ok"}
        return next((good[purpose] for purpose in HEARD if purpose in good), None)
    return record.calls[-1].model if record.outcome == "cancelled" and record.calls else None


def _passed_by(record: Record, trials: Mapping[str, Trial]) -> frozenset[str]:
    """Who was planned before somebody who was asked, and was not asked itself: it could not take the request just then.
    When nobody was left to ask, that is everybody who was not asked: for want of money, for instance.

    Otherwise known only where the models were asked in the order of the plan.
    """
    ended = any(trial.end == "stopped" for trial in trials.values())
    if not ended and record.outcome not in ANSWERED | LEFT:
        return frozenset(record.attempts).difference(trials)
    tried = [place for place, name in enumerate(record.attempts) if name in trials]
    if not tried or record.start is not None or (record.facts.options.agreement or 0) > 1:
        return frozenset()
    return frozenset(record.attempts[: max(tried)]).difference(trials)

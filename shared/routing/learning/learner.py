"""Learns from what came of each answer where requests should start: off, watching only (shadow), or on."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from math import log1p, sqrt
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from shared.domain.identity import Caller
from shared.domain.models import Layer
from shared.domain.routing import Facts
from shared.domain.shares import Shares
from shared.routing.learning import rewards
from shared.routing.learning.choice import Choice, Option, Passed, Passes, choose
from shared.routing.learning.heads import Heads
from shared.routing.learning.proof import DRAWN, Stage
from shared.routing.learning.quantiles import RecentScores
from shared.routing.learning.remembered import Remembered, Request
from shared.routing.learning.rewards import FEEDBACK, Lesson, Outcome
from shared.routing.learning.state import MOST_INPUTS, KeptRequest, State
from shared.structured import get_logger

log = get_logger(__name__)

Mode = Literal["off", "shadow", "on"]


class Estimate(Protocol):
    """What a strong model is expected to gain, 0 to 1, and by what it was seen (0 to 1 each)."""

    @property
    def score(self) -> float: ...
    @property
    def features(self) -> tuple[float, ...]: ...


class Learner:
    """The heads of all layers, the recent scores, and the requests whose outcome is still to come.

    Synchronous and in memory. `counts` says how often it abstained, how it would have chosen beside what is usual
    (`L0 to L1`), and how many outcomes and votes it has learned from.
    """

    def __init__(self, mode: Mode, shares: Shares) -> None:
        self.mode = mode
        self.counts: Counter[str] = Counter()
        self.heads = Heads()
        self._shares = shares
        self._recent: dict[str, RecentScores] = {}
        self._remembered = Remembered()
        self._said = False

    def start(
        self,
        caller: Caller,
        facts: Facts,
        *,
        estimate: Estimate,
        usual: Layer,
        costs: Mapping[Layer, Decimal | None],
    ) -> Choice | None:
        """The layer to start at; None to go on as usual, which it is always unless the mode is `on`.

        `costs` has the layers that may be started at and have a usable model, each with the US dollars that an answer
        is expected to cost there. The request is remembered, so that its outcome can be learned from.
        """
        if self.mode == "off":
            return None
        x = _inputs(facts, estimate)
        self.heads.fit(len(x))
        request = Request(array("f", x), estimate.score)
        self._remembered.put((caller.id, caller.request_id), request)
        choice = self._choose(x, estimate, costs, partial(self._passes, request.places))
        self._note(choice, usual)
        if choice is None:
            self._say_why(request.places)
        return choice if self.mode == "on" else None

    def preview(self, facts: Facts, *, estimate: Estimate, costs: Mapping[Layer, Decimal | None]) -> Choice | None:
        """What it would choose now, in whatever mode but `off` and without lots; nothing is remembered of it."""
        if self.mode == "off":
            return None
        x = _inputs(facts, estimate)
        self.heads.fit(len(x))
        return self._choose(x, estimate, costs, self._would_pass)

    def outcome(self, caller: Caller, layer: Layer, outcome: Outcome) -> None:
        """Learn what came of an answer of that layer; of requests that were not started here, nothing."""
        request = self._remembered.get((caller.id, caller.request_id))
        if request is None:
            return
        if outcome.ended == "ok" and not outcome.escalated:
            request.served = layer
        found = rewards.lesson(outcome)
        if found is not None:
            self.heads.learn(layer, request.x, request.score, found)
            self.counts["outcomes"] += 1
            self._prove(request, layer, found.reward)
        self._learn_vote(request)

    def vote(self, caller_id: str, request_id: str, score: float) -> bool:
        """Take a caller's own word, 0 to 1, on one of its requests; a later one replaces it. False: not remembered."""
        request = self._remembered.get((caller_id, request_id))
        if request is None:
            return False
        request.vote = score
        self._learn_vote(request)
        return True

    def late_vote(self, kept: Any, score: float, *, before: float | None) -> None:
        """The same for a request that is no longer remembered, from what `kept` gave; `before` is the vote it replaces."""
        try:
            found = KeptRequest.model_validate(kept)
        except ValidationError:
            return
        if self.mode != "off":
            if not self.heads.size:
                self.heads.fit(len(found.x))
            voted = None if before is None else (found.layer, before)
            self._learn_vote(Request(array("f", found.x), found.score, found.places, found.layer, score, voted))

    def kept(self, caller: Caller) -> dict[str, Any] | None:
        """What a vote that comes too late for the memory needs, as JSON; None for a request that nobody served."""
        request = self._remembered.get((caller.id, caller.request_id))
        if request is None or request.served is None:
            return None
        rounded = [round(value, 3) for value in request.x]
        places = {step: round(place, 3) for step, place in request.places.items()}
        kept = KeptRequest(x=rounded, score=request.score, layer=request.served, places=places)
        return kept.model_dump(mode="json")

    def vote_of(self, caller_id: str, request_id: str) -> float | None:
        """The vote on a request, for whoever writes its row after it came."""
        request = self._remembered.get((caller_id, request_id))
        return None if request is None else request.vote

    def state(self) -> State:
        """All that should outlive this process."""
        return self.heads.state({name: scores.latest for name, scores in self._recent.items()})

    @property
    def abstains(self) -> bool:
        """Whether no step up is taken yet, for want of proof."""
        return not any(self._stage(step) == "ranks" for step in self.heads.proofs)

    @property
    def standing(self) -> str:
        """How far each step has come, in words; empty before the first known outcome."""
        return "; ".join(f"{step} {proof.standing}" for step, proof in sorted(self.heads.proofs.items()))

    def restore(self, state: State) -> None:
        """Go on from what was kept."""
        self.heads.restore(state)
        self._recent = {name: RecentScores(scores) for name, scores in state.recent.items()}

    def _choose(
        self, x: Sequence[float], estimate: Estimate, costs: Mapping[Layer, Decimal | None], passes: Passes
    ) -> Choice | None:
        options = [
            Option(layer=layer, good=self.heads.good(layer, x, estimate.score), cost=costs[layer])
            for layer in sorted(costs)
        ]
        return choose(options, self._shares, passes)

    def _passes(self, places: dict[str, float], step: str, worth: float, share: float) -> Passed | None:
        recent = self._recent.setdefault(step, RecentScores())
        place = recent.place(worth)
        if place is not None:
            places[step] = place
        stage, passes = self._stage(step), recent.highest(worth, share)
        if passes is None or stage == "abstains":
            return None
        lot = recent.lot(share, DRAWN[stage])
        if lot is not None and self.mode == "on":
            return Passed(lot, drawn=True)
        return Passed(passes) if stage == "ranks" else None

    def _would_pass(self, step: str, worth: float, share: float) -> Passed | None:
        known = step in self._recent and self._stage(step) == "ranks"
        passes = self._recent[step].look(worth, share) if known else None
        return None if passes is None else Passed(passes)

    def _stage(self, step: str) -> Stage:
        """How far a step has come; while only watching, nothing can be tried, and the lower layer's outcomes do."""
        stage = self.heads.proof(step).stage
        return "ranks" if stage == "tries" and self.mode == "shadow" else stage

    def _prove(self, request: Request, layer: Layer, reward: float) -> None:
        for line, place in self.heads.lines(request.places, layer):
            line.add(place, reward)

    def _note(self, choice: Choice | None, usual: Layer) -> None:
        if choice is None:
            self.counts["abstained"] += 1
            return
        self.counts[f"{usual} to {choice.layer}"] += 1
        if self.mode == "shadow" and choice.layer != usual:
            log.info("router would have started at", layer=choice.layer, usual=usual, reason=choice.reason)

    def _say_why(self, places: Mapping[str, float]) -> None:
        """Tell once that the learner abstains for want of proof."""
        if places and not self._said:
            self._said = True
            log.info("router learning abstains until scored or checked answers show what a higher layer gains")

    def _learn_vote(self, request: Request) -> None:
        if request.vote is None or request.served is None:
            return
        if request.learned_vote is None:
            self.heads.learn(request.served, request.x, request.score, Lesson(request.vote, FEEDBACK))
            self._prove(request, request.served, request.vote)
            self.counts["votes"] += 1
            request.learned_vote = (request.served, request.vote)
        else:
            layer, before = request.learned_vote
            self.heads.revise(layer, request.x, request.score, Lesson(request.vote - before, FEEDBACK))
            for line, place in self.heads.lines(request.places, layer):
                line.revise(place, before, request.vote)
            request.learned_vote = (layer, request.vote)


def _inputs(facts: Facts, estimate: Estimate) -> list[float]:
    """What the heads see: a constant, the features of the estimate, and the facts that tell requests apart."""
    found = [
        1.0,
        log1p(facts.prompt_tokens) / 6 - 1,
        float(facts.needs_tools),
        float(facts.needs_schema),
        float(facts.needs_code),
        float(facts.needs_vision),
        float(facts.turn > 0),
        *(sqrt(max(value, 0.0)) for value in estimate.features),  # most are small, and would hardly count
    ]
    return [min(max(value, -1.0), 1.0) for value in found[:MOST_INPUTS]]

"""Estimates, callers and facts for tests of the learner."""

import random
from dataclasses import dataclass

from shared.domain.identity import LOCAL, Caller
from shared.domain.routing import Facts, RoutingOptions

FACTS = Facts(model="auto", options=RoutingOptions(), prompt_tokens=100)


@dataclass(frozen=True)
class Looked:
    """An estimate as given."""

    score: float = 0.5
    features: tuple[float, ...] = (0.0,) * 6


def looked(chance: random.Random, *, hard: bool) -> Looked:
    """A request whose first feature says of which kind it is, among others that say nothing."""
    return Looked(features=(0.9 if hard else 0.1, *(chance.random() for _ in range(5))))


def asking(request_id: str, caller: Caller = LOCAL) -> Caller:
    """A caller at one request."""
    return Caller(id=caller.id, kind=caller.kind, name=caller.name, scopes=caller.scopes, request_id=request_id)

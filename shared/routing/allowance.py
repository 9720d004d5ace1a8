"""What a request may cost at most, and how long its answer may then be. Pure."""

from dataclasses import dataclass, replace
from decimal import Decimal

from shared.domain.routing import Facts
from shared.domain.usage import Usage
from shared.usage.pricing import Rates

USUAL_TOKENS = 4_096
FEWEST_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Allowance:
    """`tokens` is the longest answer, `cost` the most that the whole can come to in US dollars."""

    tokens: int
    cost: Decimal


def allowance(facts: Facts, rates: Rates, left: Decimal) -> Allowance | None:
    """What `left` dollars allow; None when they are not enough.

    A caller's own `max_tokens` is taken as it is. Without one the answer may be as long as the money lasts, USUAL_TOKENS
    at most and FEWEST_TOKENS at least: a bound has to be sent, or no budget could be kept.
    """
    if rates.free:
        return Allowance(facts.max_tokens or 0, Decimal(0))
    fewest = most(facts, rates, facts.max_tokens or FEWEST_TOKENS)
    if fewest > left:
        return None
    if facts.max_tokens:
        return Allowance(facts.max_tokens, fewest)
    usual = most(facts, rates, USUAL_TOKENS)
    if usual <= left:
        return Allowance(USUAL_TOKENS, usual)
    share = (left - fewest) / (usual - fewest)
    tokens = FEWEST_TOKENS + int((USUAL_TOKENS - FEWEST_TOKENS) * share)
    return Allowance(tokens, most(facts, rates, tokens))


def most(facts: Facts, rates: Rates, tokens: int) -> Decimal:
    """The dearest that an answer of so many tokens can be: all of it what has the highest rate, as a cache write has."""
    plain = Usage(prompt=facts.prompt_most, completion=tokens * facts.choices, searches=facts.searches)
    base, extra = rates.cost(plain), {"prompt": Decimal(0), "completion": Decimal(0)}
    wholes = {part.name: part.whole for part in rates.parts}
    for part in rates.parts:
        names, whole = [part.name], part.whole
        while whole in wholes:
            names.append(whole)
            whole = wholes[whole]
        dearer = replace(plain, **dict.fromkeys(names, getattr(plain, whole)))
        extra[whole] = max(extra[whole], rates.cost(dearer) - base)
    return base + extra["prompt"] + extra["completion"]

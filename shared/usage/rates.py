"""The rates of a model, and what a usage costs at them, in US dollars. Pure arithmetic on Decimals."""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.usage import Usage

MILLION = Decimal(1_000_000)

AUDIO = ("audio_prompt", "audio_completion")


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars for a million tokens; `tiers` are (prompt tokens, price) above which another price holds for all."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, prompt_tokens: int) -> Decimal:
        """The price for a prompt of that length."""
        price = self.base
        for start, tier_price in self.tiers:
            if prompt_tokens > start:
                price = tier_price
        return price


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a usage with a rate of its own, and the whole that it is counted in."""

    name: str
    whole: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one model. `flat` says that all tokens cost the same, whatever they are; `search` is for one."""

    prompt: Rate
    completion: Rate
    parts: tuple[Part, ...] = ()
    search: Decimal = Decimal(0)
    flat: bool = False

    def cost(self, usage: Usage) -> Decimal:
        """What that usage costs."""
        size = usage.prompt
        prices = {"prompt": self.prompt.at(size), "completion": self.completion.at(size)}
        total = usage.prompt * prices["prompt"] + usage.completion * prices["completion"]
        for part in self.parts:
            price = prices[part.name] = part.rate.at(size)
            if count := getattr(usage, part.name):
                total += count * (price - prices.get(part.whole, prices["prompt"]))
        return max(total, Decimal(0)) / MILLION + usage.searches * self.search

    @property
    def free(self) -> bool:
        """Whether nothing is billed at all."""
        return not (self.prompt.base or self.completion.base)

    def cover(self, usage: Usage) -> bool:
        """Whether there is a price for all of it. Audio never costs as text does, so it needs a rate of its own."""
        if self.flat or not (usage.audio_prompt or usage.audio_completion):
            return True
        priced = {part.name for part in self.parts}
        return all(name in priced for name in AUDIO if getattr(usage, name))

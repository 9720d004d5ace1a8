"""What an answer used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 500_000_000
"""What a provider claims beyond that is an error of its own, which must not become one of ours: sums of a few such
counts still fit a database's integer.
"""

CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
WRITTEN = ("cache_creation_input_tokens", "cache_write_tokens")
"""What others than OpenAI call what came from the cache, and what went into it, beside the details or in them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `prompt` and `completion` hold all of them; every other count is a part of these two.

    `cache_write_1h` is the part of `cache_write` that is kept for an hour. `searches` counts web searches.
    `tier` is the service tier that answered, in the provider's own word, where it says so.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    estimated: bool = False
    cache_write_1h: int = 0
    audio_prompt: int = 0
    image_prompt: int = 0
    audio_completion: int = 0
    image_completion: int = 0
    searches: int = 0
    tier: str = ""

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> "Usage":
        """From a whole answer or a stream's usage event: its `usage`, and the tier that it names beside that."""
        return cls.from_openai(answer.get("usage"), tier=answer.get("service_tier"))

    @classmethod
    def from_openai(cls, usage: Any, *, tier: Any = None) -> "Usage":
        """From a `usage` object in OpenAI's form or a cousin's; anything missing or not a number counts as 0."""
        usage = usage if isinstance(usage, dict) else {}
        asked, answered = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        cached = count_of(asked, "cached_tokens") or _first(usage, CACHED)
        written = count_of(asked, "cache_write_tokens") or _first(usage, WRITTEN)
        reasoning = count_of(answered, "reasoning_tokens") or count_of(usage, "reasoning_tokens")
        prompt, completion = _totals(usage, cached + written, reasoning)
        searched = count_of(usage.get("server_tool_use"), "web_search_requests")
        return cls(
            prompt=prompt,
            completion=completion,
            cached=cached,
            cache_write=written,
            reasoning=reasoning,
            estimated=bool(usage.get("estimated")),
            cache_write_1h=min(count_of(usage.get("cache_creation"), "ephemeral_1h_input_tokens"), written),
            audio_prompt=count_of(asked, "audio_tokens"),
            image_prompt=count_of(asked, "image_tokens"),
            audio_completion=count_of(answered, "audio_tokens"),
            image_completion=count_of(answered, "image_tokens"),
            searches=searched or count_of(usage, "num_search_queries"),
            tier=_tier(usage.get("speed"), usage.get("service_tier"), tier),
        )

    def to_openai(self) -> dict[str, Any]:
        """As an OpenAI `usage` object without the tier; what an hour's cache took is named as Anthropic does."""
        answer: dict[str, Any] = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }
        asked = _known(
            cache_write_tokens=self.cache_write, audio_tokens=self.audio_prompt, image_tokens=self.image_prompt
        )
        answered = _known(
            reasoning_tokens=self.reasoning,
            audio_tokens=self.audio_completion,
            image_tokens=self.image_completion,
        )
        if asked or self.cached:
            answer["prompt_tokens_details"] = {"cached_tokens": self.cached, **asked}
        if answered:
            answer["completion_tokens_details"] = answered
        if self.cache_write_1h:
            answer["cache_creation"] = {
                "ephemeral_5m_input_tokens": self.cache_write - self.cache_write_1h,
                "ephemeral_1h_input_tokens": self.cache_write_1h,
            }
        if self.searches:
            answer["server_tool_use"] = {"web_search_requests": self.searches}
        if self.estimated:
            answer["estimated"] = True
        return answer


@dataclass(slots=True)
class TokenStanding:
    """Where a limit on tokens stands; `reset_epoch` is when the oldest ones leave it."""

    limit: int
    remaining: int
    reset_epoch: int


@dataclass(slots=True, eq=False)
class Meter:
    """The tokens that one request has used so far, over all calls that were made for it.

    `standing` is how the limit stood once the request was let in, or refused.
    """

    tokens: int = 0
    standing: TokenStanding | None = None

    def add(self, usage: Usage) -> None:
        """Count what a call used."""
        self.tokens += usage.prompt + usage.completion


def _totals(usage: Mapping[str, Any], cache: int, reasoning: int) -> tuple[int, int]:
    """All tokens of the prompt and of the completion.

    Some count what the cache took or gave beside the prompt, or reasoning beside the completion (xAI, Gemini):
    their total then has more in it than the two, or a part is larger than its whole.
    """
    prompt, completion = count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")
    if cache > prompt:
        prompt += cache
    beyond = count_of(usage, "total_tokens") - prompt - completion
    if beyond > 0 and beyond == cache != reasoning:
        prompt += beyond
    elif beyond > 0:
        completion += beyond
    if reasoning > completion:
        completion += reasoning
    return prompt, completion


def _first(usage: Mapping[str, Any], names: Iterable[str]) -> int:
    """The first count under one of these names that is not 0."""
    for name in names:
        if name in usage and (count := count_of(usage, name)):
            return count
    return 0


def count_of(source: Any, key: str) -> int:
    """A count of tokens or the like; whatever is no count, is 0."""
    if not source or not isinstance(source, dict):
        return 0
    value = source.get(key)
    if value is None or not isinstance(value, int) or value <= 0:
        return 0
    return min(value, MOST_TOKENS)


def _tier(speed: Any, *tiers: Any) -> str:
    """Anthropic says `fast` apart from its tiers; it is priced as one."""
    if speed == "fast":
        return "fast"
    for tier in tiers:
        if tier and isinstance(tier, str):
            return tier
    return ""


def _known(**counts: int) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}

"""What an answer used."""

from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 1_000_000_000
"""What a provider claims beyond that is an error of its own, which must not become one of ours."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `prompt` includes `cached` and `cache_write`; `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    estimated: bool = False

    @classmethod
    def from_openai(cls, usage: dict[str, Any]) -> "Usage":
        """From an OpenAI `usage` object; anything missing or not a number counts as 0."""
        prompt_details = usage.get("prompt_tokens_details")
        completion_details = usage.get("completion_tokens_details")
        return cls(
            prompt=_count(usage, "prompt_tokens"),
            completion=_count(usage, "completion_tokens"),
            cached=_count(prompt_details, "cached_tokens"),
            cache_write=_count(prompt_details, "cache_write_tokens"),
            reasoning=_count(completion_details, "reasoning_tokens"),
            estimated=bool(usage.get("estimated")),
        )

    def to_openai(self) -> dict[str, Any]:
        """As an OpenAI `usage` object."""
        answer: dict[str, Any] = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }
        if self.cached or self.cache_write:
            answer["prompt_tokens_details"] = {"cached_tokens": self.cached}
            if self.cache_write:
                answer["prompt_tokens_details"]["cache_write_tokens"] = self.cache_write
        if self.reasoning:
            answer["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
        if self.estimated:
            answer["estimated"] = True
        return answer


def _count(source: Any, key: str) -> int:
    value = source.get(key) if isinstance(source, dict) else None
    return min(value, MOST_TOKENS) if isinstance(value, int) and value > 0 else 0

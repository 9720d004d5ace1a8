"""What an Anthropic answer used, and what it says beside that. Pure.

Source: https://platform.claude.com/docs/en/api/messages (Usage)
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.usage import Usage, count_of

TIERS: Mapping[str, str] = {"standard": "default", "priority": "priority"}
COUNTED = frozenset(
    {
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "output_tokens_details",
        "service_tier",
    }
)
"""The fields of a usage that have a place in OpenAI's form; others are kept under their names."""


def usage_of(usage: Any) -> Usage:
    """Anthropic counts what came from the cache, and what went into it, apart from the other input."""
    counts = usage if isinstance(usage, dict) else {}
    cached, cache_write = count_of(counts, "cache_read_input_tokens"), count_of(counts, "cache_creation_input_tokens")
    return Usage(
        prompt=count_of(counts, "input_tokens") + cached + cache_write,
        completion=count_of(counts, "output_tokens"),
        cached=cached,
        cache_write=cache_write,
        cache_write_1h=min(count_of(counts.get("cache_creation"), "ephemeral_1h_input_tokens"), cache_write),
        reasoning=count_of(counts.get("output_tokens_details"), "thinking_tokens"),
        searches=count_of(counts.get("server_tool_use"), "web_search_requests"),
        tier="fast" if counts.get("speed") == "fast" else "",
    )


def usage_object(usage: Usage, source: Any) -> dict[str, Any]:
    """Usage in OpenAI's form, with what Anthropic says beside it: kinds of cache, server tools, speed, place."""
    return {**usage.to_openai(), **(unknown(source, COUNTED) if isinstance(source, dict) else {})}


def tier(usage: Mapping[str, Any]) -> dict[str, str]:
    """The service tier, in OpenAI's word where it has one."""
    name = usage.get("service_tier")
    return {"service_tier": TIERS.get(name, name)} if isinstance(name, str) else {}


def unknown(source: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What OpenAI's form has no place for."""
    return {name: value for name, value in source.items() if name not in known and value is not None}

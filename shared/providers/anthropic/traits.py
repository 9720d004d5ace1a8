"""What each generation of Claude takes: the rules of the Messages API that differ by model, as data. Pure.

Source: https://platform.claude.com/docs/en/about-claude/models/migration-guide and the guides of each model.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

Version = tuple[int, int]

VERSION = re.compile(r"(?<!\d)(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
FAMILIES = ("opus", "sonnet", "haiku", "fable", "mythos")
ALWAYS_THINKING = ("fable", "mythos")
ADAPTIVE: Version = (4, 6)
ADAPTIVE_ONLY: Version = (4, 7)
THINKS_BY_DEFAULT: Version = (5, 0)
PRESERVED_THINKING: Version = (5, 1)
NEWEST: Version = (99, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The rules for one model.

    `sampling` says which of temperature, top_p and top_k may be sent: all, `one` (temperature or top_p), none.
    `thinking_off` is how thinking that is on by default is turned off, `never` where it cannot be.
    `shows_thinking` is False where the text of thinking has to be asked for. `inner_system` allows a system message
    inside the conversation, `preserved_thinking` marks thinking blocks that are bound to what came before them.
    """

    sampling: Literal["all", "one", "none"] = "all"
    thinking: Literal["none", "budget", "adaptive"] = "budget"
    thinking_off: Literal["omit", "disabled", "between_tools", "never"] = "omit"
    shows_thinking: bool = True
    extra_high_effort: bool = False
    forced_tools: bool = True
    structured_output: bool = False
    prefill: bool = True
    inner_system: bool = False
    preserved_thinking: bool = False
    default_max_tokens: int = 8192


ANOTHER_VENDOR = Traits()
"""A model that is not Claude, behind an address that speaks the Messages API: the rules that all of those copied."""


def traits_of(model: str) -> Traits:
    """The rules for a model name in any of its spellings; a Claude that is not known gets those of the newest."""
    name = model.lower().rpartition("claude")
    if not name[1]:
        return ANOTHER_VENDOR
    family = next((family for family in FAMILIES if family in name[2]), "")
    return _claude(family, _version(name[2], family))


def _version(name: str, family: str) -> Version:
    found = VERSION.search(name)
    if found:
        return int(found[1]), int(found[2] or 0)
    return (1, 0) if "instant" in name else (5, 0) if family in ALWAYS_THINKING and "preview" in name else NEWEST


def _claude(family: str, version: Version) -> Traits:
    if version < (4, 5):
        return _early(version)
    if version < ADAPTIVE:
        return Traits(sampling="one", structured_output=True)
    adaptive = Traits(
        sampling="one", thinking="adaptive", structured_output=True, prefill=False, default_max_tokens=16_384
    )
    if version < ADAPTIVE_ONLY:
        return adaptive
    adaptive = replace(
        adaptive,
        sampling="none",
        shows_thinking=False,
        extra_high_effort=True,
        inner_system=version >= (4, 8) and (family, version) != ("sonnet", (5, 0)),
    )
    return adaptive if version < THINKS_BY_DEFAULT else _fifth(adaptive, family, version)


def _early(version: Version) -> Traits:
    return Traits(
        sampling="one" if version >= (4, 1) else "all",
        thinking="budget" if version >= (3, 7) else "none",
        default_max_tokens=4096 if version < (3, 5) else 8192,
    )


def _fifth(adaptive: Traits, family: str, version: Version) -> Traits:
    always = family in ALWAYS_THINKING or (family != "haiku" and version >= PRESERVED_THINKING)
    off: Literal["disabled", "between_tools", "never"] = "never" if always else "disabled"
    if family == "sonnet" and version == (5, 5):
        off = "between_tools"
    return replace(
        adaptive,
        thinking_off=off,
        forced_tools=family == "haiku" or version < PRESERVED_THINKING,
        preserved_thinking=version >= PRESERVED_THINKING,
        default_max_tokens=32_000,
    )

"""Aliases: rules that turn a model name that nobody has registered into a layer or a model. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.domain.wire import Wire

SUFFIX = re.compile(r"\[[0-9A-Za-z]+\]$")
"""What clients put behind a name to ask for a variant of it, such as the `[1m]` of Claude Code."""

AliasName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x20\x7f]+$")]
Target = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\x00-\x20\x7f]+$")]


class Alias(Wire):
    """One rule. `name` may hold `*` for any text and ignores case; of `targets` (`auto`, layers, models) the first one
    with a model that can be asked is used.
    """

    name: AliasName
    targets: Annotated[list[Target], Field(min_length=1, max_length=10)]

    @property
    def is_exact(self) -> bool:
        """Whether the rule stands for one name."""
        return "*" not in self.name

    def matches(self, name: str) -> bool:
        """Whether the rule is for a name."""
        pattern = self.name.lower().replace("[", "[[]").replace("?", "[?]")
        return fnmatchcase(name.lower(), pattern)

    def target(self, able: Callable[[str], bool]) -> str:
        """Return the first target that is able to answer; where none is, the first one, which says what is missing."""
        return next(filter(able, self.targets), self.targets[0])


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a name leads: `target` is `auto`, a layer or a model; `rule` is the name of the alias, empty for a suffix."""

    target: str
    rule: str


def resolve(name: str, aliases: Iterable[Alias], able: Callable[[str], bool]) -> Resolution | None:
    """Return where a name leads that is not a registered model; None when no rule is for it.

    A suffix in brackets is left off where the rest is a name by itself. `able` says whether a target has a model that can
    be asked.
    """
    base = SUFFIX.sub("", name)
    if base != name and able(base):
        return Resolution(base, "")
    rule = rule_for(name, aliases)
    if rule is None:
        return Resolution(base, "") if base != name else None
    return Resolution(rule.target(able), rule.name)


def rule_for(name: str, aliases: Iterable[Alias]) -> Alias | None:
    """Return the first rule that matches a name, with or without its suffix."""
    base = SUFFIX.sub("", name)
    return next((alias for alias in aliases if alias.matches(name) or alias.matches(base)), None)


LARGE = ["L3", "L2", "L1", "auto"]
MEDIUM = ["L2", "L1", "auto"]
SMALL = ["auto"]


def default_aliases() -> tuple[Alias, ...]:
    """The rules of a gateway whose operator has set none: a client's small model begins with what is free."""
    rules = {
        "claude-auto": SMALL,
        "haiku": SMALL,
        "sonnet": MEDIUM,
        "opus": LARGE,
        "claude-*haiku*": SMALL,
        "claude-*opus*": LARGE,
        "claude-*fable*": LARGE,
        "claude-*": MEDIUM,
        "gpt-oss*": SMALL,
        "gpt-*mini*": SMALL,
        "gpt-*nano*": SMALL,
        "gpt-*luna*": SMALL,
        "gpt-*astra*": LARGE,
        "gpt-*-pro*": LARGE,
        "gpt-*": MEDIUM,
    }
    return tuple(Alias(name=name, targets=targets) for name, targets in rules.items())

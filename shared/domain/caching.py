"""What a request says of caches, as HTTP has it."""

import re
from dataclasses import dataclass

MOST_SECONDS = 2**31
"""What an age beyond that means, RFC 9111 says, is this (section 1.2.2)."""

DIRECTIVE = re.compile(r"""([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,"]*)))?""", re.ASCII)


@dataclass(frozen=True, slots=True)
class CacheControl:
    """A request's Cache-Control (RFC 9111, section 5.2.1), as far as it means something here.

    `no_store` keeps the answer out of the cache and takes none from it, `no_cache` has it made anew and kept.
    `max_age` is the most seconds since a kept answer was made; None for any.
    """

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None

    @classmethod
    def parse(cls, text: str) -> "CacheControl":
        """From the header's value; directives that are not known mean nothing, and an age that is none means 0."""
        found = [(name.lower(), quoted or plain) for name, quoted, plain in DIRECTIVE.findall(text)]
        names = {name for name, _ in found}
        ages = [_seconds(value) for name, value in found if name == "max-age"]
        return cls(
            no_store="no-store" in names,
            no_cache="no-cache" in names or 0 in ages,
            only_if_cached="only-if-cached" in names,
            max_age=min(ages, default=None),
        )


def _seconds(value: str) -> int:
    return min(int(value), MOST_SECONDS) if value.isascii() and value.isdigit() else 0

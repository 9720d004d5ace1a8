"""What only the gateway can read in a client's hands: reasoning with its vendor's signatures, and compacted conversations.

Clients that keep the conversation themselves send it back unread in `encrypted_content`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from shared.errors import Unavailable

MARK = "gw1."
"""What ours begin with; any other is a vendor's own."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals with `seal`; `unseal` raises Unavailable for what no key opens."""

    seal: Callable[[str], str]
    unseal: Callable[[str], str]

    def sealed(self, value: dict[str, Any]) -> str:
        """The value as `encrypted_content`."""
        return MARK + self.seal(orjson.dumps(value).decode())

    def opened(self, content: Any) -> dict[str, Any]:
        """The value; empty for what a vendor sealed, and for what a key sealed that is no longer known."""
        if not is_ours(content):
            return {}
        try:
            value = orjson.loads(self.unseal(content.removeprefix(MARK)))
        except (Unavailable, orjson.JSONDecodeError, UnicodeEncodeError):
            return {}
        return value if isinstance(value, dict) else {}


def is_ours(content: Any) -> bool:
    """Whether the gateway sealed it."""
    return isinstance(content, str) and content.startswith(MARK)

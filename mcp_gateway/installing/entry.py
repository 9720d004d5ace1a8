"""A member of a client's file that belongs to us: where it stands, what it holds, and how an earlier one of ours is known. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["own", "default", "frame"]
"""own: ours alone. default: set where nothing is set, and taken out while it has our value. frame: the file needs it; it stays."""


ITEM = "model_id"
"""The member by which an item of a list is known: only llm has such a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member. `ours` tells from the content of the file whether the member that stands there is ours."""

    file: Path
    path: tuple[str, ...]
    value: Any
    ours: Callable[[Any], bool]
    role: Role = "own"

    @property
    def name(self) -> str:
        """Its path, as a person reads it."""
        return ".".join(self.path)


def at(content: Any, path: Sequence[str]) -> Any:
    """The value at a path, None where there is none. In a list, a key names the item with that `model_id`."""
    for key in path:
        if isinstance(content, list):
            content = next((item for item in content if isinstance(item, dict) and item.get(ITEM) == key), None)
        else:
            content = content.get(key) if isinstance(content, dict) else None
    return content

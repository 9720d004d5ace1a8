"""A member of a client's file that belongs to us: where it stands, what it holds, and how an earlier one of ours is known. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["own", "default", "frame"]
"""own: ours alone. default: set where nothing is set, and taken out while it has our value. frame: the file needs it; it stays."""


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


def at(content: Any, path: tuple[str, ...]) -> Any:
    """The value at a path, None where there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content

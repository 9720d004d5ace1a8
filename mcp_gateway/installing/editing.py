"""The editor for a client's configuration file, by its name: JSON with comments, TOML or YAML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mcp_gateway.installing import jsonc, tables, yamled


class Editor(Protocol):
    """Change one member of a text and nothing else in it. Every method raises jsonc.NotEditable."""

    def loads(self, text: str) -> Any:
        """What the text says, {} where it is empty."""

    def put(self, text: str, path: Sequence[str], value: Any) -> str:
        """The same text with the member at `path` set."""

    def drop(self, text: str, path: Sequence[str]) -> str:
        """The same text without the member at `path`; unchanged where there is none."""

    def drop_empty(self, text: str, path: Sequence[str]) -> str:
        """The same text without the object at `path` if nothing is in it, not even a comment."""


def editor_of(file: Path) -> Editor:
    """The editor for the format that the file's suffix names."""
    if file.suffix == ".toml":
        return tables
    return yamled if file.suffix in (".yaml", ".yml") else jsonc

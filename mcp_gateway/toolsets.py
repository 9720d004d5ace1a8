"""Which tools a client gets, and under which names: groups of them, a mode in which none changes anything, a prefix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from shared.setting_sources import SettingsError, load_settings
from shared.settings import Settings, comma_separated

Toolset = Literal["chat", "models", "terminal", "ssh", "admin"]
TOOLSETS: tuple[Toolset, ...] = get_args(Toolset)
EVERYTHING = "all"
USUAL = "chat,models,terminal"

MEMBERS: Mapping[Toolset, tuple[str, ...]] = {
    "chat": ("chat", "explain_route"),
    "models": ("list_models", "set_model", "usage"),
    "terminal": (
        "run_command",
        "open_terminal",
        "send_to_terminal",
        "read_terminal",
        "read_output",
        "close_terminal",
        "list_terminals",
    ),
    "ssh": ("list_remote_files", "read_remote_file", "write_remote_file"),
    "admin": ("set_layer",),
}
"""Each tool is in one of them."""

_NAMED = re.compile(f"`({'|'.join(name for names in MEMBERS.values() for name in names)})`")


@dataclass(frozen=True, slots=True)
class Selection:
    """The tools that are there for a client, and what their names begin with."""

    toolsets: frozenset[Toolset]
    read_only: bool = False
    prefix: str = ""

    @classmethod
    def of(cls, toolsets: str = USUAL, *, read_only: bool = False, prefix: str = "") -> "Selection":
        """What the settings say, `toolsets` comma-separated."""
        named = comma_separated(toolsets)
        return cls(frozenset(name for name in TOOLSETS if name in named or EVERYTHING in named), read_only, prefix)

    def against(self, name: str, *, reads: bool | None) -> str:
        """Why a tool is not offered, with what would change that; empty when it is. `reads` says that it only reads."""
        toolset = toolset_of(name)
        if toolset not in self.toolsets:
            return f"it belongs to the toolset '{toolset}', which MCP_TOOLSETS leaves out"
        if self.read_only and not reads:
            return "it can change something, and MCP_READ_ONLY is on"
        return ""

    def plain(self, name: str) -> str:
        """The name of a tool without the prefix; empty where it does not begin with it."""
        return name[len(self.prefix) :] if name.startswith(self.prefix) else ""

    def told(self, text: str) -> str:
        """A text for models, with the names of the tools as this client knows them."""
        return _NAMED.sub(rf"`{self.prefix}\1`", text) if self.prefix else text

    def described(self, tool: dict[str, Any]) -> dict[str, Any]:
        """What hosts are told of a tool, as JSON, under the name that this client knows it by."""
        if not self.prefix:
            return tool
        described: dict[str, Any] = self._told_in(tool)
        return {**described, "name": self.prefix + tool["name"]}

    def _told_in(self, value: Any) -> Any:
        """The same JSON with the names of tools in its descriptions as this client knows them."""
        if isinstance(value, list):
            return [self._told_in(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self.told(item) if key == "description" and isinstance(item, str) else self._told_in(item)
            for key, item in value.items()
        }


def selected(settings: Settings) -> Selection:
    """The tools that the settings leave in."""
    return Selection.of(settings.mcp_toolsets, read_only=settings.mcp_read_only, prefix=settings.mcp_tool_prefix)


def selected_here() -> Selection:
    """Those of this process's settings; where these are wrong the usual ones, and each call then says what is wrong."""
    try:
        return selected(load_settings())
    except SettingsError:
        return Selection.of()


def toolset_of(name: str) -> Toolset:
    """The group of a tool."""
    return next(toolset for toolset, names in MEMBERS.items() if name in names)

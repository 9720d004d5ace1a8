"""Which tools a client gets: groups of them, and a mode in which none changes anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

from mcp.types import Icon

from mcp_gateway.tool import AnyTool
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

_SHAPES: Mapping[Toolset, str] = {
    "chat": "M1,2h14v9H7l-4,3v-3H1z",
    "models": "M1,2h14v3H1zm0,5h14v3H1zm0,5h14v3H1z",
    "terminal": "M1,2h14v12H1zm2,2v8h10V4z",
    "ssh": "M3,1h7l3,3v11H3z",
    "admin": "M1,7h14v2H1zm6-6h2v14H7z",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The tools that are there for a client."""

    toolsets: frozenset[Toolset]
    read_only: bool = False

    @classmethod
    def of(cls, toolsets: str = USUAL, *, read_only: bool = False) -> "Selection":
        """What the settings say, `toolsets` comma-separated."""
        named = comma_separated(toolsets)
        return cls(frozenset(name for name in TOOLSETS if name in named or EVERYTHING in named), read_only)

    def against(self, tool: AnyTool) -> str:
        """Why a tool is not offered, with what would change that; empty when it is."""
        toolset = toolset_of(tool.name)
        if toolset not in self.toolsets:
            return f"it belongs to the toolset '{toolset}', which MCP_TOOLSETS leaves out"
        if self.read_only and not tool.annotations.read_only_hint:
            return "it can change something, and MCP_READ_ONLY is on"
        return ""


def selected(settings: Settings) -> Selection:
    """The tools that the settings leave in."""
    return Selection.of(settings.mcp_toolsets, read_only=settings.mcp_read_only)


def selected_here() -> Selection:
    """Those of this process's settings; where these are wrong the usual ones, and each call then says what is wrong."""
    try:
        return selected(load_settings())
    except SettingsError:
        return Selection.of()


def toolset_of(name: str) -> Toolset:
    """The group of a tool."""
    return next(toolset for toolset, names in MEMBERS.items() if name in names)


def icon_of(toolset: Toolset) -> Icon:
    """A small picture, without a request for it."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0,0,16,16'><path d='{_SHAPES[toolset]}'/></svg>"
    return Icon(src="data:image/svg+xml," + quote(svg, safe="/:=',"), mime_type="image/svg+xml")

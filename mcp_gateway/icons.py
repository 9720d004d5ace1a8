"""The pictures of the tools, one for each toolset."""

from collections.abc import Mapping
from urllib.parse import quote

from mcp.types import Icon

from mcp_gateway.toolsets import Toolset

_SHAPES: Mapping[Toolset, str] = {
    "chat": "M1,2h14v9H7l-4,3v-3H1z",
    "models": "M1,2h14v3H1zm0,5h14v3H1zm0,5h14v3H1z",
    "terminal": "M1,2h14v12H1zm2,2v8h10V4z",
    "ssh": "M3,1h7l3,3v11H3z",
    "admin": "M1,7h14v2H1zm6-6h2v14H7z",
}


def icon_of(toolset: Toolset) -> Icon:
    """A small picture, without a request for it."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0,0,16,16'><path d='{_SHAPES[toolset]}'/></svg>"
    return Icon(src="data:image/svg+xml," + quote(svg, safe="/:=',"), mime_type="image/svg+xml")

"""The least MCP server that one can write with the SDK: what `stdio` is held against."""

from mcp.server import MCPServer

mcp = MCPServer("bare")


@mcp.tool()
async def nothing() -> str:
    """Do nothing."""
    return ""


if __name__ == "__main__":
    mcp.run()

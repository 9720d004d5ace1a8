"""`mcp-gateway stdio`: the MCP server for Claude Desktop and IDEs."""


def stdio() -> None:
    """Serve MCP on stdin and stdout, for Claude Desktop, IDEs and other hosts that start it themselves."""
    from mcp_gateway.stdio import main

    main()

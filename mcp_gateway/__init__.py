"""The MCP surface and the command line."""

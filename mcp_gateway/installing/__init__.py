"""Putting the gateway into the configuration of MCP clients, and taking it out again."""

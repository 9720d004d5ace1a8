"""Putting the gateway into the configuration of MCP hosts, and taking it out again."""

"""The core of the gateway: everything that knows nothing of HTTP servers and MCP."""

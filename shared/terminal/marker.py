"""By what the processes of a remote session are found."""

MARKER = "MCP_GATEWAY_JOB"
"""The environment variable that each of them carries: `<session>:<command>`."""

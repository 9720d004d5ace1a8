"""MCP over HTTP as bare requests, so that a test can say what no client would."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

ACCEPT = {"Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class McpSession:
    """A session at `/mcp`, opened with these credentials."""

    def __init__(self, http: httpx.Client, credentials: Mapping[str, str]) -> None:
        self._http = http
        self._headers = {**ACCEPT, **credentials}
        opened = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE})
        assert opened.status_code == 200, opened.text
        self.id = opened.headers["mcp-session-id"]
        self._headers["Mcp-Session-Id"] = self.id
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def post(self, message: Mapping[str, Any], **headers: str) -> httpx.Response:
        return self._http.post("/mcp", json=message, headers={**self._headers, **headers})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a tool."""
        params = {"name": tool, "arguments": arguments}
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        messages = [json.loads(line) for line in lines]
        found = next(message for message in messages if message.get("id") == 1)
        return dict(found["result"])


@contextmanager
def sse_endpoint(http: httpx.Client, credentials: Mapping[str, str]) -> Iterator[str]:
    """Where the messages of an SSE connection go; it is open as long as the block."""
    with http.stream("GET", "/sse", headers=dict(credentials)) as events:
        lines = events.iter_lines()
        yield next(line[6:] for line in lines if line.startswith("data: "))

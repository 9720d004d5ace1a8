"""The first answers of a server on stdio, from data: what `initialize`, `server/discover` and `tools/list` say. No I/O.

The data is what the server itself answers (`make fix` renews it, and a test compares the two), so that a client need not
wait for the SDK, which takes longer to import than some hosts wait.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Literal

from mcp_gateway.instructions import instructions_for
from mcp_gateway.toolsets import Selection

DATA = "opening.json"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"

Era = Literal["handshake", "modern"]


class Opening:
    """One connection until the server takes over. `era` is that of the first request that was answered."""

    def __init__(self, selection: Selection, data: dict[str, Any] | None = None) -> None:
        self.era: Era | None = None
        self._data = data or json.loads(resources.files("mcp_gateway").joinpath(DATA).read_bytes())
        tools = [
            entry["tool"]
            for entry in self._data["tools"]
            if not selection.against(entry["tool"]["name"], reads=entry["reads"])
        ]
        self._tools = [selection.described(tool) for tool in tools]
        self._instructions = selection.told(instructions_for([tool["name"] for tool in tools]))

    def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the result of a request; None for what the server has to answer, mistakes among it."""
        params = message.get("params", {})
        if message.get("jsonrpc") != "2.0" or not _is_id(message.get("id")) or not isinstance(params, dict):
            return None
        method, meta = message.get("method"), params.get("_meta", {})
        enveloped = isinstance(meta, dict) and meta.get(VERSION_KEY) in self._data["modernVersions"]
        if enveloped and self.era != "handshake" and isinstance(meta.get(CAPABILITIES_KEY), dict):
            return self._modern(method, params)
        if isinstance(meta, dict) and not any(key.startswith("io.modelcontextprotocol/") for key in meta):
            return self._handshake(method, params)
        return None

    def _modern(self, method: Any, params: dict[str, Any]) -> dict[str, Any] | None:
        result: dict[str, Any] | None = None
        if method == "server/discover":
            result = {**self._data["discover"], "instructions": self._instructions}
        elif method == "tools/list" and params.keys() == {"_meta"}:
            result = {**self._data["list"], "tools": self._tools}
        if result is not None:
            self.era = "modern"
        return result

    def _handshake(self, method: Any, params: dict[str, Any]) -> dict[str, Any] | None:
        if method == "initialize" and self.era is None and _is_introduction(params):
            self.era = "handshake"
            versions, wanted = self._data["handshakeVersions"], params["protocolVersion"]
            version = wanted if wanted in versions else versions[-1]
            return {**self._data["initialize"], "instructions": self._instructions, "protocolVersion": version}
        if self.era == "handshake" and params.keys() <= {"_meta"}:
            return {"tools/list": {"tools": self._tools}, "ping": {}}.get(str(method))
        return None


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _is_introduction(params: dict[str, Any]) -> bool:
    client = params.get("clientInfo")
    return (
        isinstance(params.get("protocolVersion"), str)
        and isinstance(params.get("capabilities"), dict)
        and isinstance(client, dict)
        and isinstance(client.get("name"), str)
        and isinstance(client.get("version"), str)
    )

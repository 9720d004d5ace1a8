"""What `mcp-gateway stdio` answers before it has imported the SDK: `--write` renews it from the server, `--check` compares."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from mcp_gateway.opening import CAPABILITIES_KEY, DATA, VERSION_KEY
from mcp_gateway.server import create_server
from mcp_gateway.tools import TOOLS
from mcp_gateway.toolsets import EVERYTHING, Selection

FILE = Path(__file__).parents[1] / "mcp_gateway" / DATA
CLIENT = {"name": "opening", "version": "1"}


async def results(selection: Selection, *requests: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The results of these requests on one connection to a server whose gateway never opens."""
    server = create_server(_never, selection=selection)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](16)
    found: list[dict[str, Any]] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, incoming, outgoing, server.create_initialization_options())
        for number, (method, params) in enumerate(requests):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await to_server.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
            answer = (await from_server.receive()).message.model_dump(mode="json", by_alias=True, exclude_unset=True)
            found.append(answer["result"])
        tasks.cancel_scope.cancel()
    for stream in (to_server, incoming, outgoing, from_server):
        await stream.aclose()
    return found


async def _never() -> NoReturn:
    await anyio.sleep_forever()
    raise AssertionError


def introduction(version: str) -> dict[str, Any]:
    """The parameters of `initialize`."""
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}


def envelope(version: str = MODERN_PROTOCOL_VERSIONS[-1]) -> dict[str, Any]:
    """The parameters that every request of the modern era has."""
    return {"_meta": {VERSION_KEY: version, CAPABILITIES_KEY: {}}}


async def made() -> dict[str, Any]:
    """The data, from the server."""
    everything = Selection.of(EVERYTHING)
    (initialize,) = await results(everything, ("initialize", introduction(LATEST_HANDSHAKE_VERSION)))
    discover, listed = await results(everything, ("server/discover", envelope()), ("tools/list", envelope()))
    for result, names in ((initialize, ("instructions", "protocolVersion")), (discover, ("instructions",))):
        for name in names:
            del result[name]
    return {
        "handshakeVersions": [*HANDSHAKE_PROTOCOL_VERSIONS],
        "modernVersions": [*MODERN_PROTOCOL_VERSIONS],
        "initialize": initialize,
        "discover": discover,
        "tools": [
            {"reads": TOOLS[tool["name"]].annotations.read_only_hint, "tool": tool} for tool in listed.pop("tools")
        ],
        "list": listed,
    }


def text_of(data: dict[str, Any]) -> str:
    """The file's text: one tool a line, so that a change shows where it is."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in data.items() if name != "tools"]
    tools = ",\n".join(json.dumps(tool, ensure_ascii=False) for tool in data["tools"])
    return "{\n" + ",\n".join([*lines, f'"tools": [\n{tools}\n]']) + "\n}\n"


def main() -> None:
    """Renew the file, or compare it."""
    text = text_of(anyio.run(made))
    if "--write" in sys.argv:
        FILE.write_text(text, "utf-8")
    elif not FILE.exists() or FILE.read_text("utf-8") != text:
        raise SystemExit(f"mcp_gateway/{DATA} is out of date; run make fix")


if __name__ == "__main__":
    main()

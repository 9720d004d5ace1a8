"""What is answered from data is what the server would have answered."""

import importlib
import json
from typing import Any

import pytest

from mcp_gateway.opening import CAPABILITIES_KEY, VERSION_KEY, Opening
from mcp_gateway.toolsets import Selection

SELECTIONS = (
    Selection.of(),
    Selection.of("all"),
    Selection.of("all", read_only=True),
    Selection.of("ssh,admin"),
    Selection.of("all", prefix="gateway_"),
)


@pytest.fixture
def script() -> Any:
    return importlib.import_module("scripts.opening")


def request(method: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}


@pytest.mark.parametrize("selection", SELECTIONS, ids=("usual", "all", "reads", "few", "prefixed"))
async def test_both_eras_are_answered_as_the_server_answers_them(script: Any, selection: Selection) -> None:
    data = json.loads(script.FILE.read_bytes())
    for version in (*data["handshakeVersions"], *data["modernVersions"], "2099-01-01", ""):
        asked = (
            ("initialize", {**script.introduction(version)}),
            ("tools/list", {}),
            ("ping", {}),
            ("tools/list", {"_meta": {"progressToken": 1}}),
        )
        opening = Opening(selection, data)
        found = [opening.answer(request(method, params)) for method, params in asked]
        assert found == await script.results(selection, *asked), version
    asked = (("server/discover", script.envelope()), ("tools/list", script.envelope()))
    opening = Opening(selection, data)
    found = [opening.answer(request(method, params)) for method, params in asked]
    assert found == await script.results(selection, *asked)


def opened(script: Any, era: str | None) -> Opening:
    opening = Opening(Selection.of())
    if era == "handshake":
        assert opening.answer(request("initialize", script.introduction("2025-06-18"))) is not None
    if era == "modern":
        assert opening.answer(request("server/discover", script.envelope())) is not None
    return opening


@pytest.mark.parametrize(
    ("era", "method", "params"),
    [
        (None, "tools/list", {}),
        (None, "ping", {}),
        (None, "initialize", {"protocolVersion": "2025-06-18"}),
        (None, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x"}}),
        (None, "tools/list", {"_meta": {VERSION_KEY: "2026-07-28"}}),
        (None, "tools/list", {"_meta": {VERSION_KEY: "2099-01-01", CAPABILITIES_KEY: {}}}),
        (None, "tools/call", {"name": "chat"}),
        (None, None, {}),
        (None, ["initialize"], {}),
        (None, "initialize", [1]),
        ("handshake", "tools/list", {"cursor": "x"}),
        ("handshake", "tools/list", {"_meta": {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}}),
        ("handshake", "tools/list", {"_meta": 5}),
        ("handshake", "initialize", {}),
        ("handshake", "prompts/list", {}),
        ("modern", "tools/list", {}),
        ("modern", "ping", {"_meta": {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}}),
        ("modern", "tools/list", {"cursor": "x", "_meta": {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}}),
    ],
)
def test_everything_else_is_left_to_the_server(script: Any, era: str | None, method: Any, params: Any) -> None:
    assert opened(script, era).answer(request(method, params)) is None


def test_a_message_that_is_no_request_has_no_answer(script: Any) -> None:
    ping = request("ping", {})
    for wrong in ({"id": None}, {"id": True}, {"id": 1.5}, {"jsonrpc": "1.0"}):
        assert opened(script, "handshake").answer({**ping, **wrong}) is None
    assert opened(script, "handshake").answer({"jsonrpc": "2.0", "method": "ping"}) is None
    assert opened(script, "handshake").answer({"jsonrpc": "2.0", "id": "a", "method": "ping"}) == {}

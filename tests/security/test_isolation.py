"""Two callers on one gateway: neither sees, uses or ends what is the other's."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_gateway.http_serving import MAX_SESSIONS_OF_ONE
from tests.support.mcp_raw import ACCEPT, INITIALIZE, McpSession, sse_endpoint
from tests.support.victim import Victim, of, refused

WORDS = "words-that-only-alice-said"


@pytest.fixture(scope="module")
def session(required: Victim) -> Iterator[str]:
    """A terminal of alice's, with something in it, recorded."""
    alice = required.keys["alice"]
    opened = required.http.post("/v1/terminal/sessions", json={"type": "local", "record": True}, headers=alice)
    assert opened.status_code == 201, opened.text
    path = f"/v1/terminal/{opened.json()['session']['id']}"
    sent = {"data": f"echo {WORDS}\r", "wait": {"for": "output", "pattern": WORDS}}
    assert required.http.post(f"{path}/send", json=sent, headers=alice).status_code == 200
    yield path
    assert required.http.delete(path, headers=alice).status_code == 200


USES: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "look at": ("GET", "", None),
    "run in": ("POST", "/execute", {"command": "id"}),
    "type into": ("POST", "/send", {"data": "id\r"}),
    "answer": ("POST", "/answer", {"text": "yes"}),
    "resize": ("POST", "/resize", {"cols": 100, "rows": 30}),
    "read": ("GET", "/output", None),
    "read from the start": ("GET", "/output?cursor=0", None),
    "see the screen of": ("GET", "/output?view=screen", None),
    "list files of": ("GET", "/files?path=.", None),
    "read files of": ("GET", "/files/content?path=x", None),
    "write files of": ("PUT", "/files/content", {"path": "x", "text": "x"}),
    "play": ("GET", "/recording", None),
    "delete the recording of": ("DELETE", "/recording", None),
    "close": ("DELETE", "", None),
}


@pytest.mark.parametrize(("method", "tail", "body"), USES.values(), ids=USES)
def test_a_terminal_of_another_is_none(
    required: Victim, session: str, method: str, tail: str, body: dict[str, Any] | None
) -> None:
    answer = required.http.request(method, session + tail, json=body, headers=required.keys["bob"])
    refused(of(answer), 404, 400)
    made_up = required.http.request(method, "/v1/terminal/term-made-up" + tail, json=body, headers=required.keys["bob"])
    assert answer.status_code == made_up.status_code
    assert answer.json()["code"] == made_up.json()["code"]
    assert WORDS not in answer.text
    assert required.http.get(session, headers=required.keys["alice"]).json()["session"]["connected"] is True


def test_a_socket_to_a_terminal_of_another_is_refused(required: Victim, session: str) -> None:
    secret = required.keys["bob"]["Authorization"].removeprefix("Bearer ")
    handshake = (
        f"GET {session}/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: bearer, {secret}\r\n\r\n"
    )
    refused(required.raw(handshake.encode()), 404)


@pytest.mark.parametrize("path", ["/v1/terminal/sessions", "/v1/terminal/recordings"])
def test_lists_hold_ones_own_only(required: Victim, session: str, path: str) -> None:
    name = session.rpartition("/")[2]
    assert name in required.http.get(path, headers=required.keys["alice"]).text
    assert name not in required.http.get(path, headers=required.keys["bob"]).text


def test_one_caller_cannot_take_up_all_the_places_for_agents(required: Victim) -> None:
    made = required.http.post("/v1/keys", json={"name": "many", "scopes": ["models:read"]}, headers=required.admin)
    greedy = {"Authorization": f"Bearer {made.json()['secret']}", **ACCEPT}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
    statuses = [
        required.http.post("/mcp", json=opening, headers=greedy).status_code for _ in range(MAX_SESSIONS_OF_ONE + 1)
    ]
    assert statuses == [200] * MAX_SESSIONS_OF_ONE + [503]
    assert McpSession(required.http, required.keys["bob"]).id


def test_agents_see_no_terminal_of_another(required: Victim, session: str) -> None:
    bob, name = McpSession(required.http, required.keys["bob"]), session.rpartition("/")[2]
    assert name not in json.dumps(bob.call("list_terminals", {}))
    for tool, arguments in (
        ("read_terminal", {}),
        ("send_to_terminal", {"data": "id\r"}),
        ("run_command", {"command": "id"}),
        ("close_terminal", {}),
    ):
        result = bob.call(tool, {"sessionId": name, **arguments})
        assert result.get("isError") is True, (tool, result)
        assert WORDS not in json.dumps(result)
    for uri in (f"terminal://{name}/output", f"terminal://{name}/screen"):
        answer = bob.post({"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": uri}})
        assert WORDS not in answer.text
        assert '"error"' in answer.text


def test_an_mcp_session_of_another_is_none(required: Victim) -> None:
    alice = McpSession(required.http, required.keys["alice"])
    bob = {**required.keys["bob"], "Mcp-Session-Id": alice.id, "Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 5, "method": "tools/list"}
    for method in ("POST", "GET", "DELETE"):
        answer = required.http.request(method, "/mcp", json=message if method == "POST" else None, headers=bob)
        assert answer.status_code in (403, 404), (method, answer.text)
    assert alice.post(message).status_code == 200


def test_messages_into_an_event_stream_of_another_go_nowhere(required: Victim) -> None:
    message = {"jsonrpc": "2.0", "id": 5, "method": "tools/list"}
    with sse_endpoint(required.http, required.keys["alice"]) as endpoint:
        assert required.http.post(endpoint, json=message, headers=required.keys["bob"]).status_code in (403, 404)
        assert required.http.post(endpoint, json=message).status_code == 401
        assert required.http.post(endpoint, json=message, headers=required.keys["alice"]).status_code == 202


def test_a_saved_connection_of_another_is_none(required: Victim) -> None:
    alice, bob = required.keys["alice"], required.keys["bob"]
    saved = {"name": "mine", "type": "ssh", "host": "127.0.0.1", "username": "me", "password": "never shown"}
    made = required.http.post("/v1/terminal/connections", json=saved, headers=alice)
    assert made.status_code == 201, made.text
    assert "never shown" not in made.text
    path = f"/v1/terminal/connections/{made.json()['connection']['id']}"
    assert path.rpartition("/")[2] not in required.http.get("/v1/terminal/connections", headers=bob).text
    for method, tail, body in (
        ("GET", "", None),
        ("PUT", "", {"name": "yours"}),
        ("DELETE", "", None),
        ("POST", "/connect", {}),
    ):
        refused(of(required.http.request(method, path + tail, json=body, headers=bob)), 404)
    opening = {"connectionId": path.rpartition("/")[2]}
    refused(of(required.http.post("/v1/terminal/sessions", json=opening, headers=bob)), 404)
    assert required.http.delete(path, headers=alice).status_code == 200


def test_what_another_asked_and_spent_is_not_told(required: Victim) -> None:
    alice, bob = required.keys["alice"], required.keys["bob"]
    asked = {
        "model": "scripted/scripted",
        "messages": [{"role": "user", "content": WORDS}],
        "gateway": {"tags": {WORDS: "x"}},
    }
    answer = required.http.post("/v1/chat/completions", json=asked, headers={**alice, "X-Request-ID": "of-alice"})
    assert answer.status_code == 200, answer.text
    for path in ("/v1/decisions/of-alice",):
        refused(of(required.http.get(path, headers=bob)), 404)
    refused(of(required.http.post("/v1/feedback", json={"requestId": "of-alice", "score": 1}, headers=bob)), 404)
    listed = {key["name"]: key["id"] for key in required.http.get("/v1/keys", headers=required.admin).json()["keys"]}
    reader = required.http.post(
        "/v1/keys", json={"name": "r", "scopes": ["models:read"]}, headers=required.admin
    ).json()
    bearer = {"Authorization": f"Bearer {reader['secret']}"}
    own = required.http.get("/v1/usage", headers=bearer).json()
    assert own["total"]["requests"] == 0
    refused(of(required.http.get(f"/v1/usage?key={listed['alice']}", headers=bearer)), 403)
    required.http.delete(f"/v1/keys/{reader['key']['id']}", headers=required.admin)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "127.0.0.2"])
def test_nobody_becomes_the_user_of_this_machine_by_a_way_through_the_gateway(local: Victim, host: str) -> None:
    """In local mode it would take a telnet session with itself for one of its user's connections."""
    made = local.http.post("/v1/keys", json={"name": "theirs", "scopes": ["terminal"]}).json()
    theirs = {"Authorization": f"Bearer {made['secret']}"}
    wanted = {"type": "telnet", "host": host, "port": local.port}
    answer = local.http.post("/v1/terminal/sessions", json=wanted, headers=theirs)
    refused(of(answer), 403, code="address_refused")

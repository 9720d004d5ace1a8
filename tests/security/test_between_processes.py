"""The door between the gateway's own processes: strangers get nothing through it, and nothing of theirs is read."""

import time
from collections.abc import Iterator

import orjson
import pytest

from shared.domain.nodes import tag_of
from shared.security.node_signatures import NodeSignatures
from tests.support.victim import JWT_SECRET, Answer, Victim, attacked

pytestmark = pytest.mark.slow

CALLER = {"id": "local", "kind": "local", "name": "local", "scopes": ["admin", "terminal"]}
BODY = orjson.dumps({"operation": "list_keys", "caller": CALLER, "payload": {}, "strict": True})
TARGETS = ["/internal/call", "/internal/stream", "/internal/mounted"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One of several processes, whose door is on the network's side."""
    with attacked(tmp_path_factory.mktemp("node"), AUTH_MODE="required", NODE_URL="http://127.0.0.1:9") as victim:
        yield victim


def knock(victim: Victim, target: str, signature: str, body: bytes = BODY, length: int | None = None) -> Answer:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Gateway-Node: {signature}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return victim.raw(head.encode("latin-1") + body)


def signed(
    secret: str, target: str = TARGETS[0], body: bytes = BODY, now: float | None = None, *, node: str = "0" * 8
) -> str:
    return NodeSignatures(secret.encode()).sign(node, target, body, now=time.time() if now is None else now)


@pytest.fixture(scope="module")
def node_id(node: Victim) -> str:
    """It is no secret: session ids have it in them."""
    made = node.http.post("/v1/terminal/sessions", json={"type": "local"}, headers=node.admin)
    assert made.status_code == 201, made.text
    return tag_of(made.json()["session"]["id"])


FORGED = {
    "nothing": "",
    "a word": "x",
    "three words": "1 2 3",
    "four words": "1 2 3 4",
    "another secret": signed("0" * 40),
    "no secret": signed(""),
    "ours, for another process": signed(JWT_SECRET),
    "long": "x" * 30_000,
    "8 bit": "\xff\xfe \xff",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("signature", FORGED.values(), ids=FORGED)
def test_a_stranger_is_refused(node: Victim, target: str, signature: str) -> None:
    answer = knock(node, target, signature)
    assert answer.status == 401, answer.body
    assert b'"kind":"Unauthenticated"' in answer.body
    assert b"keys" not in answer.body


def test_a_request_of_our_own_is_let_in_once(node: Victim, node_id: str) -> None:
    ours = signed(JWT_SECRET, node=node_id)
    assert knock(node, TARGETS[0], ours, BODY.replace(b"list_keys", b"list_user")).status == 401
    ours = signed(JWT_SECRET, node=node_id)
    assert knock(node, TARGETS[0], ours).status == 200
    assert knock(node, TARGETS[0], ours).status == 401


def test_one_that_was_made_for_something_else_is_refused(node: Victim, node_id: str) -> None:
    for what in ("/internal/other", "/health", TARGETS[1]):
        assert knock(node, TARGETS[0], signed(JWT_SECRET, what, node=node_id)).status == 401
    for late in (-(10.0**8), -40, 40):
        assert knock(node, TARGETS[0], signed(JWT_SECRET, node=node_id, now=time.time() + late)).status == 401


@pytest.mark.parametrize("target", [*TARGETS, "/health", "/v1/keys"])
def test_the_body_of_a_stranger_is_not_waited_for(node: Victim, target: str) -> None:
    """Else each connection could make us hold 64 MiB."""
    assert knock(node, target, signed("0" * 40), b"{", length=60 * 1024 * 1024).status == 401


@pytest.mark.parametrize("target", TARGETS)
def test_without_a_signature_there_is_nothing(either: Victim, target: str) -> None:
    for method in ("GET", "POST"):
        assert either.http.request(method, target, json={} if method == "POST" else None).status_code in (401, 404)

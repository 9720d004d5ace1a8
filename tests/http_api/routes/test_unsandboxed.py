"""Commands and sessions without the sandbox over REST: only with a person's leave, each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from tests.http_api.routes.test_policy import audited
from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of

ONCE = "/v1/terminal/execute"
BARE = {"command": "echo $$ >~/.unsandboxed-test; grep NoNewPrivs /proc/self/status", "sandbox": False}


@asynccontextmanager
async def held(folder: Path, **settings: Any) -> AsyncIterator[Surface]:
    """A gateway with a sandbox."""
    async with surface(folder / "data", **{"terminal_sandbox": "auto", **settings}) as made:
        if made.gateway.sandbox.kind == "none" and made.gateway.sandbox.rules.network:
            pytest.skip(made.gateway.sandbox.detail)
        yield made


async def decided(http: AsyncClient, approval: str, decision: str = "approve") -> None:
    answer = await http.post(f"/v1/approvals/{approval}", json={"decision": decision})
    assert answer.status_code == 200, answer.text


async def rows(http: AsyncClient, action: str) -> list[tuple[str, dict[str, Any]]]:
    entries = (await http.get(f"/v1/audit?action={action}")).json()["entries"]
    return [(entry["outcome"], entry["details"]) for entry in entries]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


async def test_a_command_runs_without_it_once_a_person_has_approved_it(tmp_path: Path, home: Path) -> None:
    async with held(tmp_path) as made:
        asked = await made.http.post(ONCE, json=BARE)
        assert (asked.status_code, error_of(asked)["code"]) == (409, "approval_required")
        details = error_of(asked)["details"]
        assert "without the sandbox" in details["reason"]
        assert details["sandbox"] == "none"
        assert not (home / ".unsandboxed-test").exists()
        (waiting,) = (await made.http.get("/v1/approvals")).json()["approvals"]
        assert (waiting["sandbox"], waiting["policy"]) == ("none", "TERMINAL_SANDBOX")
        assert "without the sandbox" in waiting["reason"]
        await decided(made.http, details["approvalId"])
        held_one = await made.http.post(ONCE, json={"command": BARE["command"], "approvalId": details["approvalId"]})
        assert held_one.json()["result"]["sandbox"] != "none"  # leave is not used for it, nor for another command
        other = await made.http.post(ONCE, json={**BARE, "command": "id", "approvalId": details["approvalId"]})
        assert error_of(other)["code"] == "approval_mismatch"
        ran = (await made.http.post(ONCE, json={**BARE, "approvalId": details["approvalId"]})).json()["result"]
        assert (ran["sandbox"], ran["stdout"].split()) == ("none", ["NoNewPrivs:", "0"])
        again = await made.http.post(ONCE, json={**BARE, "approvalId": details["approvalId"]})
        assert error_of(again)["code"] == "approval_not_found"
        outcome, row = (await audited(made.http))[1]
        assert (outcome, row["sandbox"], row["decidedBy"]) == ("approved", False, "local")
        executed = [row for outcome, row in await rows(made.http, "execute_once") if outcome == "ok"]
        assert [row.get("sandbox") for row in executed] == [False, None]


async def test_a_command_that_a_person_denies_does_not_run(tmp_path: Path, home: Path) -> None:
    async with held(tmp_path) as made:
        approval = error_of(await made.http.post(ONCE, json=BARE))["details"]["approvalId"]
        await decided(made.http, approval, "deny")
        refused = await made.http.post(ONCE, json={**BARE, "approvalId": approval})
        assert (refused.status_code, error_of(refused)["code"]) == (403, "approval_denied")
        assert not (home / ".unsandboxed-test").exists()


async def test_a_session_opens_without_it_once_a_person_has_approved_it(tmp_path: Path) -> None:
    async with held(tmp_path) as made:
        wanted = {"type": "local", "sandbox": False}
        asked = await made.http.post("/v1/terminal/sessions", json=wanted)
        details = error_of(asked)["details"]
        assert (asked.status_code, details["kind"], details["sandbox"]) == (409, "session", "none")
        assert "every command in it" in details["reason"]
        await decided(made.http, details["approvalId"])
        opened = (await made.http.post("/v1/terminal/sessions", json=wanted)).json()["session"]
        assert opened["sandbox"] is False
        path = f"/v1/terminal/{opened['id']}/execute"
        ran = (await made.http.post(path, json={"command": "grep NoNewPrivs /proc/self/status"})).json()["result"]
        assert (ran["sandbox"], ran["stdout"].split()) == ("none", ["NoNewPrivs:", "0"])
        second = await made.http.post("/v1/terminal/sessions", json=wanted)
        assert error_of(second)["code"] == "approval_required"
        noted = await rows(made.http, "session_without_sandbox")
        assert [(outcome, row.get("decidedBy")) for outcome, row in noted] == [
            ("approval_required", None), ("approved", "local"), ("approval_required", None),
        ]  # fmt: skip
        assert (await rows(made.http, "open_terminal"))[1][1]["sandbox"] is False
        plain = (await made.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]
        assert "sandbox" not in plain


async def test_leave_for_a_session_that_could_not_open_counts_again(tmp_path: Path) -> None:
    async with held(tmp_path) as made:
        wanted = {"type": "local", "sandbox": False, "cwd": str(tmp_path / "later")}
        approval = error_of(await made.http.post("/v1/terminal/sessions", json=wanted))["details"]["approvalId"]
        await decided(made.http, approval)
        assert (await made.http.post("/v1/terminal/sessions", json=wanted)).status_code == 400
        (tmp_path / "later").mkdir()
        assert (await made.http.post("/v1/terminal/sessions", json=wanted)).status_code == 201


async def test_a_policy_that_denies_is_not_got_around(tmp_path: Path) -> None:
    deny = {"name": "deny", "rules": [{"action": "deny", "commands": ["id"]}]}
    ask = {"name": "ask", "rules": [{"action": "confirm", "commands": ["printf"], "reason": "it writes"}]}
    async with held(tmp_path) as made:
        await made.http.put("/v1/terminal/policy", json={"policy": {"policies": [deny, ask]}})
        denied = await made.http.post(ONCE, json={"command": "id", "sandbox": False})
        assert error_of(denied)["code"] == "command_denied"
        asked = error_of(await made.http.post(ONCE, json={"command": "printf x", "sandbox": False}))
        assert (asked["code"], asked["details"]["policy"]) == ("approval_required", "ask")
        assert "without the sandbox" in asked["details"]["reason"]
        assert "it writes" in asked["details"]["reason"]


async def test_a_key_does_not_approve_its_own(tmp_path: Path) -> None:
    async with held(tmp_path) as made:
        made_key = await made.http.post("/v1/keys", json={"name": "ci", "scopes": ["terminal", "admin"]})
        made.http.headers["authorization"] = f"Bearer {made_key.json()['secret']}"
        details = error_of(await made.http.post(ONCE, json=BARE))["details"]
        assert details["ask"] == ["queue"]  # its own client is not to be believed
        refused = await made.http.post(f"/v1/approvals/{details['approvalId']}", json={"decision": "approve"})
        assert error_of(refused)["code"] == "own_approval"


async def test_where_a_sandbox_is_required_nobody_is_asked(tmp_path: Path) -> None:
    async with held(tmp_path, terminal_sandbox="required") as made:
        for path, wanted in ((ONCE, BARE), ("/v1/terminal/sessions", {"type": "local", "sandbox": False})):
            refused = await made.http.post(path, json=wanted)
            assert (refused.status_code, error_of(refused)["code"]) == (403, "sandbox_required")
        assert (await made.http.get("/v1/approvals")).json()["approvals"] == []
        hint = (await made.http.post(ONCE, json={"command": "touch /etc/new"})).json()["result"]["notice"]
        assert "approve" not in hint


async def test_where_there_is_no_sandbox_no_leave_is_needed(tmp_path: Path) -> None:
    async with surface(tmp_path / "data", terminal_sandbox="off") as made:
        assert (await made.http.post(ONCE, json=BARE)).json()["result"]["sandbox"] == "none"


async def test_a_failure_in_the_sandbox_says_that_leave_can_be_asked_for(tmp_path: Path) -> None:
    async with held(tmp_path) as made:
        result = (await made.http.post(ONCE, json={"command": "touch /etc/new"})).json()["result"]
        assert '"sandbox": false' in result["notice"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (ONCE, {"command": "id", "connectionId": "c"}),
        ("/v1/terminal/sessions", {"connectionId": "c"}),
        ("/v1/terminal/sessions", {"type": "telnet", "host": "127.0.0.1"}),
    ],
)
async def test_hosts_have_no_sandbox_to_be_without(tmp_path: Path, path: str, wanted: dict[str, Any]) -> None:
    async with surface(tmp_path / "data") as made:
        refused = await made.http.post(path, json={**wanted, "sandbox": False})
        assert (refused.status_code, error_of(refused)["details"]["fields"][0]["field"]) == (400, "sandbox")

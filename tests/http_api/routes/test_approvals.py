"""The approval queue over REST."""

import asyncio
from pathlib import Path

from httpx import Response

from tests.http_api.routes.test_policy import audited, policed, session
from tests.support.http_gateway import surface
from tests.support.http_stack import error_of
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server

ASK = {"name": "ask", "rules": [{"action": "confirm", "commands": ["printf"], "reason": "it writes"}]}


async def test_a_command_runs_once_somebody_has_approved_it(tmp_path: Path) -> None:
    async with policed(tmp_path, ASK) as made:
        http, path = made.http, await session(made.http)
        command = {"command": "printf done"}
        asked = await http.post(f"{path}/execute", json=command)
        assert asked.status_code == 409
        error = error_of(asked)
        approval = error["details"]["approvalId"]
        assert (error["code"], error["details"]["reason"]) == ("approval_required", "it writes")
        (waiting,) = (await http.get("/v1/approvals?status=pending")).json()["approvals"]
        assert (waiting["id"], waiting["command"], waiting["caller"]) == (approval, command["command"], "local")
        still = await http.post(f"{path}/execute", json={**command, "approvalId": approval})
        assert (still.status_code, error_of(still)["details"]["approvalId"]) == (409, approval)
        decided = await http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
        assert decided.json()["approval"]["status"] == "approved"
        other = await http.post(f"{path}/execute", json={"command": "printf other", "approvalId": approval})
        assert error_of(other)["code"] == "approval_mismatch"
        ran = await http.post(f"{path}/execute", json={**command, "approvalId": approval})
        assert ran.json()["result"]["stdout"] == "done"
        again = await http.post(f"{path}/execute", json={**command, "approvalId": approval})
        assert again.status_code == 404
        outcomes = [outcome for outcome, _ in await audited(http)]
        assert outcomes == [
            "approval_not_found", "approved", "approval_mismatch", "approval_required", "approval_required",
        ]  # fmt: skip
        assert (await audited(http))[1][1]["decidedBy"] == "local"


async def test_files_are_read_and_written_once_somebody_has_approved_it(tmp_path: Path) -> None:
    ask = {"name": "ask", "rules": [{"action": "confirm", "commands": ["ls", "cat", "tee"]}]}
    (tmp_path / "home").mkdir()
    async with running_ssh_server(tmp_path / "home") as server, policed(tmp_path, ask) as made:
        http = made.http
        login = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        opened = await http.post("/v1/terminal/sessions", json={"type": "ssh", **login})
        path = f"/v1/terminal/{opened.json()['session']['id']}/files"

        async def approved(answer: Response) -> str:
            assert error_of(answer)["code"] == "approval_required", answer.text
            approval = str(error_of(answer)["details"]["approvalId"])
            await http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
            return approval

        written = {"path": "f", "content": "one"}
        leave = {"approvalId": await approved(await http.put(f"{path}/content", json=written))}
        for other in ({"content": "two"}, {"mode": "0777"}, {"overwrite": True}):
            refused = await http.put(f"{path}/content", json={**written, **other, **leave})
            assert error_of(refused)["code"] == "approval_mismatch"
        assert (await http.put(f"{path}/content", json={**written, **leave})).status_code == 200
        assert (server.home / "f").read_text() == "one"
        for place in ("/content", ""):
            approval = await approved(await http.get(f"{path}{place}?path=f"))
            assert (await http.get(f"{path}{place}?path=f&approvalId={approval}")).status_code == 200


async def test_a_refused_command_does_not_run(tmp_path: Path) -> None:
    async with policed(tmp_path, ASK) as made:
        path = await session(made.http)
        asked = await made.http.post(f"{path}/execute", json={"command": "printf x"})
        approval = error_of(asked)["details"]["approvalId"]
        await made.http.post(f"/v1/approvals/{approval}", json={"decision": "deny"})
        answer = await made.http.post(f"{path}/execute", json={"command": "printf x", "approvalId": approval})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "approval_denied")


async def test_a_call_can_wait_for_the_decision(tmp_path: Path) -> None:
    async with policed(tmp_path, ASK) as made:
        path = await session(made.http)
        waiting = asyncio.ensure_future(
            made.http.post(f"{path}/execute", json={"command": "printf done", "approvalWaitMs": 20_000})
        )
        async with asyncio.timeout(10):
            found = (await made.http.get("/v1/approvals")).json()["approvals"]
            while not found:
                found = (await made.http.get("/v1/approvals")).json()["approvals"]
        await made.http.post(f"/v1/approvals/{found[0]['id']}", json={"decision": "approve"})
        assert (await waiting).json()["result"]["stdout"] == "done"


async def test_where_nobody_is_to_be_asked_it_is_refused(tmp_path: Path) -> None:
    async with policed(tmp_path, {**ASK, "ask": []}) as made:
        path = await session(made.http)
        answer = await made.http.post(f"{path}/execute", json={"command": "printf x"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "command_denied")
        assert "nobody" in error_of(answer)["error"]


async def test_a_key_approves_nothing_without_the_scope_and_nothing_of_its_own(tmp_path: Path) -> None:
    async with policed(tmp_path, ASK) as made:
        for scopes, code in ((["terminal"], "forbidden"), (["terminal", "admin"], "own_approval")):
            key = (await made.http.post("/v1/keys", json={"name": "ci", "scopes": scopes})).json()["secret"]
            made.http.headers["authorization"] = f"Bearer {key}"
            path = await session(made.http)
            asked = await made.http.post(f"{path}/execute", json={"command": "printf x"})
            approval = error_of(asked)["details"]["approvalId"]
            refused = await made.http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
            assert (refused.status_code, error_of(refused)["code"]) == (403, code)
            del made.http.headers["authorization"]
            decided = await made.http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
            assert decided.status_code == 200


async def test_a_stricter_policy_counts_although_leave_was_given(tmp_path: Path) -> None:
    async with policed(tmp_path, ASK) as made:
        path = await session(made.http)
        asked = await made.http.post(f"{path}/execute", json={"command": "printf x"})
        approval = error_of(asked)["details"]["approvalId"]
        await made.http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
        denied = {"name": "deny", "rules": [{"action": "deny", "commands": ["printf"]}]}
        await made.http.put("/v1/terminal/policy", json={"policy": {"policies": [denied]}})
        answer = await made.http.post(f"{path}/execute", json={"command": "printf x", "approvalId": approval})
        assert error_of(answer)["code"] == "command_denied"


async def test_a_new_host_is_used_once_somebody_has_approved_its_key(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with running_ssh_server(tmp_path / "home") as server, surface(tmp_path / "data", ssh_host_keys="ask") as made:
        http = made.http
        login = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        for decision, status, code in (("deny", 403, "approval_denied"), ("approve", 201, None)):
            asked = await http.post("/v1/terminal/sessions", json=login)
            error = error_of(asked)
            assert (asked.status_code, error["code"]) == (409, "approval_required")
            assert server.fingerprints[0] in error["details"]["command"]
            assert server.logins == 0
            path = f"/v1/approvals/{error['details']['approvalId']}"
            decided = (await http.post(path, json={"decision": decision})).json()["approval"]
            assert decided["kind"] == "host_key"
            answer = await http.post("/v1/terminal/sessions", json=login)
            assert answer.status_code == status, answer.text
            assert answer.json().get("code") == code
        assert (await http.post("/v1/terminal/sessions", json=login)).status_code == 201

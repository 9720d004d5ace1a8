"""The approval queue over REST."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

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


TEE = {"name": "ask", "rules": [{"action": "confirm", "commands": ["tee"]}]}


async def approved(http: AsyncClient, path: str, **request: Any) -> dict[str, Any]:
    """The request with an approval that a person has given."""
    asked = await http.post(f"{path}/execute", json=request)
    assert error_of(asked)["code"] == "approval_required", asked.text
    approval = error_of(asked)["details"]["approvalId"]
    await http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
    return {**request, "approvalId": approval}


def impostor(folder: Path) -> Path:
    """A directory with a `tee` that is not tee."""
    folder.mkdir()
    (folder / "tee").write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    (folder / "tee").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ("export PATH={evil}:$PATH", "variables.PATH"),
        ("export LD_PRELOAD={evil}/x.so", "variables.LD_PRELOAD"),
        ("unset PAGER", "variables.PAGER"),
        ("cd {evil}; cd ..", "variables.OLDPWD"),
        ("cd {evil}", "cwd"),
        ("umask 0", "umask"),
    ],
)
async def test_an_approval_ends_with_the_state_of_the_session_that_it_was_given_for(
    tmp_path: Path, change: str, changed: str
) -> None:
    evil = impostor(tmp_path / "evil")
    async with policed(tmp_path / "data", TEE) as made:
        path = await session(made.http, cwd=str(tmp_path))
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        await made.http.post(f"{path}/execute", json={"command": change.format(evil=evil)})
        refused = await made.http.post(f"{path}/execute", json=leave)
        assert (refused.status_code, error_of(refused)["code"]) == (409, "approval_mismatch")
        assert changed in error_of(refused)["details"]["changed"]
        assert not (evil / "ran").exists()


async def test_an_approval_ends_when_another_file_takes_the_place_of_the_program(tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "tee").symlink_to("/usr/bin/tee")
    async with policed(tmp_path / "data", TEE) as made:
        path = await session(made.http, cwd=str(tmp_path), env={"PATH": f"{bin_}:/usr/bin:/bin"})
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        (bin_ / "tee").unlink()
        impostor(tmp_path / "evil").joinpath("tee").rename(bin_ / "tee")
        refused = await made.http.post(f"{path}/execute", json=leave)
        assert error_of(refused)["details"]["changed"] == ["programs.tee"]
        assert not (tmp_path / "evil" / "ran").exists()


async def test_an_approved_command_that_waits_is_held_against_its_approval_once_more(tmp_path: Path) -> None:
    evil = impostor(tmp_path / "evil")
    async with policed(tmp_path / "data", TEE) as made:
        path = await session(made.http, cwd=str(tmp_path))
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        os.mkfifo(tmp_path / "gate")
        before = {"command": f"read x < gate; export PATH={evil}:$PATH"}
        first = asyncio.ensure_future(made.http.post(f"{path}/execute", json=before))
        gate = await asyncio.to_thread(open, tmp_path / "gate", "w")  # once the first one runs
        second = asyncio.ensure_future(made.http.post(f"{path}/execute", json=leave))
        async with asyncio.timeout(10):
            while "approved" not in [outcome for outcome, _ in await audited(made.http)]:
                pass
        gate.write("go\n")
        gate.close()
        assert (await first).status_code == 200
        assert error_of(await second)["code"] == "approval_mismatch"
        assert not (evil / "ran").exists()


async def test_an_approval_shows_what_it_is_for_and_outlives_what_changes_nothing(tmp_path: Path) -> None:
    async with policed(tmp_path / "data", TEE) as made:
        path = await session(made.http, cwd=str(tmp_path), env={"PATH": "/usr/bin:/bin", "EXTRA": "secret"})
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        (shown,) = (await made.http.get("/v1/approvals")).json()["approvals"]
        assert shown["programs"] == ["tee: /usr/bin/tee"]
        assert (shown["path"], shown["cwd"], shown["stdin"]) == ("/usr/bin:/bin", str(tmp_path), "x")
        assert "EXTRA" in shown["variables"]
        assert "secret" not in str(shown)
        assert shown["sandbox"] is not None
        await made.http.post(f"{path}/execute", json={"command": "local=1; true"})
        assert (await made.http.post(f"{path}/execute", json=leave)).status_code == 200


async def test_an_approval_over_ssh_ends_with_the_variables_that_it_was_given_for(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    evil = impostor(tmp_path / "evil")
    async with running_ssh_server(tmp_path / "home") as server, policed(tmp_path / "data", TEE) as made:
        login = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "ssh", **login})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        await made.http.post(f"{path}/execute", json={"command": "true"})
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        await made.http.post(f"{path}/execute", json={"command": "true"})
        assert (await made.http.post(f"{path}/execute", json=leave)).status_code == 200
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        await made.http.post(f"{path}/execute", json={"command": f"export PATH={evil}:$PATH"})
        refused = await made.http.post(f"{path}/execute", json=leave)
        assert error_of(refused)["details"]["changed"] == ["variables.PATH"]
        assert not (evil / "ran").exists()


async def test_an_approval_over_ssh_ends_with_the_directory_before_and_the_umask(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with running_ssh_server(tmp_path / "home") as server, policed(tmp_path / "data", TEE) as made:
        login = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "ssh", **login})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        await made.http.post(f"{path}/execute", json={"command": "true"})
        for change, changed in (("export PWD=/etc", "variables.PWD"), ("umask 0", "umask")):
            leave = await approved(made.http, path, command="cd - && tee f3", stdin="x")
            await made.http.post(f"{path}/execute", json={"command": change})
            refused = await made.http.post(f"{path}/execute", json=leave)
            assert changed in error_of(refused)["details"]["changed"]


async def test_an_approval_ends_when_the_script_that_it_names_changes(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("touch good")
    times = script.stat()
    for command in ("sh run.sh", "cd .. && cd - && bash ./run.sh", "python3 run.sh", ". ./run.sh", "./run.sh"):
        script.write_text("touch good")
        script.chmod(0o755)
        policy = {
            "name": "ask",
            "rules": [{"action": "confirm", "commands": ["sh", "bash", "python3", ".", "./run.sh"]}],
        }
        async with policed(tmp_path / "data", policy) as made:
            path = await session(made.http, cwd=str(tmp_path))
            leave = await approved(made.http, path, command=command)
            script.write_text("touch evil")  # as long, in the same file
            os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
            refused = await made.http.post(f"{path}/execute", json=leave)
            (changed,) = error_of(refused)["details"]["changed"]
            assert changed in ("programs.run.sh", "programs../run.sh"), command
            assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"port": 2222}, "host"),
        ({"jump": {"host": "127.0.0.1", "port": 3, "username": "u", "password": "p"}}, "host"),
        ({"env": {"PATH": "/tmp/evil"}}, "variables.PATH"),
        ({"cwd": "/etc"}, "cwd"),
    ],
)
async def test_an_approval_ends_when_the_saved_connection_changes(
    tmp_path: Path, change: dict[str, Any], changed: str
) -> None:
    async with policed(tmp_path, TEE) as made:
        login = {"type": "ssh", "host": "127.0.0.1", "port": 2, "username": "u", "password": "p", "cwd": "/tmp"}
        saved = await made.http.post("/v1/terminal/connections", json={"name": "box", **login})
        connection = saved.json()["connection"]["id"]
        leave = await approved(made.http, "/v1/terminal", command="tee f3", connectionId=connection)
        put = await made.http.put(f"/v1/terminal/connections/{connection}", json=change)
        assert put.status_code == 200, put.text
        refused = await made.http.post("/v1/terminal/execute", json=leave)
        assert error_of(refused)["details"]["changed"] == [changed]


async def test_a_changed_approval_names_some_changes_and_lists_all(tmp_path: Path) -> None:
    async with policed(tmp_path, TEE) as made:
        path = await session(made.http)
        leave = await approved(made.http, path, command="tee f3", stdin="x")
        many = "; ".join(f"export V{number}=secret" for number in range(12))
        await made.http.post(f"{path}/execute", json={"command": many})
        error = error_of(await made.http.post(f"{path}/execute", json={**leave, "stdin": "y"}))
        assert len(error["details"]["changed"]) == 13
        assert "the input, a variable of the session V0," in error["error"]
        assert "5 more" in error["error"]
        assert "secret" not in str(error)

"""The command policy over REST, and what it does to commands."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.shared.terminal.policy.corpus import NATURAL, lines
from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of

NO_RM = {"name": "no rm", "rules": [{"action": "deny", "commands": ["rm"], "reason": "it deletes"}]}


@asynccontextmanager
async def policed(folder: Path, *policies: dict[str, Any], **settings: Any) -> AsyncIterator[Surface]:
    async with surface(folder, **settings) as made:
        put = await made.http.put("/v1/terminal/policy", json={"policy": {"policies": list(policies)}})
        assert put.status_code == 200, put.text
        yield made


async def session(http: httpx.AsyncClient, **fields: Any) -> str:
    opened = await http.post("/v1/terminal/sessions", json={"type": "local", **fields})
    assert opened.status_code == 201, opened.text
    return f"/v1/terminal/{opened.json()['session']['id']}"


async def audited(http: httpx.AsyncClient) -> list[tuple[str, dict[str, Any]]]:
    entries = (await http.get("/v1/audit?action=command_policy")).json()["entries"]
    return [(entry["outcome"], entry["details"]) for entry in entries]


async def test_without_a_policy_nothing_changes(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        assert (await made.http.get("/v1/terminal/policy")).json() == {
            "policy": {"policies": []},
            "source": "none",
            "version": 0,
        }
        path = await session(made.http)
        odd = await made.http.post(f"{path}/execute", json={"command": "echo 'a' )"})
        assert odd.json()["result"]["exitCode"] != 0  # for the shell to judge, not for us
        assert await audited(made.http) == []


async def test_a_denied_command_is_refused_with_its_reason_and_audited(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        path = await session(made.http)
        victim = tmp_path / "victim"
        victim.touch()
        for command in (f"rm {victim}", f"sh -c 'rm {victim}'", f"echo $(rm {victim})"):
            answer = await made.http.post(f"{path}/execute", json={"command": command})
            assert answer.status_code == 403
            error = error_of(answer)
            assert (error["code"], error["details"]) == (
                "command_denied",
                {"policy": "no rm", "rule": 1, "reason": "it deletes"},
            )
            assert "it deletes" in error["error"]
            assert str(victim) not in answer.text
        assert victim.exists()
        outcome, details = (await audited(made.http))[0]
        assert outcome == "command_denied"
        assert (details["verdict"], details["policy"], details["rule"]) == ("deny", "no rm", 1)
        assert "rm" in details["command"]
        fine = await made.http.post(f"{path}/execute", json={"command": "echo rm"})
        assert fine.json()["result"]["stdout"] == "rm\n"


async def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        path = await session(made.http)
        answer = await made.http.post(f"{path}/execute", json={"command": "echo 'a' )"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "command_unparsable")
        assert (await audited(made.http))[0][0] == "command_unparsable"


async def test_input_is_judged_where_it_is_a_script(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        path = await session(made.http)
        for command, status in (("sh", 403), ("cat", 200)):
            answer = await made.http.post(f"{path}/execute", json={"command": command, "stdin": "rm x"})
            assert answer.status_code == status, command


async def test_a_change_counts_at_once_and_null_ends_it(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        path = await session(made.http)
        assert (await made.http.post(f"{path}/execute", json={"command": "rm -f x"})).status_code == 403
        state = (await made.http.put("/v1/terminal/policy", json={"policy": None})).json()
        assert (state["source"], state["version"]) == ("none", 2)
        assert (await made.http.post(f"{path}/execute", json={"command": "rm -f x"})).status_code == 200
        entries = (await made.http.get("/v1/audit?action=change_command_policy")).json()["entries"]
        assert [entry["details"]["policy"] is None for entry in entries] == [True, False]


async def test_a_policy_that_is_not_valid_changes_nothing(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        for wrong in ({"policies": [{"name": "x", "rules": [{"action": "deny"}]}]}, {"policies": [{}]}, 1):
            answer = await made.http.put("/v1/terminal/policy", json={"policy": wrong})
            assert answer.status_code == 400
        assert (await made.http.get("/v1/terminal/policy")).json()["version"] == 1


async def test_typing_is_refused_unless_the_policy_lets_it(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        path = await session(made.http)
        answer = await made.http.post(f"{path}/send", json={"data": "ls\n"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "command_denied")
        assert (await audited(made.http))[0][1]["typing"] is True
        assert "ls" not in str(await audited(made.http))
        await made.http.put("/v1/terminal/policy", json={"policy": {"policies": [{**NO_RM, "interactive": "allow"}]}})
        assert (await made.http.post(f"{path}/send", json={"data": "ls\n"})).status_code == 200


async def test_a_session_may_not_begin_with_variables_that_are_denied(tmp_path: Path) -> None:
    rule = {"action": "deny", "variables": ["BASH_ENV"]}
    async with policed(tmp_path, {"name": "p", "rules": [rule]}) as made:
        given = {"type": "local", "env": {"BASH_ENV": "/tmp/x"}}
        answer = await made.http.post("/v1/terminal/sessions", json=given)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "command_denied")
        await session(made.http, env={"A": "1"})


async def test_the_directory_of_a_session_counts(tmp_path: Path) -> None:
    rule = {"action": "deny", "writes": ["/etc/**"]}
    async with policed(tmp_path, {"name": "p", "rules": [rule]}) as made:
        path = await session(made.http, cwd="/tmp")
        assert (await made.http.post(f"{path}/execute", json={"command": "test -e x > /dev/null"})).status_code == 200
        await made.http.post(f"{path}/execute", json={"command": "cd /etc"})
        answer = await made.http.post(f"{path}/execute", json={"command": "echo > gateway-test"})
        assert answer.status_code == 403


async def test_a_session_may_not_have_a_denied_program_for_its_shell(tmp_path: Path) -> None:
    program = tmp_path / "fish"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    rule = {"action": "deny", "commands": ["hostname", "dash", "sh"]}
    async with policed(tmp_path, {"name": "p", "rules": [rule]}) as made:
        for shell, status in (("hostname", 400), ("/usr/bin/env", 400), (str(program), 400), ("/bin/sh", 403)):
            given = {"type": "local", "shell": shell}
            assert (await made.http.post("/v1/terminal/sessions", json=given)).status_code == status, shell
            saved = await made.http.post("/v1/terminal/connections", json={"name": shell[-8:].strip("/"), **given})
            connection = saved.json()["connection"]["id"]
            again = await made.http.post(f"/v1/terminal/connections/{connection}/connect", json={})
            assert again.status_code == status, shell
        await session(made.http, shell="bash")
        await made.http.put("/v1/terminal/policy", json={"policy": None})
        await session(made.http, shell=str(program))


async def test_a_command_that_waits_is_judged_where_the_one_before_it_leads(tmp_path: Path) -> None:
    folder = tmp_path / "guarded"
    folder.mkdir()
    rules = [{"action": "deny", "writes": [f"{folder}/**"]}, {"action": "allow", "commands": ["touch"]}]
    async with policed(tmp_path, {"name": "p", "rules": rules}) as made:
        path = await session(made.http, cwd=str(tmp_path))
        os.mkfifo(tmp_path / "gate")
        first = asyncio.ensure_future(
            made.http.post(f"{path}/execute", json={"command": f"read x < gate; cd {folder}"})
        )
        gate = await asyncio.to_thread(open, tmp_path / "gate", "w")  # once the first one runs
        second = asyncio.ensure_future(made.http.post(f"{path}/execute", json={"command": "touch found"}))
        async with asyncio.timeout(10):
            while not await audited(made.http):  # it was allowed where the session was
                pass
        gate.write("go\n")
        gate.close()
        assert (await first).json()["result"]["cwd"] == str(folder)
        assert (await second).status_code == 403
        assert not (folder / "found").exists()


async def test_policies_are_for_connections_and_callers(tmp_path: Path) -> None:
    policy = {**NO_RM, "connections": ["prod"]}
    async with policed(tmp_path, policy, {**NO_RM, "name": "keys", "callers": ["kind:key"]}) as made:
        saved = await made.http.post("/v1/terminal/connections", json={"name": "prod", "type": "local"})
        connection = f"/v1/terminal/connections/{saved.json()['connection']['id']}"
        there = (await made.http.post(f"{connection}/connect", json={})).json()["session"]["id"]
        here = await session(made.http)
        assert (await made.http.post(f"/v1/terminal/{there}/execute", json={"command": "rm -f x"})).status_code == 403
        assert (await made.http.post(f"{here}/execute", json={"command": "rm -f x"})).status_code == 200
        key = (await made.http.post("/v1/keys", json={"name": "ci", "scopes": ["terminal"]})).json()["secret"]
        made.http.headers["authorization"] = f"Bearer {key}"
        own = await session(made.http)
        assert (await made.http.post(f"{own}/execute", json={"command": "rm -f x"})).status_code == 403


async def test_a_command_can_be_tried_on_the_policy(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        asked = {"command": "sudo sh -c 'ls; rm x'"}
        verdict = (await made.http.post("/v1/terminal/policy/check", json=asked)).json()
        assert (verdict["action"], verdict["policy"], verdict["rule"]) == ("deny", "no rm", 1)
        assert verdict["decisive"] == "rm x"
        assert verdict["seen"] == ["sudo sh -c ls; rm x", "sh -c ls; rm x", "ls", "rm x"]
        allowed = (await made.http.post("/v1/terminal/policy/check", json={"command": "ls"})).json()
        assert (allowed["action"], allowed["rule"]) == ("allow", None)


async def test_only_administrators_see_and_change_it(tmp_path: Path) -> None:
    async with policed(tmp_path, NO_RM) as made:
        key = (await made.http.post("/v1/keys", json={"name": "ci", "scopes": ["terminal"]})).json()["secret"]
        headers = {"authorization": f"Bearer {key}"}
        assert (await made.http.get("/v1/terminal/policy", headers=headers)).status_code == 403
        assert (await made.http.put("/v1/terminal/policy", json={"policy": None}, headers=headers)).status_code == 403


async def test_a_file_in_the_data_directory_is_in_force(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(
        '[[policies]]\nname = "file"\n[[policies.rules]]\naction = "deny"\ncommands = ["rm"]\n'
    )
    async with surface(tmp_path) as made:
        assert (await made.http.get("/v1/terminal/policy")).json()["source"] == "file"
        path = await session(made.http)
        assert (await made.http.post(f"{path}/execute", json={"command": "rm x"})).status_code == 403


async def test_a_command_without_a_session_is_judged_with_its_variables(tmp_path: Path) -> None:
    only_true = {"name": "p", "default": "deny", "rules": [{"action": "allow", "commands": ["true"]}]}
    async with policed(tmp_path, only_true) as made:
        path = "/v1/terminal/execute"
        assert (await made.http.post(path, json={"command": "true"})).status_code == 200
        for more in ({"command": "id"}, {"env": {"LD_PRELOAD": "/tmp/x.so"}}, {"command": "sh", "stdin": "id\n"}):
            answer = await made.http.post(path, json={"command": "true", **more})
            assert answer.status_code == 403, (more, answer.text)


async def test_what_the_policy_does_not_know_runs_nowhere_unasked(tmp_path: Path) -> None:
    rule = {"action": "allow", "commands": NATURAL.split()}
    unknown, everyday = lines("unknown.txt"), lines("everyday.txt")
    async with policed(tmp_path, {"name": "natural", "default": "confirm", "rules": [rule]}) as made:

        async def checked(line: str) -> str:
            answer = await made.http.post("/v1/terminal/policy/check", json={"command": line})
            return str(answer.json()["action"] if answer.status_code == 200 else error_of(answer)["code"])

        assert [line for line in unknown if await checked(line) == "allow"] == []
        assert [line for line in everyday if await checked(line) != "allow"] == []
        path = await session(made.http, cwd=str(tmp_path))
        for line in ("git grep -O./x foo", "ENV='$(touch found)' sh -i", "awk 'BEGIN { system(\"touch found\") }'"):
            answer = await made.http.post(f"{path}/execute", json={"command": line})
            assert (answer.status_code, error_of(answer)["code"]) == (409, "approval_required"), line
        assert not (tmp_path / "found").exists()
        assert (await made.http.post(f"{path}/execute", json={"command": "ls | head"})).status_code == 200

"""Logins that ask for a one-time code, over REST: answered by a person, then the request is sent again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from httpx import Response

from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server

CODE = "482913"
TWO_STEPS = ("Password: ", "Verification code: ")


@asynccontextmanager
async def a_host(
    folder: Path, questions: tuple[Any, ...] = TWO_STEPS, **settings: Any
) -> AsyncIterator[tuple[Surface, SshServer]]:
    """A gateway with a saved connection to a host that asks for a code."""
    home = folder / "home"
    home.mkdir()
    async with (
        running_ssh_server(home, questions=questions, code=CODE) as server,
        surface(folder / "data", **settings) as made,
    ):
        given = {"name": "host", "type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER}
        assert (await made.http.post("/v1/terminal/connections", json={**given, "password": PASSWORD})).is_success
        yield made, server


async def opening(made: Surface, **more: Any) -> Response:
    return await made.http.post("/v1/terminal/sessions", json={"connectionId": "host", **more})


async def answered(made: Surface, login: str, *answers: str) -> Response:
    return await made.http.post(f"/v1/terminal/{login}/answer", json={"answers": list(answers)})


async def a_key(made: Surface, admin: dict[str, str]) -> dict[str, str]:
    """The headers of a new API key for terminals."""
    made_key = await made.http.post("/v1/keys", json={"name": "agent", "scopes": ["terminal"]}, headers=admin)
    return {"x-api-key": made_key.json()["secret"]}


@pytest.mark.parametrize("questions", [TWO_STEPS, (TWO_STEPS,)], ids=["two challenges", "one challenge"])
async def test_a_session_opens_once_the_code_is_given(tmp_path: Path, questions: tuple[Any, ...]) -> None:
    async with a_host(tmp_path, questions) as (made, server):
        refused = await opening(made)
        assert (refused.status_code, error_of(refused)["code"]) == (409, "code_required")
        details = error_of(refused)["details"]
        assert details["prompts"] == [{"text": "Verification code:", "echo": False}]
        assert details["instructions"] == "Two steps"
        assert (details["host"], details["port"], details["username"]) == ("127.0.0.1", server.port, USER)
        (waiting,) = (await made.http.get("/v1/terminal/logins")).json()["logins"]
        assert waiting["id"] == details["loginId"]
        assert error_of(await opening(made))["details"]["loginId"] == details["loginId"]
        assert (await answered(made, details["loginId"], CODE)).json() == {"success": True}
        assert (await made.http.get("/v1/terminal/logins")).json()["logins"] == []
        opened = await opening(made, loginId=details["loginId"])
        assert opened.status_code == 201, opened.text
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        ran = await made.http.post(f"{path}/execute", json={"command": "echo in"})
        assert ran.json()["result"]["stdout"] == "in\n"
        assert server.logins == len(server.connections) == 1
        assert error_of(await opening(made))["code"] == "code_required"  # it counted once
        audit = (await made.http.get("/v1/audit")).text
        assert details["loginId"] in audit
        assert CODE not in audit


async def test_a_single_command_runs_once_the_code_is_given(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, _):
        body = {"command": "echo there", "connectionId": "host"}
        refused = await made.http.post("/v1/terminal/execute", json=body)
        assert error_of(refused)["code"] == "code_required"
        assert (await answered(made, error_of(refused)["details"]["loginId"], CODE)).is_success
        ran = await made.http.post("/v1/terminal/execute", json=body)
        assert ran.json()["result"]["stdout"] == "there\n"


async def test_a_wrong_code_is_refused_and_asked_for_again(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, _):
        login = error_of(await opening(made))["details"]["loginId"]
        wrong = await answered(made, login, "000000")
        assert (wrong.status_code, error_of(wrong)["code"]) == (502, "code_refused")
        assert error_of(await answered(made, login, CODE))["code"] == "login_not_found"
        again = error_of(await opening(made))
        assert again["code"] == "code_required"
        assert again["details"]["loginId"] != login


async def test_each_question_needs_its_answer(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, _):
        login = error_of(await opening(made))["details"]["loginId"]
        for body in ({"answers": [CODE, CODE]}, {"answers": []}, {"answers": [CODE], "secret": "password"}):
            assert (await made.http.post(f"/v1/terminal/{login}/answer", json=body)).status_code == 400
        assert (await answered(made, login, CODE)).is_success


async def test_a_lost_session_asks_for_a_new_code(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, server):
        await answered(made, error_of(await opening(made))["details"]["loginId"], CODE)
        path = f"/v1/terminal/{(await opening(made)).json()['session']['id']}"
        server.connections[0].abort()
        await server.connections[0].wait_closed()
        command = {"command": "echo again"}
        while error_of(refused := await made.http.post(f"{path}/execute", json=command))["code"] != "code_required":
            assert error_of(refused)["code"] == "connection_lost"
        await answered(made, error_of(refused)["details"]["loginId"], CODE)
        ran = await made.http.post(f"{path}/execute", json=command)
        assert ran.json()["result"]["stdout"] == "again\n"


async def test_no_person_is_asked_for_a_password(tmp_path: Path) -> None:
    async with a_host(tmp_path, ("Password: ",)) as (made, server):
        given = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER}
        refused = await made.http.post("/v1/terminal/sessions", json=given)
        assert error_of(refused)["code"] == "authentication_failed"
        assert server.answers == []


async def test_a_host_that_closes_the_login_is_asked_again(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, server):
        login = error_of(await opening(made))["details"]["loginId"]
        server.connections[0].abort()
        await server.connections[0].wait_closed()
        late = await answered(made, login, CODE)
        assert error_of(late)["code"] in ("connection_failed", "code_refused", "login_not_found"), late.text
        assert error_of(await opening(made))["code"] == "code_required"


async def test_a_login_belongs_to_its_caller_and_to_administrators(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with (
        running_ssh_server(home, questions=TWO_STEPS, code=CODE) as server,
        surface(tmp_path / "data", auth_mode="required") as made,
    ):
        target = {
            "type": "ssh",
            "host": "127.0.0.1",
            "port": server.port,
            "username": USER,
            "password": PASSWORD,
        }
        admin = {"Authorization": f"Bearer {await made.login()}"}
        one, other = await a_key(made, admin), await a_key(made, admin)
        refused = await made.http.post("/v1/terminal/sessions", json=target, headers=one)
        login = error_of(refused)["details"]["loginId"]
        body, path = {"answers": [CODE]}, f"/v1/terminal/{login}/answer"
        assert (await made.http.post(path, json=body, headers=other)).status_code == 404
        assert (await made.http.get("/v1/terminal/logins", headers=other)).json()["logins"] == []
        (waiting,) = (await made.http.get("/v1/terminal/logins", headers=admin)).json()["logins"]
        assert waiting["id"] == login
        assert (await made.http.post(path, json=body, headers=admin)).is_success
        assert (
            error_of(await made.http.post("/v1/terminal/sessions", json=target, headers=other))["code"]
            == "code_required"
        )
        assert (await made.http.post("/v1/terminal/sessions", json=target, headers=one)).status_code == 201


async def test_an_answered_login_is_only_for_the_same_credentials(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (made, server):
        await answered(made, error_of(await opening(made))["details"]["loginId"], CODE)
        other = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": "another"}
        refused = await made.http.post("/v1/terminal/sessions", json=other)
        assert not refused.is_success
        assert (await opening(made)).status_code == 201


async def test_a_key_and_then_a_code(tmp_path: Path) -> None:
    """As `AuthenticationMethods publickey,keyboard-interactive` has it, without a password."""
    home = tmp_path / "home"
    home.mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with (
        running_ssh_server(home, questions=("One-time password (OATH): ",), code=CODE) as server,
        surface(tmp_path / "data") as made,
    ):
        server.code_alone = True
        pem = key.export_private_key("openssh").decode()
        target = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "privateKey": pem}
        refused = await made.http.post("/v1/terminal/sessions", json=target)
        assert error_of(refused)["code"] == "code_required"
        await answered(made, error_of(refused)["details"]["loginId"], CODE)
        assert (await made.http.post("/v1/terminal/sessions", json=target)).status_code == 201
        assert server.answers == [CODE]


async def test_an_unknown_host_key_is_an_administrators_to_accept_for_an_api_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with (
        running_ssh_server(home) as server,
        surface(tmp_path / "data", auth_mode="required", ssh_host_keys="ask") as made,
    ):
        admin = {"Authorization": f"Bearer {await made.login()}"}
        key = await a_key(made, admin)
        login = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        target = {"type": "ssh", **login}
        refused = await made.http.post("/v1/terminal/sessions", json=target, headers=key)
        assert error_of(refused)["code"] == "approval_required"
        assert error_of(refused)["details"]["ask"] == ["queue"]
        (waiting,) = (await made.http.get("/v1/approvals", headers=admin)).json()["approvals"]
        assert server.fingerprints[0] in waiting["command"]
        path, body = f"/v1/approvals/{waiting['id']}", {"decision": "approve"}
        assert (await made.http.post(path, json=body, headers=key)).status_code == 403
        assert server.logins == 0
        assert (await made.http.post(path, json=body, headers=admin)).is_success
        assert (await made.http.post("/v1/terminal/sessions", json=target, headers=key)).status_code == 201

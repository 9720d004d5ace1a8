"""Telnet sessions over REST on saved connections, which log in by themselves."""

from pathlib import Path

import pytest

from tests.support.http_gateway import surface
from tests.support.http_stack import error_of
from tests.support.telnet_device import Appliance, running_appliance, running_telnet_device


async def test_a_saved_password_is_typed_and_is_nowhere(tmp_path: Path) -> None:
    async with running_appliance() as device, surface(tmp_path / "data") as made:
        http = made.http
        given = {"name": "switch", "type": "telnet", "host": "127.0.0.1", "port": device.port}
        credentials = {"username": Appliance.NAME, "password": Appliance.PASSWORD}
        saved = await http.post("/v1/terminal/connections", json={**given, **credentials})
        connection = saved.json()["connection"]
        assert (connection["username"], connection["hasPassword"]) == (Appliance.NAME, True)
        opened = await http.post("/v1/terminal/sessions", json={"connectionId": connection["id"], "record": True})
        assert opened.status_code == 201, opened.text
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        wait = {"for": "output", "pattern": "Unknown command", "timeoutMs": 5000}
        said = await http.post(f"{path}/send", json={"data": "version\n", "wait": wait})
        shown = (await http.get(f"{path}/output?cursor=0")).text
        assert "switch#version" in shown
        audit = (await http.get("/v1/audit")).text
        assert "create_connection" in audit
        await http.delete(path)
        kept = "".join(file.read_text(errors="replace") for file in (tmp_path / "data").rglob("*") if file.is_file())
        assert Appliance.PASSWORD not in saved.text + opened.text + said.text + shown + audit + kept


async def test_a_refused_login_says_what_to_check(tmp_path: Path) -> None:
    async with running_appliance() as device, surface(tmp_path / "data") as made:
        given = {"type": "telnet", "host": "127.0.0.1", "port": device.port, "username": "admin", "password": "xyz-1"}
        refused = await made.http.post("/v1/terminal/sessions", json=given)
        assert error_of(refused)["code"] == "authentication_failed"
        assert "xyz-1" not in refused.text


@pytest.mark.parametrize(
    ("greeting", "credentials", "login"),
    [
        (b"device> ", {"username": "me", "password": "tr0ub4dor"}, "not_asked"),
        (b"login: ", {"username": "me", "password": "tr0ub4dor"}, "not_asked"),
        (b"device> ", {"username": "me"}, "not_asked"),
        (b"Password: ", {"password": "tr0ub4dor"}, "unconfirmed"),
        (b"login: ", {"username": "me"}, None),
        (b"device> ", {}, None),
    ],
)
async def test_a_session_says_whether_the_host_took_the_login(
    tmp_path: Path, greeting: bytes, credentials: dict[str, str], login: str | None
) -> None:
    environment = {"ssh_connect_timeout": 0.2}
    async with running_telnet_device(greeting) as device, surface(tmp_path / "data", **environment) as made:
        given = {"type": "telnet", "host": "127.0.0.1", "port": device.port, **credentials}
        opened = (await made.http.post("/v1/terminal/sessions", json=given)).json()["session"]
        listed = (await made.http.get("/v1/terminal/sessions")).json()["sessions"][0]
        assert (opened["connected"], opened.get("login"), listed.get("login")) == (True, login, login)
        assert ("logged in" in opened.get("reason", "")) is (login is not None)


async def test_a_login_that_the_host_took_is_told(tmp_path: Path) -> None:
    async with running_appliance() as device, surface(tmp_path / "data") as made:
        credentials = {"username": Appliance.NAME, "password": Appliance.PASSWORD}
        given = {"type": "telnet", "host": "127.0.0.1", "port": device.port, **credentials}
        opened = (await made.http.post("/v1/terminal/sessions", json=given)).json()["session"]
        assert (opened["login"], opened.get("reason")) == ("done", None)

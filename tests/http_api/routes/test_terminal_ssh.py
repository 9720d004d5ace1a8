"""SSH sessions over REST: files, password prompts, and who may use the SSH configuration."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server


@asynccontextmanager
async def a_session(folder: Path, **settings: Any) -> AsyncIterator[tuple[Surface, SshServer, str]]:
    """A gateway, a host, and the path of a session on a saved connection to it."""
    home = folder / "home"
    home.mkdir()
    async with running_ssh_server(home) as server, surface(folder / "data", **settings) as made:
        given = {"name": "host", "type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER}
        saved = await made.http.post("/v1/terminal/connections", json={**given, "password": PASSWORD})
        connection = saved.json()["connection"]["id"]
        opened = await made.http.post("/v1/terminal/sessions", json={"connectionId": connection, "record": True})
        assert opened.status_code == 201, opened.text
        yield made, server, f"/v1/terminal/{opened.json()['session']['id']}"


async def test_a_file_is_written_listed_and_read(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, server, path):
        data = os.urandom(10 * 1024 * 1024)
        body = {"path": "f.bin", "content": base64.b64encode(data).decode(), "encoding": "base64", "mode": "0600"}
        written = await made.http.put(f"{path}/files/content", json=body)
        assert written.status_code == 200, written.text
        assert written.json()["created"] is True
        assert (server.home / "f.bin").read_bytes() == data
        listed = (await made.http.get(f"{path}/files?path=.")).json()
        assert [(entry["name"], entry["size"], entry["mode"]) for entry in listed["entries"]] == [
            ("f.bin", len(data), "0600")
        ]
        assert listed["truncated"] is False
        whole = (await made.http.get(f"{path}/files/content?path=f.bin")).json()
        assert base64.b64decode(whole["content"]) == data
        assert (whole["encoding"], whole["eof"], whole["bytes"]) == ("base64", True, len(data))
        again = await made.http.put(f"{path}/files/content", json=body)
        assert (again.status_code, error_of(again)["code"]) == (409, "file_exists")


async def test_text_comes_as_text_and_in_parts(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, server, path):
        body = {"path": "é.txt", "content": "one\nzwö\0"}
        assert (await made.http.put(f"{path}/files/content", json=body)).status_code == 200
        assert (server.home / "é.txt").read_bytes() == "one\nzwö\0".encode()
        part = (await made.http.get(f"{path}/files/content?path=é.txt&offset=4&limit=4")).json()
        assert (part["content"], part["encoding"], part["offset"], part["eof"]) == ("zwö", "text", 4, False)
        cut = await made.http.get(f"{path}/files/content?path=é.txt&offset=4&limit=3&encoding=text")
        assert cut.status_code == 400
        assert (await made.http.get(f"{path}/files/content?path=é.txt")).json()["encoding"] == "base64"


async def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    async with a_session(tmp_path, terminal_max_file_bytes=2048) as (made, server, path):
        (server.home / "big").write_bytes(b"x" * 5000)
        part = (await made.http.get(f"{path}/files/content?path=big")).json()
        assert (part["bytes"], part["eof"], part["file"]["size"]) == (2048, False, 5000)
        assert (await made.http.get(f"{path}/files/content?path=big&limit=4096")).status_code == 400
        refused = await made.http.put(f"{path}/files/content", json={"path": "new", "content": "x" * 2049})
        assert (refused.status_code, error_of(refused)["code"]) == (400, "file_too_large")
        beyond = await made.http.put(f"{path}/files/content", json={"path": "new", "content": "x" * 100_000})
        assert beyond.status_code == 413
        assert os.listdir(server.home) == ["big"]


async def test_bad_requests_for_files_name_the_field(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, _, path):
        for body, field in (
            ({"path": "f"}, "content"),
            ({"path": "f", "content": "***", "encoding": "base64"}, "content"),
            ({"path": "f", "content": "", "mode": "7777"}, "mode"),
            ({"path": "a\0b", "content": ""}, "path"),
            ({"path": "f", "content": "", "color": "red"}, "color"),
        ):
            refused = await made.http.put(f"{path}/files/content", json=body)
            assert refused.status_code == 400
            assert error_of(refused)["details"]["fields"][0]["field"] == field
        missing = await made.http.get(f"{path}/files?path=nothing")
        assert (missing.status_code, error_of(missing)["code"]) == (404, "file_not_found")


async def test_sessions_without_files_say_so(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        refused = await made.http.get(f"/v1/terminal/{opened.json()['session']['id']}/files")
        assert (refused.status_code, error_of(refused)["code"]) == (400, "unsupported")


async def test_a_host_without_sftp_says_so(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, server, path):
        server.sftp = False
        refused = await made.http.get(f"{path}/files")
        assert (refused.status_code, error_of(refused)["code"]) == (400, "unsupported")


async def test_a_password_prompt_is_answered_and_the_password_is_nowhere(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, _, path):
        http = made.http
        await http.post(f"{path}/send", json={"data": "printf 'Password: '; read -r x; echo did-$((1+1)) \"$x\"\n"})
        assert (await http.post(f"{path}/answer", json={"secret": "password"})).json() == {"success": True}
        output = ""
        while "did-2" not in output:
            answer = (await http.get(f"{path}/output?waitMs=5000")).json()
            assert answer["output"], output
            output += "".join(answer["output"])
        nothing = await http.post(f"{path}/answer", json={"waitMs": 100})
        assert (nothing.status_code, error_of(nothing)["code"]) == (409, "no_password_prompt")
        audit = (await http.get("/v1/audit")).text
        assert "answer_prompt" in audit
        await http.delete(path)
        kept = "".join(file.read_text(errors="replace") for file in (tmp_path / "data").rglob("*") if file.is_file())
        screen = output + audit + kept
        assert PASSWORD not in screen


async def test_a_changed_host_key_is_taken_once_a_person_has_accepted_it(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (made, server, path):
        await made.http.delete(path)
        port, known = server.port, server.fingerprints[0]
        for connection in server.connections:
            connection.abort()
        server.acceptor.close()
        await server.acceptor.wait_closed()
        async with running_ssh_server(server.home, port=port) as impostor:
            refused = await made.http.post("/v1/terminal/sessions", json={"connectionId": "host"})
            assert (refused.status_code, error_of(refused)["code"]) == (409, "approval_required")
            details = error_of(refused)["details"]
            assert (details["knownFingerprint"], details["presentedFingerprint"]) == (known, impostor.fingerprints[0])
            ran = await made.http.post("/v1/terminal/sessions", json={"connectionId": "host"})
            assert ran.status_code == 409
            assert impostor.logins == 0
            shown = (await made.http.get("/v1/approvals")).json()["approvals"][0]
            assert (shown["kind"], shown["status"]) == ("host_key", "pending")
            assert known in shown["command"]
            assert impostor.fingerprints[0] in shown["command"]
            decided = await made.http.post(f"/v1/approvals/{shown['id']}", json={"decision": "approve"})
            assert decided.status_code == 200, decided.text
            opened = await made.http.post("/v1/terminal/sessions", json={"connectionId": "host"})
            assert opened.status_code == 201, opened.text
            assert impostor.logins == 1
            kept = (tmp_path / "data" / "known_hosts").read_text()
            assert len(kept.splitlines()) == 1
            rows = (await made.http.get("/v1/audit?action=host_key")).json()["entries"]
            assert rows[0]["outcome"] == "approved"
            assert rows[0]["details"]["before"] == known


async def test_the_ssh_configuration_is_for_the_local_user_and_not_for_keys(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with running_ssh_server(home) as server:
        config = tmp_path / "config"
        config.write_text(f"Host box\n  HostName 127.0.0.1\n  Port {server.port}\n  User {USER}\n")
        given = {"type": "ssh", "host": "box", "password": PASSWORD}
        async with surface(tmp_path / "local", ssh_config=str(config)) as made:
            opened = await made.http.post("/v1/terminal/sessions", json=given)
            assert opened.status_code == 201, opened.text
            shown = opened.json()["session"]
            assert (shown["host"], shown["port"], shown["username"]) == ("127.0.0.1", server.port, USER)
            assert shown["title"] == "box"
            titled = await made.http.post("/v1/terminal/sessions", json={**given, "title": "mine"})
            assert titled.json()["session"]["title"] == "mine"
            assert (
                await made.http.post("/v1/terminal/sessions", json={**given, "useConfig": False})
            ).status_code == 400
        async with surface(tmp_path / "required", ssh_config=str(config), auth_mode="required") as made:
            admin, key = await _credentials(made)
            assert (await made.http.post("/v1/terminal/sessions", json=given, headers=admin)).status_code == 201
            for more, status in (({}, 400), ({"useConfig": True}, 403)):
                refused = await made.http.post("/v1/terminal/sessions", json={**given, **more}, headers=key)
                assert refused.status_code == status, refused.text
        allowed = {"ssh_config": str(config), "ssh_config_for_keys": True, "auth_mode": "required"}
        async with surface(tmp_path / "allowed", **allowed) as made:
            _, key = await _credentials(made)
            assert (await made.http.post("/v1/terminal/sessions", json=given, headers=key)).status_code == 201


async def test_the_agent_of_the_gateways_user_is_not_for_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def ask(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    (tmp_path / "home").mkdir()
    agent = await asyncio.start_unix_server(ask, tmp_path / "agent.sock")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent.sock"))
    async with agent, running_ssh_server(tmp_path / "home") as server:
        given = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER}
        async with surface(tmp_path / "required", auth_mode="required", ssh_config="none") as made:
            admin, key = await _credentials(made)
            without = await made.http.post("/v1/terminal/sessions", json=given, headers=key)
            assert error_of(without)["code"] == "authentication_failed"
            wanted = await made.http.post("/v1/terminal/sessions", json={**given, "agent": True}, headers=key)
            assert (wanted.status_code, error_of(wanted)["code"]) == (403, "ssh_agent_refused")
            assert asked == 0
            await made.http.post("/v1/terminal/sessions", json=given, headers=admin)
            assert asked == 1


async def _credentials(made: Surface) -> tuple[dict[str, str], dict[str, str]]:
    """Headers of the administrator, and of a key that may use terminals."""
    admin = {"Authorization": f"Bearer {await made.login()}"}
    created = await made.http.post("/v1/keys", json={"name": "k", "scopes": ["terminal"]}, headers=admin)
    return admin, {"Authorization": f"Bearer {created.json()['secret']}"}


@pytest.mark.parametrize("content", ["\n", '"', "\u00e9"])
async def test_a_text_as_large_as_a_file_may_be_is_taken_however_it_is_escaped(tmp_path: Path, content: str) -> None:
    async with a_session(tmp_path) as (made, server, path):
        text = content * (10 * 1024 * 1024 // len(content.encode()))
        body = json.dumps({"path": "f.txt", "content": text}).encode()
        written = await made.http.put(
            f"{path}/files/content", content=body, headers={"content-type": "application/json"}
        )
        assert written.status_code == 200, written.text
        assert (server.home / "f.txt").stat().st_size == 10 * 1024 * 1024

"""Sessions of other callers: an administrator lists, watches, takes over and closes them; their owner sees that."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.http_gateway import surface
from tests.support.http_stack import error_of
from tests.support.serving import Serving, serving

REQUIRED = {
    "AUTH_MODE": "required",
    "ADMIN_USERNAME": "admin",
    "ADMIN_PASSWORD": "correct horse battery staple",
    "TERMINAL_SANDBOX": "off",
}


@dataclass
class Place:
    """A gateway with logins, and a session of alice's that shows `said-42`."""

    gateway: Serving
    admin: dict[str, str]
    alice: dict[str, str]
    bob: dict[str, str]
    session: str

    async def ask(self, who: dict[str, str], method: str, tail: str = "", **more: Any) -> httpx.Response:
        return await self.gateway.http.request(method, f"/v1/terminal/{self.session}{tail}", headers=who, **more)

    def socket(self, who: dict[str, str], query: str = "") -> connect:
        url = str(self.gateway.http.base_url).replace("http", "ws", 1).rstrip("/")
        return connect(f"{url}/v1/terminal/{self.session}/ws{query}", additional_headers=who, open_timeout=5)

    async def audited(self) -> list[dict[str, Any]]:
        answer = await self.gateway.http.get("/v1/audit?action=oversee_terminal", headers=self.admin)
        return [entry["details"] for entry in reversed(answer.json()["entries"])]


@asynccontextmanager
async def place(folder: Path, **settings: str) -> AsyncIterator[Place]:
    async with serving(folder / "data", **REQUIRED, **settings) as gateway:
        http = gateway.http
        login = {"username": "admin", "password": REQUIRED["ADMIN_PASSWORD"]}
        token = (await http.post("/v1/auth/login", json=login)).json()["token"]
        admin = {"Authorization": f"Bearer {token}"}
        keys = []
        for name in ("alice", "bob"):
            made = await http.post("/v1/keys", json={"name": name, "scopes": ["chat", "terminal"]}, headers=admin)
            keys.append({"Authorization": f"Bearer {made.json()['secret']}"})
        opened = await http.post("/v1/terminal/sessions", json={"type": "local"}, headers=keys[0])
        found = Place(gateway, admin, keys[0], keys[1], opened.json()["session"]["id"])
        wait = {"for": "output", "pattern": "said-42", "timeoutMs": 5000}
        await found.ask(found.alice, "POST", "/send", json={"data": "echo said-$((40+2))\n", "wait": wait})
        yield found


async def until_shown(socket: ClientConnection, text: str) -> None:
    shown = ""
    with anyio.fail_after(5):
        while text not in shown:
            shown += json.loads(await socket.recv()).get("data", "")


@pytest.mark.slow
async def test_an_administrator_lists_watches_takes_over_and_closes(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        http = at.gateway.http
        listed = (await http.get("/v1/terminal/sessions", headers=at.admin)).json()["sessions"]
        assert listed == []
        (session,) = (await http.get("/v1/terminal/sessions?all=true", headers=at.admin)).json()["sessions"]
        assert (session["id"], session["owner"][:4]) == (at.session, "key-")
        assert "watchers" not in (await at.ask(at.alice, "GET")).json()["session"]
        assert "said-42" in (await at.ask(at.admin, "GET", "/output?cursor=0")).text
        assert "said-42" in (await at.ask(at.admin, "GET", "/output?view=screen")).text
        (watcher,) = (await at.ask(at.alice, "GET")).json()["session"]["watchers"]
        assert (watcher["name"], watcher["watching"], watcher["tookOver"]) == ("admin", False, False)
        async with at.socket(at.admin) as socket:
            await until_shown(socket, "said-42")
            (watcher,) = (await at.ask(at.alice, "GET")).json()["session"]["watchers"]
            assert watcher["watching"] is True
            await socket.send(
                json.dumps({"type": "resize", "cols": 33, "rows": 7})
            )  # its owner's screen stays as it is
            await socket.send(json.dumps({"type": "input", "data": "echo never-$((1+1))\n"}))
            with anyio.fail_after(5):
                await socket.wait_closed()
            assert (socket.close_code, "takeOver=true" in (socket.close_reason or "")) == (1008, True)
        screen = (await at.ask(at.alice, "GET", "/output?view=screen")).json()["screen"]
        assert (screen["cols"], screen["rows"]) == (80, 24)
        async with at.socket(at.admin, "?takeOver=true") as socket:
            await socket.send(json.dumps({"type": "input", "data": "echo taken-$((1+1))\n"}))
            await until_shown(socket, "taken-2")
        (watcher,) = (await at.ask(at.alice, "GET")).json()["session"]["watchers"]
        assert watcher["tookOver"] is True
        output = (await at.ask(at.alice, "GET", "/output?cursor=0")).json()["output"]
        assert "never-2" not in "".join(output)
        assert (await at.ask(at.admin, "POST", "/execute", json={"command": "id"})).status_code == 404
        assert (await at.ask(at.admin, "DELETE")).json() == {"success": True}
        gone = await at.ask(at.alice, "GET")
        assert (gone.status_code, gone.json()["code"]) == (404, "session_closed")
        assert gone.json()["error"].startswith("The administrator admin closed this terminal session at 20")
        assert (await at.ask(at.bob, "GET")).json()["code"] == "session_not_found"
        facts = await at.audited()
        assert [fact["did"] for fact in facts] == ["watch", "take_over", "close"]
        assert {(fact["sessionId"], fact["owner"]) for fact in facts} == {(at.session, session["owner"])}


async def test_in_local_mode_nobody_oversees_others(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.get("/v1/terminal/sessions?all=true")
        assert (answer.status_code, "AUTH_MODE=required" in error_of(answer)["error"]) == (400, True)
        made_key = await made.http.post("/v1/keys", json={"name": "boss", "scopes": ["terminal", "admin"]})
        boss = {"authorization": f"Bearer {made_key.json()['secret']}"}
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        assert (await made.http.get(path, headers=boss)).status_code == 404
        assert (await made.http.delete(path, headers=boss)).status_code == 404


@pytest.mark.slow
async def test_without_the_scope_a_session_of_another_is_none(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        listed = await at.gateway.http.get("/v1/terminal/sessions?all=true", headers=at.bob)
        assert (listed.status_code, listed.json()["code"]) == (403, "forbidden")
        for method, tail, body in (
            ("GET", "", None),
            ("GET", "/output?cursor=0", None),
            ("POST", "/send", {"data": "id\n"}),
            ("DELETE", "", None),
        ):
            answer = await at.ask(at.bob, method, tail, **({} if body is None else {"json": body}))
            assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
        assert await at.audited() == []
        assert "watchers" not in (await at.ask(at.alice, "GET")).json()["session"]

"""The dashboard of a gateway that a user started."""

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.support.serving import serving

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery staple"


async def test_the_page_is_open_and_everything_behind_it_wants_the_login(tmp_path: Path) -> None:
    settings = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD, "TERMINAL_SANDBOX": "off"}
    async with serving(tmp_path / "data", **settings) as gateway:
        http = gateway.http
        assert f"{gateway.url}/dashboard/" in gateway.said
        page = await http.get("/dashboard/")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await http.get("/dashboard/", headers={"host": "evil.example"})).status_code == 421
        assert (await http.get("/v1/approvals")).status_code == 401
        login = await http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        token = login.json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        opened = await http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}/ws"
        address = gateway.url.replace("http://", "ws://") + path
        async with connect(address, subprotocols=["bearer", token], origin=gateway.url, open_timeout=5) as socket:
            assert socket.subprotocol == "bearer"
            await socket.send(json.dumps({"type": "input", "data": "echo here-$((1+1))\n"}))
            shown = ""
            async with asyncio.timeout(5):
                while "here-2" not in shown:
                    shown += json.loads(await socket.recv())["data"]

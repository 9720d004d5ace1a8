"""What people see of sessions and requests of others: who watches, who ended it, what is asked for, names as they are."""

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.domain.identity import LOCAL
from tests.support.browser import Visit, visiting
from tests.support.http_gateway import PASSWORD
from tests.support.terminals import until

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

LIVE = re.compile("^live$")
REVERSED = "\u202e"
HIDDEN = "\u200b"


async def logged_in(at: Visit) -> dict[str, str]:
    login = await at.gateway.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
    return {"authorization": f"Bearer {login.json()['token']}"}


async def key_of(at: Visit, name: str, admin: dict[str, str]) -> str:
    made = await at.gateway.http.post("/v1/keys", json={"name": name, "scopes": ["terminal"]}, headers=admin)
    return str(made.json()["secret"])


async def test_the_owner_sees_in_the_live_terminal_who_watches_and_who_closed_it(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page, http = at.page, at.gateway.http
        admin = await logged_in(at)
        secret = await key_of(at, "alice", admin)
        opened = await http.post(
            "/v1/terminal/sessions", json={"type": "local"}, headers={"authorization": f"Bearer {secret}"}
        )
        session = opened.json()["session"]["id"]
        assert (await http.get(f"/v1/terminal/{session}/output", headers=admin)).status_code == 200
        await at.view(f"terminals/{session}")
        await page.get_by_role("button", name="Use an API key instead").click()
        await page.get_by_label("API key").last.fill(secret)
        await page.get_by_role("button", name="Log in").last.click()
        await page.get_by_text(LIVE).wait_for()
        await at.sees("admin watched")
        assert (await http.delete(f"/v1/terminal/{session}", headers=admin)).status_code == 200
        await at.sees("The administrator admin closed this terminal session at")


async def test_the_list_of_all_sessions_names_their_owners(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        secret = await key_of(at, "alice", await logged_in(at))
        bearer = {"authorization": f"Bearer {secret}"}
        await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local"}, headers=bearer)
        await at.view("terminals")
        await at.login()
        await at.page.get_by_role("button", name="Show all callers' sessions").click()
        await at.sees("of alice")


async def test_a_session_without_the_sandbox_says_that_it_is_one(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, terminal_sandbox="auto") as at:
        if at.gateway.gateway.sandbox.kind == "none":
            pytest.skip("no sandbox works here")
        wanted = {"type": "local", "sandbox": False}
        assert (await at.gateway.http.post("/v1/terminal/sessions", json=wanted)).status_code == 409
        await at.view("approvals")
        card = at.page.get_by_role("region", name="local asks for a session without the sandbox")
        await card.get_by_role("button", name="Approve").click()
        await at.sees("Approved: it opens when the same request is sent again.")
        opened = await at.gateway.http.post("/v1/terminal/sessions", json=wanted)
        assert opened.json()["session"]["sandbox"] is False


async def test_characters_that_nobody_sees_are_written_as_codes(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        http = at.gateway.http
        rule = {"action": "confirm", "commands": ["printf"], "reason": f"it {REVERSED}writes"}
        policy = {"name": "ask", "interactive": "allow", "rules": [rule]}
        await http.put("/v1/terminal/policy", json={"policy": {"policies": [policy]}})
        await http.post("/v1/keys", json={"name": f"loc{HIDDEN}al"})
        made = await http.post("/v1/terminal/sessions", json={"type": "local", "title": f"mine{REVERSED}"})
        session = made.json()["session"]["id"]
        body = {"command": f"printf a{REVERSED}b", "stdin": "c\x9bd"}
        assert (await http.post(f"/v1/terminal/{session}/execute", json=body)).status_code == 409
        for view, shown in (
            ("keys", r"loc\u200bal"),
            ("terminals", r"mine\u202e"),
            ("approvals", r"printf a\u202eb"),
            ("approvals", r"it \u202ewrites"),
            ("approvals", r"c\u009bd"),
        ):
            await at.view(view)
            await at.sees(shown)
        await at.view(f"terminals/{session}")
        await at.page.get_by_text(LIVE).wait_for()
        await at.page.keyboard.type(r"printf '\033]0;root\342\200\256\007'" + "\n")
        await at.page.get_by_role("heading", name=r"root\u202e").wait_for()


async def test_a_busy_and_an_expired_session_say_so(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, terminal_idle_timeout=1) as at:
        http = at.gateway.http
        os.mkfifo(tmp_path / "go")
        wanted = {"type": "local", "cwd": str(tmp_path)}
        session = (await http.post("/v1/terminal/sessions", json=wanted)).json()["session"]["id"]
        body = {"command": f"read line < go; : {REVERSED}"}
        runs = asyncio.create_task(http.post(f"/v1/terminal/{session}/execute", json=body))
        await until(lambda: any(one.info.busy for one in at.gateway.gateway.terminals.list(LOCAL.id)))
        await at.view("terminals")
        row = at.page.get_by_role("region", name="Sessions")
        await row.get_by_text(r"runs read line < go; : \u202e since").wait_for()
        await asyncio.to_thread((tmp_path / "go").write_text, "now\n")
        assert (await runs).status_code == 200
        await until(lambda: not at.gateway.gateway.terminals.list(LOCAL.id))
        await at.page.reload()
        await at.page.get_by_text("You have no open session").wait_for()
        await at.view(f"terminals/{session}")
        await at.sees("This terminal session expired at")

"""The dashboard where callers log in: what each may see, and how administrators oversee the terminals of others."""

import re
from typing import Any

import pytest

from tests.support.browser import Visit
from tests.support.http_gateway import PASSWORD

pytestmark = pytest.mark.slow

SETTINGS = {"auth_mode": "required"}
LIVE = re.compile("^live$")
TOKEN = "sessionStorage.getItem('gateway.token')"


async def headers(at: Visit) -> dict[str, str]:
    login = await at.gateway.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
    return {"authorization": f"Bearer {login.json()['token']}"}


async def log_out(at: Visit) -> None:
    await at.view("")
    await at.page.evaluate("sessionStorage.clear()")


async def with_key(at: Visit, secret: str) -> None:
    await at.page.get_by_role("button", name="Use an API key instead").click()
    await at.page.get_by_label("API key *").fill(secret)
    await at.page.get_by_role("button", name="Log in").click()


async def key_of(at: Visit, name: str, **given: Any) -> str:
    made = await at.gateway.http.post("/v1/keys", json={"name": name, **given}, headers=await headers(at))
    return str(made.json()["secret"])


async def test_someone_logs_in_keeps_the_place_and_logs_out(at: Visit) -> None:
    page = at.page
    await at.view("models?layer=L0")
    await at.login(password="wrong password")
    await at.sees("The username or the password is wrong")
    await at.login()
    await page.get_by_role("heading", name="Models", level=1).wait_for()
    await page.get_by_role("link", name="scripted/scripted").click()
    await page.get_by_role("heading", name="scripted/scripted").wait_for()
    await page.go_back()
    await page.get_by_role("heading", name="Models", level=1).wait_for()
    assert page.url.endswith("?layer=L0")
    token = await page.evaluate(TOKEN)
    assert token not in await page.evaluate("Object.values(localStorage).join()")
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_role("button", name="Log in").wait_for()
    assert await page.evaluate(TOKEN) is None
    gone = {"authorization": f"Bearer {token}"}
    assert (await at.gateway.http.get("/v1/auth/status", headers=gone)).status_code == 401


async def test_a_login_that_ends_leads_back_to_the_login(at: Visit) -> None:
    await at.view("overview")
    await at.login()
    await at.sees("Spent today")
    token = await at.page.evaluate(TOKEN)
    await at.gateway.http.post("/v1/auth/logout", headers={"authorization": f"Bearer {token}"})
    await at.page.get_by_role("link", name="Budgets").click()
    await at.sees("You were logged out")
    await at.login()
    await at.page.get_by_role("heading", name="Budgets").wait_for()
    await log_out(at)


async def test_a_viewer_and_a_key_see_what_they_may(at: Visit) -> None:
    page = at.page
    await at.gateway.gateway.accounts.add("eve", "viewer", "only here to look at it")
    await at.view("models")
    await at.login("eve", "only here to look at it")
    await at.sees("scripted/scripted")
    assert await page.get_by_role("switch", name="scripted/scripted on").is_disabled()
    assert await page.get_by_role("button", name=re.compile("Add|Edit|Delete|Move")).count() == 0
    for view, scope in (("terminals", "terminal"), ("keys", "admin"), ("chat", "chat"), ("approvals", "admin")):
        await at.view(view)
        await at.sees(f"This needs the scope “{scope}”")
    await log_out(at)
    await at.view("overview")
    await with_key(at, await key_of(at, "a laptop", scopes=["chat", "models:read"]))
    await at.sees("a laptop")
    shown = [name.strip() for name in await page.get_by_role("navigation").get_by_role("link").all_inner_texts()]
    assert shown == ["Overview", "Chat", "Models", "Usage", "Budgets", "Providers", "Decisions", "Settings"]
    await log_out(at)


async def test_an_administrator_watches_and_takes_over_and_the_owner_sees_it(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    secret = await key_of(at, "alice", scopes=["terminal"])
    alice = {"authorization": f"Bearer {secret}"}
    given = {"type": "local", "title": "of alice"}
    session = (await http.post("/v1/terminal/sessions", json=given, headers=alice)).json()["session"]["id"]
    await at.view("terminals")
    await at.login()
    await page.get_by_role("button", name="Show all callers' sessions").click()
    await page.get_by_role("region", name="Open sessions").get_by_text("of alice").first.wait_for()
    await page.get_by_role("button", name="Watch of alice").click()
    await at.sees("it is read-only")
    await page.get_by_text(LIVE).wait_for()
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    await at.sees("You type into a session of")
    await page.get_by_text(LIVE).wait_for()
    shown = (await http.get(f"/v1/terminal/{session}", headers=alice)).json()["session"]
    assert shown["watchers"][0]["name"] == "admin"
    admin = await headers(at)
    await log_out(at)
    await at.view(f"terminals/{session}")
    await with_key(at, secret)
    await page.get_by_text(LIVE).wait_for()
    await at.sees("admin watched")
    assert (await http.delete(f"/v1/terminal/{session}", headers=admin)).status_code == 200
    await at.sees("The administrator admin closed this terminal session at")
    await log_out(at)

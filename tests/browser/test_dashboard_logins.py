"""SSH hosts that ask for more than a password, in the dashboard: one-time codes, and host keys that changed."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import visiting
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

CODE = "482913"
QUESTIONS = ("Password: ", "Verification \u202ecode: ")


async def test_a_one_time_code_is_asked_for_where_a_terminal_is_opened(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with (
        running_ssh_server(tmp_path / "home", questions=QUESTIONS, code=CODE) as server,
        visiting(browser, tmp_path / "data") as at,
    ):
        page = at.page
        await at.view("terminals")
        await page.get_by_role("button", name="Other host").click()
        form = page.get_by_role("dialog", name="Open a terminal")
        await form.get_by_label("Host").fill("127.0.0.1")
        await form.get_by_label("Port").fill(str(server.port))
        await form.get_by_role("textbox", name="User").fill(USER)
        await form.locator("input[type=password]:visible").first.fill(PASSWORD)
        await form.get_by_role("button", name="Open", exact=True).click()
        asks = page.get_by_role("dialog", name=f"{USER}@127.0.0.1:{server.port} asks")
        field = asks.get_by_label(r"Verification \u202ecode:")
        assert await field.get_attribute("type") == "password"
        await field.fill(CODE)
        await asks.get_by_role("button", name="Answer").click()
        await page.get_by_text("live", exact=True).wait_for()


async def test_the_login_of_another_client_is_answered_from_the_list(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with (
        running_ssh_server(tmp_path / "home", questions=QUESTIONS, code=CODE) as server,
        visiting(browser, tmp_path / "data") as at,
    ):
        login = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        asked = await at.gateway.http.post("/v1/terminal/sessions", json=login)
        await at.view("terminals")
        await at.page.get_by_role("button", name="Answer 127.0.0.1").click()
        await at.page.get_by_role("dialog").get_by_label("Verification").fill(CODE)
        await at.page.get_by_role("dialog").get_by_role("button", name="Answer").click()
        await at.sees("the request goes on when it is sent again")
        again = {**login, "loginId": asked.json()["details"]["loginId"]}
        assert (await at.gateway.http.post("/v1/terminal/sessions", json=again)).status_code == 201


async def test_a_changed_host_key_is_shown_with_the_one_before(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with visiting(browser, tmp_path / "data", ssh_host_keys="ask") as at:
        http = at.gateway.http
        async with running_ssh_server(tmp_path / "home") as first:
            login = {"type": "ssh", "host": "127.0.0.1", "port": first.port, "username": USER, "password": PASSWORD}
            asked = await http.post("/v1/terminal/sessions", json=login)
            id_ = asked.json()["details"]["approvalId"]
            await http.post(f"/v1/approvals/{id_}", json={"decision": "approve"})
            assert (await http.post("/v1/terminal/sessions", json=login)).status_code == 201
        async with running_ssh_server(tmp_path / "home", port=first.port) as second:
            assert (await http.post("/v1/terminal/sessions", json=login)).status_code == 409
            await at.view("approvals")
            card = at.page.get_by_role("region", name=f"Trust the changed host key of 127.0.0.1:{first.port}?")
            assert await card.get_by_label("Fingerprint").inner_text() == second.fingerprints[0]
            await card.get_by_text(first.fingerprints[0], exact=True).wait_for()
            await card.get_by_role("button", name="Approve").click()
            await at.sees("Approved: the next connection")
            assert (await http.post("/v1/terminal/sessions", json=login)).status_code == 201

"""What the dashboard says of models that cannot answer, of commands and host keys, and of addresses; and its dialogs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Visit, visiting
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

KEYLESS = {"id": "anthropic/far", "provider": "anthropic", "apiModelName": "far", "layer": "L0"}
ASK = {"name": "ask", "interactive": "allow", "rules": [{"action": "confirm", "commands": ["printf"]}]}
AWAY = "redis://127.0.0.1:1/0"
COVERED = """
[...document.querySelectorAll("#view tbody tr")].flatMap((row) => {
    const boxes = (selector) => [...row.querySelectorAll(selector)].map((node) => node.getBoundingClientRect());
    const apart = (one, other) => one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
    const shown = boxes("code, .badge");
    return shown.filter((box) => box.right > innerWidth || boxes("button").some((other) => !apart(box, other)));
}).length
"""


async def with_keyless(at: Visit) -> None:
    """A model beside the scripted one, of a provider that has no key."""
    assert (await at.gateway.http.post("/v1/models", json=KEYLESS)).status_code == 201


async def test_dialogs_go_when_the_view_changes(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        page = at.page
        await at.view("overview")
        await at.view("terminals")
        await page.get_by_role("button", name="Other host").click()
        await page.get_by_role("dialog").wait_for()
        await page.go_back()
        await page.get_by_role("heading", name="Overview").wait_for()
        assert await page.get_by_role("dialog").count() == 0
        await at.view("terminals")
        await page.get_by_role("button", name="Save a connection").click()
        await at.view("keys")
        await page.get_by_role("button", name="Make a key").click()
        await page.get_by_role("dialog", name="Make an API key").get_by_label("Name *").fill("x")
        assert await page.get_by_role("dialog").count() == 1


async def test_a_question_that_is_left_is_answered_with_no(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("overview")
        await at.view("models")
        await at.page.get_by_role("button", name="Delete scripted/scripted").click()
        await at.page.get_by_role("dialog").wait_for()
        await at.page.go_back()
        await at.page.get_by_role("heading", name="Overview").wait_for()
        assert await at.page.get_by_role("dialog").count() == 0
        assert (await at.gateway.http.get("/v1/models/scripted/scripted")).status_code == 200


async def test_without_a_policy_every_command_is_said_to_be_allowed(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("approvals")
        await at.page.get_by_label("Command *").fill("rm -rf build")
        await at.page.get_by_role("button", name="Judge").click()
        card = at.page.get_by_role("region", name="Try the policy on a command")
        await card.get_by_text("without one, every command is allowed").wait_for()
        assert "null" not in await card.inner_text()


@pytest.mark.parametrize("act", ["Send", "Explain the route"])
async def test_a_chat_that_nobody_can_answer_says_which_key_is_missing_and_where_to_set_it(
    browser: "Browser", tmp_path: Path, act: str
) -> None:
    async with visiting(browser, tmp_path) as at:
        await with_keyless(at)
        await at.view("chat")
        await at.page.get_by_label("Model", exact=True).fill("anthropic/far")
        await at.page.get_by_label("Message", exact=True).fill("Hello?")
        await at.page.get_by_role("button", name=act).click()
        if act == "Send":
            said = at.page.get_by_role("alert")
            await said.get_by_text("anthropic has no API key.").wait_for()
            text = await said.inner_text()
            assert "{" not in text
            assert "Try again" not in text
            await said.get_by_role("link", name="Providers").click()
            await at.page.get_by_role("button", name="Set the key of anthropic").wait_for()
        else:
            await at.sees("Nobody would be asked.")
        at.complaints.clear()  # the browser writes the answer 503 to its console


async def test_models_that_cannot_answer_are_marked_and_not_counted(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await with_keyless(at)
        await at.view("models")
        layer = at.page.get_by_role("region", name="L0 · free or local")
        await layer.get_by_text("1 of 2 ready").wait_for()
        row = layer.get_by_role("row").filter(has_text="anthropic/far")
        await row.get_by_text("no API key").wait_for()
        chats = at.page.get_by_role("button", name=re.compile("^Chat with"))
        assert [await chat.get_attribute("aria-label") for chat in await chats.all()] == ["Chat with scripted/scripted"]
        await at.page.get_by_label("State").select_option("Cannot answer")
        await layer.get_by_text("scripted/scripted").wait_for(state="detached")
        await at.view("overview")
        card = at.page.get_by_role("region", name="L0")
        await card.get_by_text("1 of 2 ready").wait_for()
        await card.get_by_text("1 cannot answer: no API key (anthropic)").wait_for()


async def test_usage_draws_requests_where_nothing_cost_anything(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        http = at.gateway.http
        asked = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "Hello."}]}
        free = {"pricePer1kInputTokens": 0, "pricePer1kOutputTokens": 0}
        await http.put("/v1/models/scripted%2Fscripted", json=free)
        assert (await http.post("/v1/chat/completions", json=asked)).status_code == 200
        await at.view("usage")
        await at.page.locator("rect.meter-bar[width='100']").wait_for()
        assert await at.page.get_by_label("Show").input_value() == "requests"
        await at.page.get_by_label("Show").select_option("Cost")
        await at.page.locator("rect.meter-bar[width='0']").wait_for(state="attached")


async def test_denied_commands_are_not_among_those_that_may_still_run(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        http = at.gateway.http
        await http.put("/v1/terminal/policy", json={"policy": {"policies": [ASK]}})
        session = (await http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        for command, decision in (("printf yes", "approve"), ("printf no", "deny")):
            asked = await http.post(f"/v1/terminal/{session}/execute", json={"command": command})
            await http.post(f"/v1/approvals/{asked.json()['details']['approvalId']}", json={"decision": decision})
        await at.view("approvals")
        approved = at.page.get_by_role("region", name="Approved, not yet used")
        await approved.get_by_text("printf yes").wait_for()
        assert await approved.get_by_text("printf no").count() == 0
        await at.page.get_by_role("region", name="Denied").get_by_text("printf no").wait_for()


async def test_the_key_of_a_new_host_is_shown_with_its_fingerprint_and_approved_here(
    browser: "Browser", tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    async with (
        running_ssh_server(tmp_path / "home") as server,
        visiting(browser, tmp_path / "data", ssh_host_keys="ask") as at,
    ):
        host = f"127.0.0.1:{server.port}"
        login = {"type": "ssh", "host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD}
        assert (await at.gateway.http.post("/v1/terminal/sessions", json=login)).status_code == 409
        await at.view("approvals")
        card = at.page.get_by_role("region", name=f"Trust the host key of {host}?")
        assert await card.get_by_label("Fingerprint").inner_text() == server.fingerprints[0]
        await card.get_by_role("button", name=f"Approve the host key of {host}").click()
        await at.sees("Approved: the next connection")
        assert (await at.gateway.http.post("/v1/terminal/sessions", json=login)).status_code == 201


@pytest.mark.parametrize(
    ("url", "shown"), [("", "not set up; counts are in memory"), (AWAY, "see REDIS_URL and the log")]
)
async def test_redis_that_is_away_is_told_from_none(browser: "Browser", tmp_path: Path, url: str, shown: str) -> None:
    async with visiting(browser, tmp_path, redis_url=url) as at:
        await at.view("overview")
        await at.sees(shown)


async def test_an_address_of_no_view_says_so(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("nope")
        await at.sees("There is no view at this address.")
        await at.page.get_by_role("link", name="Overview").last.click()
        await at.sees("Today (UTC)")


async def test_the_user_of_an_ssh_host_has_to_be_given(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("terminals")
        for opens in ("Other host", "Save a connection"):
            await at.page.get_by_role("button", name=opens).click()
            user = at.page.get_by_role("dialog").get_by_label("User *")
            assert await user.evaluate("(input) => input.required")
            await at.page.keyboard.press("Escape")
            await at.page.get_by_role("dialog").wait_for(state="detached")


async def test_on_a_phone_nothing_of_a_table_is_covered_or_cut(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await with_keyless(at)
        scopes = ["chat", "models:read", "models:write", "terminal", "admin"]
        await at.gateway.http.post("/v1/keys", json={"name": "a laptop", "scopes": scopes})
        await at.page.set_viewport_size({"width": 360, "height": 740})
        for view, button in (("models", "Edit scripted/scripted"), ("keys", "Delete a laptop")):
            await at.view(view)
            await at.page.get_by_role("button", name=button).wait_for()
            assert await at.page.evaluate(COVERED) == 0, view

"""What a person does at the dashboard, in a real browser."""

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import visiting
from tests.support.http_gateway import PASSWORD

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

ASK = {
    "name": "ask",
    "interactive": "allow",
    "rules": [{"action": "confirm", "commands": ["printf"], "reason": "it writes"}],
}
VIEWS = (
    "overview", "chat", "models", "terminals", "approvals", "usage", "budgets", "keys", "providers", "audit", "settings",
)  # fmt: skip
NAMELESS = """
[...document.querySelectorAll("#app :is(button, input, select, textarea, a)")]
    .filter((node) => !node.getAttribute("aria-label") && !node.labels?.length && !node.textContent.trim())
    .map((node) => node.outerHTML)
"""
LIVE = re.compile("^live$")


async def test_someone_logs_in_looks_around_and_logs_out(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page = at.page
        await at.view("models")
        await at.login(password="wrong password")
        await at.sees("The username or the password is wrong")
        await at.login()
        await page.get_by_role("heading", name="Models").wait_for()
        await at.sees("scripted/scripted")
        token = await page.evaluate("sessionStorage.getItem('gateway.token')")
        assert token not in page.url
        assert await page.evaluate("Object.values(localStorage).join()") == "auto"
        await page.reload()
        await at.sees("scripted/scripted")
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_role("button", name="Log in").wait_for()
        assert await page.evaluate("sessionStorage.getItem('gateway.token')") is None
        headers = {"authorization": f"Bearer {token}"}
        assert (await at.gateway.http.get("/v1/auth/status", headers=headers)).status_code == 401


async def test_every_view_shows_itself(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("overview")
        await at.sees("Requests")
        links = await at.page.get_by_role("navigation").get_by_role("link").all()
        assert len(links) == len(VIEWS)
        for link in links:
            name = (await link.inner_text()).strip()
            await link.click()
            await at.page.get_by_role("heading", level=1, name=re.compile(f"{name}$", re.IGNORECASE)).wait_for()
            await at.page.wait_for_load_state("networkidle")
            assert await at.page.get_by_role("alert").count() == 0, name


async def test_every_control_has_a_name_and_no_view_is_wider_than_a_phone(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        opened = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "title": "n" * 150})
        await at.gateway.http.post("/v1/keys", json={"name": "k" * 150, "budgetUsd": 1})
        session = opened.json()["session"]["id"]
        await at.page.set_viewport_size({"width": 390, "height": 800})
        for view in (*VIEWS, f"terminals/{session}"):
            await at.view(view)
            await at.page.locator("#view :is(h1, h2)").first.wait_for()
            await at.page.wait_for_load_state("networkidle")
            assert await at.page.evaluate(NAMELESS) == [], view
            assert await at.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


async def test_a_model_is_turned_off_and_on_with_the_keyboard(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("models")
        switch = at.page.get_by_role("switch", name="scripted/scripted on")
        await switch.focus()
        for wanted in (False, True):
            await at.page.keyboard.press("Space")
            state = ":checked" if wanted else ":not(:checked)"
            await at.page.locator(f"input:focus{state}:not([aria-busy])").wait_for()
            await at.page.wait_for_load_state("networkidle")
            model = (await at.gateway.http.get("/v1/models/scripted/scripted")).json()
            assert model["enabled"] is wanted


async def test_models_are_added_put_in_order_and_deleted(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("models")
        await at.page.get_by_role("button", name="Add a model").click()
        form = at.page.get_by_role("dialog")
        await form.get_by_label("Id *").fill("new/one:free")
        await form.get_by_label("Name at the provider").fill("one")
        await form.get_by_label("Provider", exact=True).select_option("openai")
        await form.get_by_label("Priority").fill("5")
        await form.get_by_label("Dollars for 1M input").fill("0.15")
        await form.get_by_role("button", name="Add").click()
        await at.page.get_by_role("button", name="Move new/one:free up").click()
        await at.page.locator("tbody tr").first.get_by_text("new/one:free").wait_for()
        (first, _) = (await at.gateway.http.get("/v1/models/layers")).json()["layers"]["L0"]["models"]
        assert first["id"] == "new/one:free"
        model = (await at.gateway.http.get("/v1/models/new/one:free")).json()
        assert model["pricePer1kInputTokens"] == 0.00015
        await at.page.get_by_role("button", name="Delete new/one:free").click()
        await at.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await at.sees("new/one:free is deleted.")
        assert (await at.gateway.http.get("/v1/models/new/one:free")).status_code == 404


async def test_aliases_are_changed_and_set_back(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("models")
        await at.page.get_by_text("15 rules").click()
        await at.page.get_by_label("Rules").fill("opus = L9")
        await at.page.get_by_role("button", name="Save").click()
        await at.sees("'L9' is neither")
        await at.page.get_by_label("Rules").fill("opus = L1, auto\n*mine* = auto")
        await at.page.get_by_role("button", name="Save").click()
        await at.sees("The aliases are changed.")
        aliases = (await at.gateway.http.get("/v1/aliases")).json()["aliases"]
        assert [(alias["name"], alias["targets"]) for alias in aliases] == [
            ("opus", ["L1", "auto"]),
            ("*mine*", ["auto"]),
        ]
        await at.page.get_by_text("2 rules").click()
        await at.page.get_by_role("button", name="Back to the default rules").click()
        await at.page.get_by_role("dialog").get_by_role("button", name="Return").click()
        await at.sees("The default rules are in force.")
        assert (await at.gateway.http.get("/v1/aliases")).json()["isDefault"] is True


async def test_a_setting_that_is_emptied_is_as_it_was_set_at_the_start(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("settings")
        field = at.page.get_by_label("Spending alert (dollars a day)", exact=True)
        for text, said, threshold in (("7.5", "is changed", 7.5), ("", "is as it was set at the start", 1)):
            await field.fill(text)
            await field.blur()
            await at.sees(f"Spending alert (dollars a day) {said}")
            found = (await at.gateway.http.get("/v1/config")).json()["configuration"]
            assert found["costAlertThreshold"] == threshold


async def test_a_refusal_stands_at_its_field(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        at.complaints.clear()
        await at.view("models")
        await at.page.get_by_role("button", name="Add a model").click()
        form = at.page.get_by_role("dialog")
        await form.get_by_label("Id *").fill("scripted/scripted")
        await form.get_by_label("Name at the provider").fill("one")
        await form.get_by_label("Provider", exact=True).select_option("openai")
        await form.get_by_role("button", name="Add").click()
        await form.get_by_role("alert").get_by_text("already").first.wait_for()


async def test_a_chat_streams_and_says_who_answered_for_how_much(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        at.gateway.provider.says["scripted"] = "See:\n```py\nprint(1)\n```\nDone."
        await at.view("chat")
        await at.page.get_by_label("Message", exact=True).fill("Show me.")
        await at.page.keyboard.press("Enter")
        answer = at.page.get_by_role("article", name="Answer")
        await answer.get_by_text("Done.").wait_for()
        await answer.get_by_text("tokens").wait_for()
        assert await answer.locator("pre:not(.thought)").inner_text() == "print(1)"
        assert "scripted/scripted" in await answer.locator("footer").inner_text()
        await at.page.get_by_role("button", name="Explain the route").click()
        await at.sees("would be asked first")
        await answer.get_by_role("button", name="How it was routed").click()
        routed = at.page.get_by_role("dialog")
        row = routed.get_by_role("region", name="Calls").get_by_role("row").nth(1)
        for shown in ("scripted/scripted", "L0", "answer", "ok"):
            await row.get_by_text(shown, exact=True).first.wait_for()
        assert not await routed.get_by_text('"attempts"').is_visible()
        await routed.get_by_text("All of it, as JSON").click()
        await routed.get_by_text('"attempts"').wait_for()


async def test_someone_types_into_a_local_terminal(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page = at.page
        await at.view("terminals")
        await at.login()
        await page.get_by_role("button", name="Open a local terminal").click()
        await at.sees(LIVE)
        await page.keyboard.type("printf '%s\\n' $((6 * 7))-fine; printf '\\033[31mred\\033[0m\\n'\n")
        screen = page.locator(".vt-lines")
        await screen.get_by_text("42-fine", exact=True).wait_for()
        assert "vt-fg-1" in str(await screen.get_by_text("red", exact=True).first.get_attribute("class"))
        size = await page.evaluate("document.querySelectorAll('.vt-line').length")
        await page.keyboard.type("stty size\n")
        await screen.get_by_text(re.compile(rf"^{size} \d+$")).wait_for()
        await page.keyboard.type("cat\n")
        await page.keyboard.press("Control+c")
        await screen.get_by_text("^C").wait_for()
        await page.keyboard.press("Shift+F6")
        assert await page.evaluate("document.activeElement.innerText") == "Close the session"
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).last.click()
        await at.sees("You have no open session")
        sessions = (await at.gateway.http.get("/v1/terminal/sessions")).json()["sessions"]
        assert sessions == []


async def test_a_command_that_waits_runs_once_it_is_approved_here(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        http = at.gateway.http
        await http.put("/v1/terminal/policy", json={"policy": {"policies": [ASK]}})
        session = (await http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        await at.view("overview")
        body = {"command": "printf done", "stdin": "yes", "approvalWaitMs": 20_000}
        asked = asyncio.create_task(http.post(f"/v1/terminal/{session}/execute", json=body))
        try:
            await at.view("approvals")
            await at.sees("printf done")
            await at.sees("it writes")
            assert "1 waiting" in str(await at.page.locator(".count").get_attribute("aria-label"))
            await at.page.get_by_role("button", name="Approve printf done").click()
            answer: Any = await asyncio.wait_for(asked, 10)
        finally:
            asked.cancel()
        assert answer.json()["result"]["stdout"] == "done"
        await at.sees("No command waits")


async def test_a_key_is_shown_once_and_its_client_sees_what_it_may(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page = at.page
        await at.view("keys")
        await at.login()
        await page.get_by_role("button", name="Make a key").click()
        await page.get_by_role("dialog").get_by_label("Name *").fill("a laptop")
        await page.get_by_role("button", name="Make", exact=True).click()
        secret = await page.locator("[data-secret]").inner_text()
        await page.get_by_role("button", name="I have kept it").click()
        await page.get_by_role("cell", name="a laptop").first.wait_for()
        assert secret not in await page.content()
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_role("button", name="Use an API key instead").click()
        await page.get_by_label("API key *").fill(secret)
        await page.get_by_role("button", name="Log in").click()
        await at.sees("a laptop")
        shown = await page.get_by_role("navigation").get_by_role("link").all_inner_texts()
        assert [name.strip() for name in shown] == [
            "Overview",
            "Chat",
            "Models",
            "Usage",
            "Budgets",
            "Providers",
            "Settings",
        ]


async def test_a_viewer_sees_models_but_cannot_change_them(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        await at.gateway.gateway.accounts.add("eve", "viewer", "only here to look at it")
        await at.view("models")
        await at.login("eve", "only here to look at it")
        await at.sees("scripted/scripted")
        assert await at.page.get_by_role("switch", name="scripted/scripted on").is_disabled()
        assert await at.page.get_by_role("button", name=re.compile("Add|Edit|Delete|Move")).count() == 0
        for view, scope in (("terminals", "terminal"), ("keys", "admin"), ("chat", "chat"), ("approvals", "admin")):
            await at.view(view)
            await at.sees(f"This needs the scope “{scope}”")


async def test_a_login_that_ends_leads_back_to_the_login(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        await at.view("overview")
        await at.login()
        await at.sees("Requests")
        token = await at.page.evaluate("sessionStorage.getItem('gateway.token')")
        await at.gateway.http.post("/v1/auth/logout", headers={"authorization": f"Bearer {token}"})
        await at.page.get_by_role("link", name="Budgets").click()
        await at.sees("You were logged out")
        await at.login()
        await at.page.get_by_role("heading", name="Budgets").wait_for()


async def test_a_recording_and_the_usage_are_saved_as_files(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        opened = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "record": True})
        session = opened.json()["session"]["id"]
        await at.view("terminals")
        async with at.page.expect_download() as saving:
            await at.page.get_by_role("button", name=f"Download {session}").click()
        saved = await saving.value
        assert saved.suggested_filename == f"{session}.cast"
        header = json.loads(Path(await saved.path()).read_text().splitlines()[0])
        assert header["version"] == 2
        await at.view("usage")
        async with at.page.expect_download() as saving:
            await at.page.get_by_role("button", name="Download CSV").click()
        assert Path(await (await saving.value).path()).read_text().startswith("group,requests,")


async def test_asking_by_itself_slows_down_as_the_rate_limit_runs_out(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, rate_limit_per_minute=40) as at:
        pace = "import('/dashboard/api.js').then(api => api.pace())"
        ask = "import('/dashboard/api.js').then(api => api.get('/v1/stats'))"
        await at.view("overview")
        await at.sees("Requests")
        assert await at.page.evaluate(pace) == 1
        for _ in range(28):
            await at.page.evaluate(ask)
        assert await at.page.evaluate(pace) == 10


async def test_a_lost_connection_is_taken_up_where_it_was_until_the_session_is_gone(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        opened = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local"})
        session = opened.json()["session"]["id"]
        routes: list[Any] = []

        def through(route: Any) -> None:
            route.connect_to_server()
            routes.append(route)

        await at.page.route_web_socket(re.compile("/ws"), through)
        await at.view(f"terminals/{session}")
        await at.sees(LIVE)
        await at.page.keyboard.type("echo once-$((1+1))\n")
        screen = at.page.locator(".vt-lines")
        await screen.get_by_text("once-2", exact=True).wait_for()
        await routes[0].close(code=3000)
        await at.sees("connecting again")
        await at.sees(LIVE)
        assert await screen.get_by_text("once-2", exact=True).count() == 1
        await at.gateway.http.delete(f"/v1/terminal/{session}")
        await at.page.locator(".vt.ended").wait_for()
        await at.page.reload()
        await at.page.get_by_role("alert").get_by_text("no such terminal session").first.wait_for()


async def test_a_paste_arrives_whole_and_runs_nothing_by_itself(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        opened = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "shell": "/bin/bash"})
        await at.view(f"terminals/{opened.json()['session']['id']}")
        await at.sees(LIVE)
        screen = at.page.locator(".vt-lines")
        await screen.get_by_text(re.compile(r"[#$] ?$")).first.wait_for()
        await at.page.get_by_label("Terminal input").evaluate(
            """(input, text) => {
                const clipboardData = new DataTransfer();
                clipboardData.setData("text/plain", text);
                input.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
            }""",
            "printf 'one-%s\\n' $((1+1))\nprintf 'two-%s\\n' $((2+2))\n",
        )
        await screen.get_by_text("two-%s").first.wait_for()
        assert await screen.get_by_text("one-2", exact=True).count() == 0
        await at.page.keyboard.press("Enter")
        await screen.get_by_text("one-2", exact=True).wait_for()


async def test_a_saved_connection_is_changed_and_keeps_its_secret(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        saved = {
            "name": "box",
            "type": "ssh",
            "host": "10.0.0.9",
            "username": "root",
            "cwd": "/srv",
            "password": "secret",
        }
        await at.gateway.http.post("/v1/terminal/connections", json=saved)
        await at.view("terminals")
        await at.page.get_by_role("button", name="Edit box").click()
        form = at.page.get_by_role("dialog")
        await form.get_by_label("Host *").fill("10.0.0.10")
        await form.get_by_label("Directory").fill("")
        await form.get_by_role("button", name="Save").click()
        await at.sees("box is changed.")
        (found,) = (await at.gateway.http.get("/v1/terminal/connections")).json()["connections"]
        assert (found["host"], found["cwd"], found["hasPassword"]) == ("10.0.0.10", None, True)


async def test_the_command_policy_is_tried_and_changed(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.gateway.http.put("/v1/terminal/policy", json={"policy": {"policies": [ASK]}})
        await at.view("approvals")
        await at.page.get_by_label("Command *").fill("printf x")
        await at.page.get_by_role("button", name="Judge").click()
        await at.sees("it writes")
        await at.page.get_by_text("Read or change it").click()
        await at.page.get_by_label("As JSON").fill('{"policies": [')
        await at.page.get_by_role("button", name="Put into force").click()
        await at.sees("This is not valid JSON")
        await at.page.get_by_label("As JSON").fill('{"policies": [{"name": "calm", "default": "deny"}]}')
        await at.page.get_by_role("button", name="Put into force").click()
        await at.sees("The policy is in force.")
        state = (await at.gateway.http.get("/v1/terminal/policy")).json()
        assert [policy["name"] for policy in state["policy"]["policies"]] == ["calm"]


async def test_an_administrator_watches_a_session_of_another(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page, http = at.page, at.gateway.http
        login = await http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        admin = {"authorization": f"Bearer {login.json()['token']}"}
        made = await http.post("/v1/keys", json={"name": "alice", "scopes": ["terminal"]}, headers=admin)
        alice = {"authorization": f"Bearer {made.json()['secret']}"}
        given = {"type": "local", "title": "of alice"}
        session = (await http.post("/v1/terminal/sessions", json=given, headers=alice)).json()["session"]["id"]
        await at.view("terminals")
        await at.login()
        await page.get_by_role("button", name="Show all callers' sessions").click()
        await page.get_by_role("button", name="Watch of alice").click()
        await at.sees("it is read-only")
        await page.get_by_text(LIVE).wait_for()
        await page.get_by_role("button", name="Take over").click()
        await page.get_by_role("dialog").get_by_role("button", name="Take over").click()
        await at.sees("You type into a session of")
        shown = (await http.get(f"/v1/terminal/{session}", headers=alice)).json()["session"]
        assert shown["watchers"][0]["name"] == "admin"

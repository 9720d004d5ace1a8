"""The dashboard without a login, in a real browser."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Visit

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """
async (rules) => {
    const found = await axe.run(document, rules ? { runOnly: { type: "rule", values: rules } } : { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
    return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}
"""
NAMELESS = """
[...document.querySelectorAll("#app :is(button, input, select, textarea, a)")]
    .filter((node) => !node.getAttribute("aria-label") && !node.labels?.length && !node.textContent.trim())
    .map((node) => node.outerHTML)
"""
WIDTH = "document.documentElement.scrollWidth <= innerWidth"
VIEWS = (
    "overview", "chat", "models", "terminals", "approvals", "usage", "budgets", "keys", "providers", "policy", "decisions",
    "audit", "settings",
)  # fmt: skip
ASK = {
    "name": "ask",
    "interactive": "allow",
    "rules": [{"action": "confirm", "commands": ["printf"], "reason": "it writes"}],
}
CHAT = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "Hello"}]}
LIMITED = {"error": "Too many requests.", "code": "rate_limited"}
HEADERS = {"x-ratelimit-limit": "7", "x-ratelimit-remaining": "0", "retry-after": "1"}
MADE = "#app :is(img, script, iframe, object, embed, a[href^='javascript'], [onerror], [onload], [srcdoc])"
REVERSED = "\u202e"


async def settled(at: Visit, view: str) -> None:
    await at.view(view)
    await at.page.locator("#view :is(h1, h2, section)").first.wait_for()
    await at.page.wait_for_load_state("networkidle")


async def test_every_view_shows_itself_names_its_controls_and_fits_a_phone(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
    opened = await http.post("/v1/terminal/sessions", json={"type": "local", "title": "n" * 150})
    await http.post("/v1/keys", json={"name": "k" * 150, "budgetUsd": 1})
    await settled(at, "")
    links = await page.get_by_role("navigation").get_by_role("link").all()
    assert len(links) == len(VIEWS)
    for link in links:
        name = (await link.inner_text()).strip()
        await link.click()
        await page.wait_for_function("(name) => document.title.startsWith(name)", arg=name)
        await page.wait_for_load_state("networkidle")
        assert await page.get_by_role("alert").count() == 0, name
    await page.set_viewport_size({"width": 390, "height": 800})
    session = opened.json()["session"]["id"]
    for view in (*VIEWS, f"terminals/{session}"):
        await settled(at, view)
        assert await page.evaluate(NAMELESS) == [], view
        assert await page.evaluate(WIDTH), view
    await page.set_viewport_size({"width": 1280, "height": 800})
    await http.delete(f"/v1/terminal/{session}")


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed; 'make dashboard' does")
async def test_axe_finds_nothing_serious_in_any_view_and_theme(at: Visit) -> None:
    page, found = at.page, {}
    assert (await at.gateway.http.post("/v1/chat/completions", json=CHAT)).status_code == 200
    session = (await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
    for scheme, rules in (("light", None), ("dark", ["color-contrast"])):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for view in (*VIEWS, f"terminals/{session}", "models/scripted/scripted"):
            await settled(at, view)
            await page.evaluate(AXE.read_text("utf-8"))
            if serious := await page.evaluate(SERIOUS, rules):
                found[scheme, view] = serious
    await page.emulate_media(color_scheme="light")
    await at.gateway.http.delete(f"/v1/terminal/{session}")
    assert found == {}


async def test_models_are_found_turned_off_added_and_deleted_and_a_refusal_stands_at_its_field(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    await at.view("models")
    await page.get_by_role("switch", name="scripted/scripted on").wait_for()
    await page.keyboard.press("/")
    await page.keyboard.type("layer:L3")
    await at.sees("No model fits the filter.")
    await page.get_by_label("Filter ( / )").fill("scripted")
    switch = page.get_by_role("switch", name="scripted/scripted on")
    for wanted in (False, True):
        await switch.focus()
        await page.keyboard.press("Space")
        state = ":checked" if wanted else ":not(:checked)"
        await page.locator(f"[aria-label='scripted/scripted on']{state}:not([aria-busy])").wait_for()
        assert (await http.get("/v1/models/scripted/scripted")).json()["enabled"] is wanted
    await page.get_by_role("button", name="Add a model").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Id *").fill("scripted/scripted")
    await form.get_by_label("Name at the provider").fill("one")
    await form.get_by_label("Provider", exact=True).select_option("openai")
    await form.get_by_label("Dollars for 1M input").fill("0.15")
    await form.get_by_role("button", name="Add").click()
    await form.get_by_role("alert").get_by_text("already").first.wait_for()
    await form.get_by_label("Id *").fill("new/one:free")
    await form.get_by_role("button", name="Add").click()
    await at.sees("new/one:free is added.")
    assert (await http.get("/v1/models/new/one:free")).json()["pricePer1kInputTokens"] == 0.00015
    await at.view("models/new/one:free")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await at.sees("new/one:free is deleted.")
    assert (await http.get("/v1/models/new/one:free")).status_code == 404


async def test_aliases_and_settings_are_changed_and_set_back(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    await at.view("models")
    card = page.get_by_role("region", name="Aliases").first
    await card.get_by_role("button", name="Edit").click()
    rules = page.get_by_label("Rules")
    await rules.fill("opus = L9")
    await page.get_by_role("button", name="Save").click()
    await at.sees("'L9' is neither")
    await rules.fill("opus = L1, auto\n*mine* = auto")
    await page.get_by_role("button", name="Save").click()
    await at.sees("The aliases are changed.")
    aliases = (await http.get("/v1/aliases")).json()["aliases"]
    assert [(one["name"], one["targets"]) for one in aliases] == [("opus", ["L1", "auto"]), ("*mine*", ["auto"])]
    await card.get_by_role("button", name="Reset").click()
    await page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    await card.get_by_text("default rules").wait_for()
    await at.view("settings")
    field = page.get_by_label("Spending alert (dollars a day)", exact=True)
    for text, said, threshold in (("7.5", "is changed", 7.5), ("", "is as it was set at the start", 1)):
        await field.fill(text)
        await field.blur()
        await at.sees(f"Spending alert (dollars a day) {said}")
        assert (await http.get("/v1/config")).json()["configuration"]["costAlertThreshold"] == threshold


async def test_a_new_key_survives_escape_and_dialogs_go_when_the_view_changes(at: Visit) -> None:
    page = at.page
    await at.view("overview")
    await at.view("keys")
    await page.get_by_role("button", name="Create a key").click()
    await page.get_by_label("Name *").fill("laptop")
    await page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    secret = await page.locator("[data-secret]").inner_text()
    await page.get_by_role("dialog").press("Escape")
    await page.get_by_role("button", name="Cancel").click()
    assert await page.locator("[data-secret]").inner_text() == secret
    await page.get_by_role("button", name="I have stored it").click()
    await page.get_by_text("laptop").first.wait_for()
    assert secret not in await page.content()
    await at.view("overview")
    await page.get_by_role("navigation").get_by_role("link", name="Keys").click()
    await page.get_by_role("button", name="Delete laptop").click()
    await page.get_by_role("dialog").wait_for()
    await page.go_back()
    await page.get_by_role("dialog").wait_for(state="detached")
    names = [key["name"] for key in (await at.gateway.http.get("/v1/keys")).json()["keys"]]
    assert "laptop" in names, "a question that is left is answered with no"
    await at.view("nope")
    await at.sees("There is no view at this address.")
    await page.goto(f"{at.url}/dashboard/#/budgets")  # an address of the dashboard before this one
    await page.get_by_role("heading", name="Budgets").wait_for()


async def test_usage_is_drawn_saved_and_the_address_keeps_the_choice(at: Visit) -> None:
    page = at.page
    assert (await at.gateway.http.post("/v1/chat/completions", json=CHAT)).status_code == 200
    await at.view("usage?range=24h&by=model&show=requests")
    await page.get_by_role("img", name="Requests by hour").wait_for()
    await page.get_by_role("table", name="Usage").get_by_text("scripted/scripted").wait_for()
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Download CSV").click()
    assert "scripted/scripted" in Path(await (await saving.value).path()).read_text()
    await page.get_by_role("button", name="7 d").click()
    await page.get_by_role("img", name="Requests by day").wait_for()
    assert "range=7d" in page.url
    await page.reload()
    await page.get_by_role("img", name="Requests by day").wait_for()
    assert await page.get_by_label("Group by").input_value() == "model"


async def test_a_chat_streams_markdown_is_kept_and_says_why_this_model(at: Visit) -> None:
    page = at.page
    await at.view("chat")
    await page.get_by_label("Message").fill("Say **this** <img src=x onerror=alert(1)>\n\n```py\nimport os\n```")
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Answer")
    await answer.get_by_role("button", name="Why this model").wait_for()
    question = page.get_by_role("article", name="You")
    assert await question.locator("strong").inner_text() == "this"
    assert await question.locator("pre .hljs-keyword").inner_text() == "import"
    assert await question.locator("img").count() == 0
    await answer.get_by_role("button", name="Why this model").click()
    await page.get_by_role("dialog").get_by_text("scripted/scripted").first.wait_for()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await page.reload()
    await answer.wait_for()
    await page.get_by_label("Search conversations").fill("nothing like it")
    await at.sees("No conversation matches.")
    await page.get_by_role("button", name="New chat").click()
    await at.sees("Messages are routed and billed like any other request.")


async def test_a_command_that_waits_runs_once_it_is_approved_and_the_policy_is_tried_and_changed(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    await http.put("/v1/terminal/policy", json={"policy": {"policies": [ASK]}})
    session = (await http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
    body = {"command": "printf done", "stdin": "yes", "approvalWaitMs": 20_000}
    asked = asyncio.create_task(http.post(f"/v1/terminal/{session}/execute", json=body))
    try:
        await at.view("approvals")
        await at.sees("printf done")
        await at.sees("it writes")
        await page.locator(".count[aria-label='1 waiting']").wait_for()
        await page.get_by_role("button", name="Approve printf done").click()
        answer: Any = await asyncio.wait_for(asked, 10)
    finally:
        asked.cancel()
    assert answer.json()["result"]["stdout"] == "done"
    await at.sees("No command waits")
    await at.view("policy")
    await page.get_by_label("Command *").fill("printf x")
    await page.get_by_role("button", name="Judge").click()
    await at.sees("it writes")
    await page.get_by_label("As JSON").fill('{"policies": [')
    await page.get_by_role("button", name="Put into force").click()
    await at.sees("This is not valid JSON")
    await page.get_by_label("As JSON").fill('{"policies": [{"name": "calm", "default": "allow"}]}')
    await page.get_by_role("button", name="Put into force").click()
    await at.sees("The policy is in force.")
    state = (await http.get("/v1/terminal/policy")).json()
    assert [policy["name"] for policy in state["policy"]["policies"]] == ["calm"]
    await http.put("/v1/terminal/policy", json={"policy": None})


async def test_what_was_shown_stays_when_the_limit_is_reached_or_the_gateway_is_away(at: Visit) -> None:
    page = at.page
    await at.view("overview")
    await at.sees("Spent today")

    async def refuse(route: "Route") -> Any:
        await route.fulfill(status=429, json=LIMITED, headers=HEADERS)

    await page.route("**/v1/**", refuse)
    await page.get_by_role("link", name="Providers").click()
    await at.sees("The rate limit of 7 requests is reached.")
    assert await page.get_by_role("alert").count() == 0
    await page.unroute("**/v1/**", refuse)
    await page.get_by_role("cell", name="openai").first.wait_for()
    await page.get_by_text("The rate limit of 7 requests is reached.").wait_for(state="detached")
    await page.route("**/v1/**", lambda route: route.abort())
    await page.get_by_role("link", name="Budgets").click()
    await at.sees("The gateway does not answer.")
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("button", name="Add a budget").wait_for()
    at.complaints.clear()  # the browser writes each failed request to its console


async def test_a_page_asks_seldom_and_hardly_when_nobody_sees_it(at: Visit, browser: "Browser") -> None:
    context, asked = await browser.new_context(), []
    page = await context.new_page()
    page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{at.url}/dashboard/overview")
    await page.get_by_text("Spent today").first.wait_for()
    await page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))  # from here on only run_for moves it
    await page.wait_for_load_state("networkidle")
    for hidden, most in ((False, 12), (True, 2)):
        if hidden:
            await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        asked.clear()
        for _ in range(12):
            await page.clock.run_for(5000)
            await page.wait_for_load_state("networkidle")
        assert 0 < len(asked) <= most, asked
    await context.close()


async def test_stored_text_never_runs_in_any_view(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    payload = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
    spaceless, name = "<img/src=x/onerror=window.pwned=1>", f"<svg onload='window.pwned=1'>{REVERSED}"
    shown = name.replace(REVERSED, r"\u202e")
    at.gateway.provider.says["scripted"] = payload
    rule = {"action": "confirm", "commands": ["printf"], "reason": payload}
    policy = {"name": "ask", "interactive": "allow", "rules": [rule]}
    tagged = {**CHAT, "messages": [{"role": "user", "content": payload}], "gateway": {"tags": {"team": spaceless}}}
    planted = (
        ("POST", "/v1/models", {"id": "x", "provider": "openai", "apiModelName": spaceless, "layer": "L0", "owned_by": spaceless}),
        ("POST", "/v1/chat/completions", tagged),
        ("POST", "/v1/keys", {"name": name}),
        ("POST", "/v1/providers", {"name": "far", "baseUrl": f"http://127.0.0.1:1/{spaceless}"}),
        ("POST", "/v1/budgets", {"appliesTo": "tag", "tag": {"name": "<b>team", "value": payload}, "limitUsd": 1}),
        ("POST", "/v1/terminal/connections", {"name": name, "type": "telnet", "host": "127.0.0.1"}),
        ("PUT", "/v1/terminal/policy", {"policy": {"policies": [policy]}}),
        ("POST", "/v1/terminal/sessions", {"type": "local", "title": name}),
    )  # fmt: skip
    for method, path, body in planted:
        answer = await http.request(method, path, json=body)
        assert answer.status_code in (200, 201), (path, answer.text)
    session = answer.json()["session"]["id"]
    asked = {"command": f"printf '{spaceless}'", "stdin": payload}
    assert (await http.post(f"/v1/terminal/{session}/execute", json=asked)).status_code == 409
    recorded = (await http.get("/v1/audit")).json()["entries"][0]["action"]
    for view, text in (
        ("models/x", spaceless),
        ("keys", shown),
        ("providers", spaceless),
        ("budgets", payload),
        ("terminals", shown),
        ("approvals", spaceless),
        ("audit", recorded),
        ("usage?by=tag&tag=team", spaceless),
        (f"terminals/{session}", shown),
    ):
        await at.view(view)
        await page.get_by_text(text).first.wait_for()
        assert await page.evaluate("window.pwned ?? null") is None, view
        assert await page.locator(MADE).count() == 0, view
    await page.keyboard.type(r"printf '\033]0;<img src=x onerror=window.pwned=1>\007<script>window.pwned=1</script>\n'")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="<img src=x onerror=window.pwned=1>").wait_for()
    await at.view("chat")
    await page.get_by_label("Message").fill(payload)
    await page.keyboard.press("Enter")
    await page.get_by_role("article", name="Answer").get_by_role("button", name="Why this model").wait_for()
    assert await page.evaluate("window.pwned ?? null") is None
    assert await page.locator(MADE).count() == 0
    await http.delete(f"/v1/terminal/{session}")
    await http.put("/v1/terminal/policy", json={"policy": None})


async def test_a_recording_is_saved_and_a_saved_connection_is_changed_and_keeps_its_secret(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    session = (await http.post("/v1/terminal/sessions", json={"type": "local", "record": True})).json()["session"]["id"]
    saved = {"name": "box", "type": "ssh", "host": "10.0.0.9", "username": "root", "cwd": "/srv", "password": "secret"}
    await http.post("/v1/terminal/connections", json=saved)
    await at.view("terminals")
    async with page.expect_download() as saving:
        await page.get_by_role("button", name=f"Download {session}").click()
    header = json.loads(Path(await (await saving.value).path()).read_text().splitlines()[0])
    assert header["version"] == 2
    await page.get_by_role("button", name="Edit box").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Host *").fill("10.0.0.10")
    await form.get_by_label("Directory").fill("")
    await form.get_by_role("button", name="Save").click()
    await at.sees("box is changed.")
    found = (await http.get("/v1/terminal/connections")).json()["connections"]
    (box,) = [one for one in found if one["name"] == "box"]
    assert (box["host"], box["cwd"], box["hasPassword"]) == ("10.0.0.10", None, True)

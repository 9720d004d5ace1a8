"""The new dashboard in a real browser."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from http_api.dashboard import built
from tests.support.browser import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (built.DIST / "index.html").is_file(), reason="the dashboard is not built; 'make dashboard' does"
    ),
]
NAMELESS = """
[...document.querySelectorAll("#app :is(button, input, select, textarea, a)")]
    .filter((node) => !node.getAttribute("aria-label") && !node.labels?.length && !node.textContent.trim())
    .map((node) => node.outerHTML)
"""
WIDTH = "document.documentElement.scrollWidth <= innerWidth"


async def show(at: Visit, view: str) -> None:
    await at.page.goto(f"{at.url}{built.PATH}/{view}")
    await at.page.locator("#view :is(h1, h2)").first.wait_for()


async def test_every_view_works_without_complaints_names_its_controls_and_fits_a_phone(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        page = at.page
        chat = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "Hello"}]}
        assert (await at.gateway.http.post("/v1/chat/completions", json=chat)).status_code == 200
        await show(at, "")
        links = await page.get_by_role("navigation").get_by_role("link").all()
        places = [await link.get_attribute("href") or "" for link in links]
        assert len(places) >= 11
        for link in links:
            name = (await link.inner_text()).strip()
            await link.click()
            await page.wait_for_function("(name) => document.title.startsWith(name)", arg=name)
            await page.wait_for_load_state("networkidle")
            assert await page.get_by_role("alert").count() == 0, name
        await page.set_viewport_size({"width": 390, "height": 800})
        for place in places:
            await page.goto(f"{at.url}{place}")
            await page.wait_for_load_state("networkidle")
            await page.locator("#view :is(h1, h2, section)").first.wait_for()
            assert await page.evaluate(NAMELESS) == [], place
            assert await page.evaluate(WIDTH), place


async def test_someone_logs_in_keeps_the_place_and_logs_out(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, auth_mode="required") as at:
        page = at.page
        await page.goto(f"{at.url}{built.PATH}/models?layer=L0")
        await at.login(password="wrong password")
        await at.sees("The username or the password is wrong")
        await at.login()
        await page.get_by_role("heading", name="Models", level=1).wait_for()
        await page.get_by_role("link", name="scripted/scripted").click()
        await page.get_by_role("heading", name="scripted/scripted").wait_for()
        await page.go_back()
        await page.get_by_role("heading", name="Models", level=1).wait_for()
        assert page.url.endswith("?layer=L0")
        token = await page.evaluate("sessionStorage.getItem('gateway.token')")
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_role("button", name="Log in").wait_for()
        headers = {"authorization": f"Bearer {token}"}
        assert (await at.gateway.http.get("/v1/auth/status", headers=headers)).status_code == 401


async def test_a_model_is_found_and_turned_off_and_a_new_key_survives_escape(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        page = at.page
        await show(at, "models")
        await page.get_by_role("switch", name="scripted/scripted on").wait_for()
        await page.keyboard.press("/")
        await page.keyboard.type("layer:L3")
        await at.sees("No model fits the filter.")
        await page.get_by_label("Filter ( / )").fill("scripted")
        await page.get_by_role("switch", name="scripted/scripted on").click()
        await page.locator("[aria-label='scripted/scripted on']:not(:checked):not([aria-busy])").wait_for()
        assert (await at.gateway.http.get("/v1/models/scripted/scripted")).json()["enabled"] is False
        await show(at, "keys")
        await page.get_by_role("button", name="Create a key").click()
        await page.get_by_label("Name *").fill("laptop")
        await page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
        secret = await page.locator("[data-secret]").inner_text()
        await page.get_by_role("dialog").press("Escape")
        await page.get_by_role("button", name="Cancel").click()
        assert await page.locator("[data-secret]").inner_text() == secret
        await page.get_by_role("button", name="I have stored it").click()
        await page.get_by_text("laptop").first.wait_for()


async def test_usage_is_drawn_by_the_hour_and_the_address_keeps_the_choice(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        page = at.page
        chat = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "Hello"}]}
        assert (await at.gateway.http.post("/v1/chat/completions", json=chat)).status_code == 200
        await show(at, "usage?range=24h&by=model&show=requests")
        await page.get_by_role("img", name="Requests by hour").wait_for()
        await page.get_by_role("table", name="Usage").get_by_text("scripted/scripted").wait_for()
        await page.get_by_role("button", name="7 d").click()
        await page.get_by_role("img", name="Requests by day").wait_for()
        assert "range=7d" in page.url
        await page.reload()
        await page.get_by_role("img", name="Requests by day").wait_for()
        assert await page.get_by_label("Group by").input_value() == "model"


async def test_a_chat_streams_markdown_is_kept_found_again_and_says_why_this_model(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        page = at.page
        await show(at, "chat")
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
        await page.get_by_role("article", name="Answer").wait_for()
        await page.get_by_label("Search conversations").fill("nothing like it")
        await at.sees("No conversation matches.")
        await page.get_by_role("button", name="New chat").click()
        await at.sees("Messages are routed and billed like any other request.")

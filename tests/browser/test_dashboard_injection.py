"""Text that others control, in every place where the dashboard shows it: it is shown as text and never runs."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

SPACELESS = "<img/src=x/onerror=window.pwned=1>"
PAYLOAD = (
    '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script><a href="javascript:window.pwned=1">x</a>'
)
NAME = "<svg onload='window.pwned=1'>"
SEQUENCES = r"\033]0;<img src=x onerror=window.pwned=1>\007\033[38;2;1;2;3m<script>window.pwned=1</script>\033[0m"


async def assert_harmless(at: Visit, shown: str) -> None:
    """It can be read on the page as it is, and nothing came of it."""
    await at.page.get_by_text(shown).first.wait_for()
    assert await at.page.evaluate("window.pwned ?? null") is None
    made = "#app :is(img, script, iframe, object, embed, a[href^='javascript'], [onerror], [onload], [srcdoc])"
    assert await at.page.locator(made).count() == 0


async def plant(at: Visit) -> str:
    """Store the payload in every string that a caller may choose; the id of a terminal session."""
    http = at.gateway.http
    at.gateway.provider.says["scripted"] = PAYLOAD
    chat = {
        "model": "scripted/scripted",
        "messages": [{"role": "user", "content": PAYLOAD}],
        "gateway": {"tags": {"team": NAME}},
    }
    rule = {"action": "confirm", "commands": ["printf"], "reason": PAYLOAD}
    policy = {"name": "ask", "interactive": "allow", "rules": [rule]}
    session = {"type": "local", "title": NAME, "record": True}
    planted = (
        ("POST", "/v1/models", {"id": "x", "provider": "openai", "apiModelName": SPACELESS, "layer": "L0", "owned_by": NAME}, 201),
        ("POST", "/v1/chat/completions", chat, 200),
        ("POST", "/v1/keys", {"name": NAME}, 201),
        ("POST", "/v1/providers", {"name": "far", "baseUrl": f"http://127.0.0.1:1/{SPACELESS}"}, 201),
        ("POST", "/v1/budgets", {"appliesTo": "tag", "tag": {"name": "<b>team", "value": PAYLOAD}, "limitUsd": 1}, 201),
        ("POST", "/v1/terminal/connections", {"name": NAME, "type": "telnet", "host": "127.0.0.1"}, 201),
        ("POST", "/v1/terminal/connections", {"name": "here", "type": "local", "cwd": f"/{PAYLOAD}"}, 201),
        ("PUT", "/v1/terminal/policy", {"policy": {"policies": [policy]}}, 200),
        ("POST", "/v1/terminal/sessions", session, 201),
    )  # fmt: skip
    for method, path, body, status in planted:
        answer = await http.request(method, path, json=body)
        assert answer.status_code == status, (path, answer.text)
    opened = str(answer.json()["session"]["id"])
    asked = {"command": f"printf '{NAME}'", "stdin": PAYLOAD}
    assert (await http.post(f"/v1/terminal/{opened}/execute", json=asked)).status_code == 409
    return opened


async def test_stored_text_never_runs_in_any_view(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await plant(at)
        for view, shown in (
            ("models", SPACELESS),
            ("keys", NAME),
            ("providers", SPACELESS),
            ("budgets", PAYLOAD),
            ("terminals", NAME),
            ("approvals", f"printf '{NAME}'"),
            ("audit", NAME),
        ):
            await at.view(view)
            await assert_harmless(at, shown)
        await at.view("approvals")
        await assert_harmless(at, PAYLOAD)
        await at.view("usage")
        await at.page.get_by_label("Or by the tag").fill("team")
        await at.page.keyboard.press("Enter")
        await assert_harmless(at, NAME)


async def test_what_a_model_says_never_runs(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await plant(at)
        await at.view("chat")
        await at.page.get_by_label("Message", exact=True).fill(PAYLOAD)
        await at.page.get_by_role("button", name="Send").click()
        await at.page.get_by_role("article", name="Answer").get_by_text("tokens").wait_for()
        await assert_harmless(at, PAYLOAD)
        await at.page.get_by_label("Model", exact=True).fill(SPACELESS)
        await at.page.get_by_role("button", name="Explain the route").click()
        await assert_harmless(at, SPACELESS)


async def test_what_a_terminal_shows_never_runs(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        session = await plant(at)
        await at.view(f"terminals/{session}")
        await at.page.get_by_text("live", exact=True).wait_for()
        await at.page.keyboard.type(f"printf '{SEQUENCES}\\n'\n")
        await at.page.get_by_role("heading", name="<img src=x onerror=window.pwned=1>").wait_for()
        await assert_harmless(at, "<script>window.pwned=1</script>")


async def test_output_cannot_type(browser: "Browser", tmp_path: Path) -> None:
    """Queries that terminals answer, such as where the cursor is, get no answer from the page."""
    async with visiting(browser, tmp_path) as at:
        session = await plant(at)
        sent: list[str] = []
        at.page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
        await at.view(f"terminals/{session}")
        await at.page.get_by_text("live", exact=True).wait_for()
        queries = r"printf '\033[6n\033[c\033[>c\033[5n\033]10;?\007\033P$qm\033\\\005\033[21t'; echo after-$((1+1))"
        await at.page.keyboard.type(queries + "\n")
        await at.page.get_by_text("after-2", exact=False).first.wait_for()
        typed = [json.loads(text)["data"] for text in sent if '"input"' in text]
        assert "".join(typed) == queries + "\r"


async def test_an_error_that_quotes_what_was_asked_never_runs(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("usage")
        await at.page.get_by_label("Or by the tag").fill(PAYLOAD)
        await at.page.keyboard.press("Enter")
        await at.page.get_by_role("alert").wait_for()
        await asyncio.wait_for(at.page.wait_for_load_state("networkidle"), 5)
        assert await at.page.evaluate("window.pwned ?? null") is None
        assert await at.page.locator("#app img").count() == 0

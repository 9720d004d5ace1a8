"""The dashboard and the rate limit: how often it asks by itself, and what it shows when the limit is reached."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser, Request, Route

pytestmark = pytest.mark.slow

SPENT = """
import("/dashboard/api.js").then(async (api) => {
    try { for (;;) await api.get("/v1/stats"); } catch (error) { return error.limited; }
})
"""
UNSEEN = """
Object.defineProperty(document, "hidden", { get: () => true });
document.dispatchEvent(new Event("visibilitychange"));
"""
MOST_IN_A_MINUTE = {"overview": 10, "models": 5, "terminals": 9, "approvals": 13, "usage": 5}
FREE = "/health"
LIMITED = {"error": "Too many requests.", "code": "rate_limited"}
HEADERS = {"x-ratelimit-limit": "7", "x-ratelimit-remaining": "0", "retry-after": "1"}


class Asked:
    """What a page asks of the API."""

    def __init__(self, at: Visit) -> None:
        self._page = at.page
        self.paths: Counter[str] = Counter()
        self._open: set[Request] = set()
        self._ended = asyncio.Event()
        at.page.on("request", self._begin)
        at.page.on("requestfinished", self._end)
        at.page.on("requestfailed", self._end)

    def _begin(self, request: "Request") -> None:
        path = urlsplit(request.url).path
        if not path.startswith("/dashboard"):
            self.paths[path] += 1
            self._open.add(request)

    def _end(self, request: "Request") -> None:
        self._open.discard(request)
        self._ended.set()

    async def quiet(self) -> None:
        """Once everything that was asked has its answer, and the page has seen it."""
        while self._open:
            self._ended.clear()
            await asyncio.wait_for(self._ended.wait(), 10)
        await self._page.evaluate("0")

    async def in_a_minute(self) -> Counter[str]:
        """What is asked in a minute of the page's clock."""
        await self.quiet()
        self.paths.clear()
        for _ in range(60):
            await self._page.clock.run_for(1000)
            await self.quiet()
        return self.paths


def limited(paths: Counter[str]) -> int:
    return sum(number for path, number in paths.items() if path != FREE)


@pytest.mark.parametrize("view", MOST_IN_A_MINUTE)
async def test_a_view_that_is_left_open_asks_seldom(browser: "Browser", tmp_path: Path, view: str) -> None:
    async with visiting(browser, tmp_path) as at:
        asked = Asked(at)
        await at.page.clock.install()
        await at.view(view)
        await at.page.locator("#view h1").wait_for()
        await at.page.wait_for_load_state("networkidle")
        paths = await asked.in_a_minute()
        assert 0 < limited(paths) <= MOST_IN_A_MINUTE[view], paths
        assert 0 < paths[FREE] <= 5, paths


async def test_a_page_that_nobody_sees_asks_for_nothing_but_what_waits_for_approval(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        asked = Asked(at)
        await at.page.clock.install()
        await at.view("overview")
        await at.sees("Today (UTC)")
        await at.page.wait_for_load_state("networkidle")
        await at.page.evaluate(UNSEEN)
        paths = await asked.in_a_minute()
        assert paths <= Counter({"/v1/approvals": 1}), paths


async def test_what_was_shown_stays_when_the_limit_is_reached(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path, rate_limit_per_minute=30) as at:
        await at.view("overview")
        await at.sees("Today (UTC)")
        await at.sees("No model was asked")
        assert await at.page.evaluate(SPENT) is True
        await at.sees("The rate limit of 30 requests is reached.")
        await at.sees("It goes on by itself in")
        await at.sees("Today (UTC)")
        await at.page.get_by_role("link", name="Budgets").click()
        await at.sees("This comes as soon as the rate limit lets something through.")
        assert await at.page.get_by_role("alert").count() == 0
        await at.page.reload()
        await at.sees("The rate limit of 30 requests is reached.")
        assert await at.page.get_by_role("alert").count() == 0


async def test_it_goes_on_by_itself_once_the_limit_lets_it(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.view("overview")
        await at.sees("Today (UTC)")

        async def refuse(route: "Route") -> Any:
            await route.fulfill(status=429, json=LIMITED, headers=HEADERS)

        await at.page.route("**/v1/**", refuse)
        await at.page.get_by_role("link", name="Providers").click()
        await at.sees("The rate limit of 7 requests is reached.")
        await at.page.unroute("**/v1/**", refuse)
        await at.page.get_by_role("cell", name="openai").first.wait_for()
        await at.page.get_by_text("The rate limit of 7 requests is reached.").wait_for(state="detached")

"""A real browser at the dashboard of a real gateway; tests skip where no browser is installed."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from http_api.dashboard import routes
from tests.support.http_gateway import MODEL, PASSWORD, Surface, surface, without_models
from tests.support.http_server import serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MILLISECONDS = 20_000
"""At most, for each wait: browsers are slow on a machine that has much else to do."""
QUIET = re.compile(r"status of (400|401|403|404|409|429)")
"""Answers that a test asks for on purpose; browsers write each of them to the console."""


@dataclass
class Visit:
    """A page of the dashboard, and the gateway behind it. `complaints` are errors of scripts and refusals by its policy."""

    page: "Page"
    url: str
    gateway: Surface
    complaints: list[str] = field(default_factory=list)

    async def view(self, name: str) -> None:
        """Go to one of its views."""
        await self.page.goto(f"{self.url}{routes.PATH}/{name}")

    async def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until that text is on the page."""
        await self.page.get_by_text(text).first.wait_for()

    async def login(self, username: str = "admin", password: str = PASSWORD) -> None:
        """Log in as a person would."""
        await self.page.get_by_label("User").fill(username)
        await self.page.get_by_label("Password *").fill(password)
        await self.page.get_by_role("button", name="Log in").click()


@asynccontextmanager
async def opened_browser() -> "AsyncIterator[Browser]":
    """A browser without a window and without WebGL, so that terminals are text of the page. Skips where there is none, or no dashboard."""
    if not (routes.DIST / "index.html").is_file():
        pytest.skip("the dashboard is not built; 'make dashboard' does")
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    found = next(filter(None, map(which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)}")
    async with api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--disable-gpu", "--disable-3d-apis"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visiting(browser: "Browser", folder: Path, **settings: Any) -> AsyncIterator[Visit]:
    """A fresh gateway with one model, and a page of its own at its dashboard, not yet opened."""
    async with surface(folder, **settings) as made, serving(made.app) as server:
        await without_models(made)
        token = await made.login() if settings.get("auth_mode") == "required" else ""
        made.http.headers.update({"authorization": f"Bearer {token}"} if token else {})
        assert (await made.http.post("/v1/models", json=MODEL)).status_code == 201
        context = await browser.new_context(accept_downloads=True)
        context.set_default_timeout(MILLISECONDS)
        page = await context.new_page()
        visit = Visit(page, server.url, made)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("console", lambda said: _note(visit, said.type, said.text))
        try:
            yield visit
        finally:
            await context.close()
        assert visit.complaints == []


def _note(visit: Visit, kind: str, text: str) -> None:
    if kind == "error" and not QUIET.search(text):
        visit.complaints.append(text)

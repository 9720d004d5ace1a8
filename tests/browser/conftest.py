"""One browser, one gateway and one page for the tests of a module."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Visit, opened_browser, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> "AsyncIterator[Browser]":
    async with opened_browser() as found:
        yield found


@pytest.fixture(scope="module")
async def at(
    browser: "Browser", tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Visit]:
    """The gateway of the module, with the settings in its `SETTINGS`."""
    settings: dict[str, Any] = getattr(request.module, "SETTINGS", {})
    async with visiting(browser, tmp_path_factory.mktemp("gateway"), **settings) as visit:
        await visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield visit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells begin where no start-up files of whoever runs the tests are."""
    monkeypatch.setenv("HOME", str(tmp_path))

"""The live terminal of the dashboard, when the shell in it ends."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.identity import LOCAL
from shared.operations import dispatch
from shared.operations.terminals import RUN_COMMAND
from tests.support.browser import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

LIVE = re.compile("^live$")
ENDED = re.compile("typing starts a new one")
FRAMELESS = "window.requestAnimationFrame = () => 1"
"""A browser that is too busy to draw: it calls nobody back."""


async def opened(at: Visit, **wanted: Any) -> str:
    """A local session, with its view open."""
    answer = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "shell": "/bin/sh", **wanted})
    session = str(answer.json()["session"]["id"])
    await at.view(f"terminals/{session}")
    await at.sees(LIVE)
    return session


async def test_what_came_last_is_shown_when_the_shell_ends_before_it_was_drawn(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        await at.page.add_init_script(FRAMELESS)
        await opened(at)
        await at.page.keyboard.type("echo last-$((1+1)); exit\n")
        await at.page.locator(".vt-lines").get_by_text("last-2", exact=True).wait_for()


async def test_typing_after_the_shell_has_ended_starts_another_one(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        await opened(at)
        await at.page.keyboard.type("exit 3\n")
        await at.sees(ENDED)
        await at.sees("Its exit code was 3.")
        screen = at.page.locator(".vt-lines")
        await at.page.keyboard.type("echo once-$((1+1))-more\n")
        await screen.get_by_text("once-2-more", exact=True).wait_for()
        await screen.get_by_text("the shell before this has ended").wait_for()
        await at.sees(LIVE)
        await at.page.keyboard.type("exit\n")
        await at.sees(ENDED)


async def test_a_shell_that_ended_before_the_view_was_opened_can_be_followed_by_another(
    browser: "Browser", tmp_path: Path
) -> None:
    async with visiting(browser, tmp_path) as at:
        await opened(at)
        await at.page.keyboard.type("exit\n")
        await at.sees(ENDED)
        await at.page.reload()
        await at.sees(ENDED)
        await at.page.get_by_label("Terminal input").focus()
        await at.page.keyboard.type("echo back-$((1+1))\n")
        await at.page.locator(".vt-lines").get_by_text("back-2", exact=True).wait_for()


async def test_a_command_in_the_background_is_not_begun_again_by_typing(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        wanted = {"command": "printf done-%s 1", "background": True}
        began = await dispatch.call(at.gateway.gateway, LOCAL, RUN_COMMAND, wanted)
        assert began.session is not None
        await at.view(f"terminals/{began.session.id}")
        await at.page.locator(".vt.ended").wait_for()
        await at.sees("done-1")
        await at.page.get_by_label("Terminal input").focus()
        await at.page.keyboard.type("x")
        await at.sees("The background command has ended")
        assert await at.page.get_by_label("Terminal input").is_disabled()
        at.complaints.clear()  # the browser writes the refusal of that key press to its console

"""Real full-screen programs, typed into and looked at through the operations."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget
from shared.operations import terminals as operations
from shared.terminal.sessions import Sessions
from tests.support.mcp_terminal import VIM
from tests.support.terminals import make_sessions
from tests.support.typist import Typist

pytestmark = pytest.mark.slow

DIALOG = """
import curses

def main(screen):
    curses.curs_set(0)
    chosen, items = 0, ["apples", "pears", "plums"]
    while True:
        screen.erase()
        screen.box()
        screen.addstr(1, 2, "Which fruit?")
        for row, item in enumerate(items):
            screen.addstr(3 + row, 4, ("(*) " if row == chosen else "( ) ") + item)
        screen.addstr(7, 2, "-" * 20)
        screen.refresh()
        key = screen.getch()
        if key == curses.KEY_UP:
            chosen = max(0, chosen - 1)
        elif key == curses.KEY_DOWN:
            chosen = min(2, chosen + 1)
        elif key == curses.KEY_F10:
            return "none"
        elif key in (10, 13, curses.KEY_ENTER):
            return items[chosen]

print("chosen:", curses.wrapper(main))
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def typist(sessions: Sessions, tmp_path: Path) -> Typist:
    """At a shell with a little on its screen, which must be there again after each program."""
    session = await sessions.open("local", LocalTarget(cwd=str(tmp_path), env={"LESS": "", "LC_ALL": "C.UTF-8"}))
    typist = Typist(sessions, session.id)
    await typist.prompt(data="PS1='$ '\r")
    await typist.prompt(data="clear; echo was-here\r")
    return typist


async def main_screen(typist: Typist) -> list[str]:
    answer = await typist.prompt(keys="<Enter>", wait={"view": "screen"})
    assert answer["screen"]["alternate"] is False
    assert answer["screen"]["cursorVisible"] is True
    return [line for line in answer["output"] if line not in ("", "$")]


@needs(VIM)
async def test_a_file_is_edited_in_vim(typist: Typist, tmp_path: Path) -> None:
    seen = await typist.screen("(?s)~.*~", keys=f"{VIM} -u NONE -N -i NONE poem.txt<Enter>")
    assert seen["screen"]["alternate"] is True
    assert await typist.screen("INSERT", keys="i")
    seen = await typist.screen("(?s)^rose.*^is a rose.*INSERT", keys="rose<Enter>is a rse<Left><Left>o<C-o>A<<3")
    assert seen["output"][:3] == ["rose", "is a rose<3", "~"]
    assert (seen["screen"]["cursorRow"], seen["screen"]["cursorCol"]) == (1, 11)
    await typist.screen("(?s)^~[^I]*$", keys="<Esc>")
    await typist.prompt(keys=":wq<Enter>")
    assert (tmp_path / "poem.txt").read_text() == "rose\nis a rose<3\n"
    shown = await main_screen(typist)
    assert shown == ["was-here", f"$ {VIM} -u NONE -N -i NONE poem.txt"]


@needs("less")
async def test_less_is_paged_and_searched(typist: Typist, tmp_path: Path) -> None:
    (tmp_path / "numbers").write_text("".join(f"number {number}\n" for number in range(1, 201)))
    seen = await typist.screen("^number 23$", keys="less numbers<Enter>")
    assert seen["output"][0] == "number 1"
    assert seen["screen"]["alternate"] is True
    seen = await typist.screen("^number 46$", keys="<PageDown>")
    seen = await typist.screen("^number 200$", keys="G")
    assert seen["output"][0] == "number 178"
    seen = await typist.screen("^number 1$", keys="<Home>g")
    seen = await typist.screen("^number 155$", keys="/155<Enter>")
    assert seen["output"][0] == "number 155"
    await typist.prompt(keys="q")
    assert await main_screen(typist) == ["was-here", "$ less numbers"]


@needs("top")
async def test_top_shows_itself_and_leaves(typist: Typist) -> None:
    seen = await typist.screen(r"(?s)load average.*PID\s+USER", keys="top -d 1<Enter>")
    assert seen["output"][0].startswith("top - ")
    still = await typist.send(wait={"for": "screen", "quietMs": 10, "timeoutMs": 5000, "view": "diff"})
    assert still["reason"] == "screen"
    assert seen["screen"]["alternate"] is False
    left = await typist.prompt(keys="q", wait={"view": "screen"})
    assert left["screen"]["cursorVisible"] is True
    assert left["output"][-1] == "$"
    assert left["output"][5].split()[:2] == ["PID", "USER"]  # this program leaves its last picture on the main screen


@needs("top")
async def test_top_in_batches_is_plain_output(typist: Typist) -> None:
    answer = await typist.prompt(data="top -b -n 2 -d 0.2 | grep -c 'load average'\r")
    assert "\n2\n" in answer["output"][0]


async def test_a_python_dialogue_is_held(typist: Typist) -> None:
    env = "PYTHON_BASIC_REPL=1 NO_COLOR=1"
    assert (await typist.prompt(keys=f"{env} {sys.executable} -q<Enter>"))["match"] == ">>>"
    answer = await typist.prompt(keys="sum(range(10))<Enter>")
    assert "\n45\n" in answer["output"][0]
    await typist.send(
        keys="import time; print('asleep'); time.sleep(60)<Enter>", wait={"for": "output", "pattern": "^asleep$"}
    )
    answer = await typist.prompt(keys="<C-c>")
    assert "KeyboardInterrupt" in answer["output"][0]
    assert "was-here" in str((await typist.prompt(keys="<C-d>", wait={"view": "screen"}))["output"])


@needs("git")
@needs("less")
async def test_a_log_is_read_in_a_pager(typist: Typist, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q", "repository"], cwd=tmp_path, env=env, check=True)
    for number in range(30):
        commit = ["git", *who, "commit", "-q", "--allow-empty", "-m", f"change {number}"]
        subprocess.run(commit, cwd=tmp_path / "repository", env=env, check=True)
    await typist.prompt(data="cd repository\r")
    seen = await typist.screen("(?s)^ +change 29.*\n:", keys="GIT_PAGER=less git log<Enter>")
    assert seen["screen"]["alternate"] is True
    await typist.screen("^ +change 0$", keys="<End>G")
    await typist.prompt(keys="q")
    assert "$ GIT_PAGER=less git log" in await main_screen(typist)


async def test_a_dialog_is_answered(typist: Typist, tmp_path: Path) -> None:
    (tmp_path / "dialog.py").write_text(DIALOG)
    seen = await typist.screen(r"(?s)\(\*\) apples.*-{20}", data=f"{sys.executable} dialog.py\r")
    assert seen["screen"]["alternate"] is True
    assert seen["screen"]["cursorVisible"] is False
    assert (
        seen["output"][0]
        == "\N{BOX DRAWINGS LIGHT DOWN AND RIGHT}"
        + "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 78
        + "\N{BOX DRAWINGS LIGHT DOWN AND LEFT}"
    )
    assert seen["output"][1].startswith("\N{BOX DRAWINGS LIGHT VERTICAL} Which fruit?")
    moved = await typist.screen(r"\(\*\) plums", keys="<Down><Down>", wait={"view": "diff"})
    assert moved["rows"] == [3, 5]
    assert [row.strip("\N{BOX DRAWINGS LIGHT VERTICAL} ") for row in moved["output"]] == ["( ) apples", "(*) plums"]
    answer = await typist.prompt(keys="<Up><Enter>")
    assert "chosen: pears" in answer["output"][0]
    shown = await main_screen(typist)
    assert shown[0] == "was-here"
    assert shown[-1] == "chosen: pears"
    await typist.screen(r"\(\*\) apples", data=f"{sys.executable} dialog.py\r")
    assert "chosen: none" in (await typist.prompt(keys="<F10>"))["output"][0]


async def test_a_dialog_follows_the_size(typist: Typist, tmp_path: Path) -> None:
    (tmp_path / "dialog.py").write_text(DIALOG)
    await typist.screen(r"\(\*\) apples", data=f"{sys.executable} dialog.py\r")
    await typist.call(operations.RESIZE_TERMINAL, cols=40, rows=12)
    seen = await typist.screen("(?m)^.{39}\N{BOX DRAWINGS LIGHT UP AND LEFT}$", keys="<Up>")
    assert len(seen["output"]) == 12
    await typist.prompt(keys="<Enter>")
    assert (await main_screen(typist))[0] == "was-here"


async def test_a_program_that_asks_for_a_password_on_the_terminal_gets_it(typist: Typist, tmp_path: Path) -> None:
    program = "import getpass; print(len(getpass.getpass('[sudo] password for me: ')))"
    (tmp_path / "ask.py").write_text(program)
    asked = await typist.prompt(ready="password", data=f"{sys.executable} ask.py\r")
    assert asked["match"] == "[sudo] password for me:"
    answer = await typist.prompt(data="hunter2\r")
    assert "\n7\n" in answer["output"][0]
    assert "hunter2" not in str(await typist.read(cursor=0, strip=True))

"""The page's own rendering of a terminal, compared with the screen that the gateway renders from the same output."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import pytest

from tests.support.browser import Visit, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.slow

PROGRAMS = {
    "cursor movements": r"\033[2J\033[5;10Hfive\033[3Aup\033[2B\033[4Ddown\033[Gfirst\033[12Gtwelve\033[3d\033[6eX\033[2Ee\033[Ff",
    "erasing": r"\033[2J\033[1;1Habcdefghij\033[1;4H\033[K\033[2;1Habcdefghij\033[2;4H\033[1K\033[3;1Habc\033[2K\033[4;1Habcdef\033[4;2H\033[3X",
    "inserting and deleting": r"\033[2J\033[1;1H12345\033[1;2H\033[2@ab\033[2;1H12345\033[2;2H\033[2P\033[3;1Hthree\r\nfour\r\nfive\033[4;1H\033[Lnew\033[3;1H\033[M",
    "margins": r"\033[2J\033[2;5r\033[2;1Ha\r\nb\r\nc\r\nd\r\ne\r\nf\033[2;1H\033M\033[3S\033[T\033[r\033[9;1Hend",
    "origin mode": r"\033[2J\033[3;6r\033[?6h\033[1;1Htop\033[4;1Hlast\033[?6l\033[1;1Hhome\033[r",
    "wrapping": r"\033[2J\033[1;1H\033[?7l\033[999Cxyz\033[?7h\033[2;1H\033[999Cxyz",
    "wide and combining characters": "\\033[2J\\033[1;1H日本語|e\u0301|👍|\\033[2;1H日本\\033[2;2Hx\\033[3;1H\\033[999C日本",
    "tabs": r"\033[2J\033[1;1Ha\tb\tc\033[3g\033[2;1H\033[5C\033H\033[2;1H\tx\033[Zy",
    "line drawing": r"\033[2J\033[1;1H\033(0lqqk\033(B plain \033)0\016x\017 x",
    "saved cursors": r"\033[2J\033[4;4H\0337\033[8;8Haway\0338back\033[s\033[9;9Hx\033[uy",
    "repeats": r"\033[2J\033[1;1Hab\033[5bc",
    "insert mode": r"\033[2J\033[1;1Hworld\033[1;1H\033[4hhello \033[4l",
    "strings that are not shown": r"\033[2J\033[1;1Ha\033]2;title\007b\033P1$r\033\\c\033_x\033\\d\033[?1;2;3;4xe",
    "the other screen and back": r"\033[2J\033[1;1Hmain\033[?1049h\033[3;3Hother\033[?1049l after",
    "the other screen": r"\033[2J\033[1;1Hmain\033[?1049h\033[2J\033[3;3Hother",
}


async def settled(at: Visit, session: str, mark: str) -> tuple[list[str], list[str]]:
    """What the page and the gateway show once the mark is there."""
    await at.page.locator(".vt-lines").get_by_text(mark).first.wait_for()
    ours = await at.page.locator(".vt-lines .vt-line").all_inner_texts()
    answer = await at.gateway.http.get(f"/v1/terminal/{session}/output?view=screen&cursor=0")
    return [plain(line) for line in ours], [plain(line) for line in answer.json()["output"]]


def plain(line: str) -> str:
    """Without blanks at the end, and with marks in the letters that they belong to."""
    return normalize("NFC", line).rstrip()


async def test_the_page_shows_what_the_gateway_renders(browser: "Browser", tmp_path: Path) -> None:
    async with visiting(browser, tmp_path) as at:
        opened = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "shell": "/bin/sh"})
        session = opened.json()["session"]["id"]
        await at.view(f"terminals/{session}")
        await at.page.get_by_text(re.compile("^live$")).wait_for()
        different = {}
        for number, (name, program) in enumerate(PROGRAMS.items()):
            command = f"stty -echo; PS1=; printf '%b' '{program}\\033[r\\033[20;1H'; printf 'mark%s\\n' {number}.\n"
            await at.gateway.http.post(f"/v1/terminal/{session}/send", json={"data": command})
            page, gateway = await settled(at, session, f"mark{number}.")
            if page != gateway:
                different[name] = [pair for pair in zip(page, gateway, strict=False) if pair[0] != pair[1]]
            await at.gateway.http.post(f"/v1/terminal/{session}/send", json={"data": "printf '\\033c'\n"})
        assert different == {}

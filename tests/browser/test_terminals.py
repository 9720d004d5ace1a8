"""Terminals of the dashboard: a live shell, pastes, copies, search, tabs, recordings, and what happens when the shell ends."""

import json
import re
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from shared.domain.identity import LOCAL
from shared.operations import dispatch
from shared.operations.terminals import RUN_COMMAND
from tests.support.browser import Visit
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server

pytestmark = pytest.mark.slow

SETTINGS = {"ssh_host_keys": "ask"}
CODE = "482913"
QUESTIONS = ("Password: ", "Verification \u202ecode: ")
LIVE = re.compile("^live$")
ENDED = re.compile("typing starts a new one")
ROWS = """
() => [...document.querySelectorAll("section:not([hidden]) .xterm-rows > div")].map((row) => row.textContent)
"""
SHOWS = f"(text) => ({ROWS})().join('\\n').includes(text)"
PROGRAMS = {
    "cursor movements": r"\033[2J\033[5;10Hfive\033[3Aup\033[2B\033[4Ddown\033[Gfirst\033[12Gtwelve\033[3d\033[6eX\033[2Ee\033[Ff",
    "erasing": r"\033[2J\033[1;1Habcdefghij\033[1;4H\033[K\033[2;1Habcdefghij\033[2;4H\033[1K\033[3;1Habc\033[2K\033[4;1Habcdef\033[4;2H\033[3X",
    "inserting and deleting": r"\033[2J\033[1;1H12345\033[1;2H\033[2@ab\033[2;1H12345\033[2;2H\033[2P\033[3;1Hthree\r\nfour\r\nfive\033[4;1H\033[Lnew\033[3;1H\033[M",
    "margins": r"\033[2J\033[2;5r\033[2;1Ha\r\nb\r\nc\r\nd\r\ne\r\nf\033[2;1H\033M\033[3S\033[T\033[r\033[9;1Hend",
    "wide and combining characters": "\\033[2J\\033[1;1H日本語|e\u0301|👍|\\033[3;1H\\033[999C日本",
    "line drawing": r"\033[2J\033[1;1H\033(0lqqk\033(B plain \033)0\016x\017 x",
    "the other screen": r"\033[2J\033[1;1Hmain\033[?1049h\033[2J\033[3;3Hother",
}


async def opened(at: Visit, **wanted: Any) -> str:
    """A local session, with its view open."""
    answer = await at.gateway.http.post("/v1/terminal/sessions", json={"type": "local", "shell": "/bin/sh", **wanted})
    session = str(answer.json()["session"]["id"])
    await at.view(f"terminals/{session}")
    await at.sees(LIVE)
    return session


async def shows(at: Visit, text: str) -> None:
    await at.page.wait_for_function(SHOWS, arg=text)


async def paste(at: Visit, text: str) -> None:
    await at.page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
    await at.page.keyboard.press("Control+v")


async def test_someone_types_copies_pastes_searches_and_the_shell_goes_on(at: Visit) -> None:
    page = at.page
    await opened(at)
    await page.keyboard.type("PS1=; echo word-$((40+2))\n")
    await shows(at, "word-42")
    # Ctrl+C copies while text is selected, and interrupts otherwise
    await page.locator(".xterm-rows").get_by_text("word-42", exact=True).dblclick(force=True)
    await page.keyboard.press("Control+c")
    await at.sees("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == "word-42"
    await page.keyboard.type("sleep 1000; echo not-$((1+1))\n")
    await page.keyboard.press("Control+c")
    await page.keyboard.type("echo after-$((1+1))\n")
    await shows(at, "after-2")
    # one line is pasted at once, several after a question
    await paste(at, "echo one-$((1+1))")
    await shows(at, "echo one-$((1+1))")
    await page.keyboard.press("Control+u")
    await paste(at, "echo first-$((1+1))\necho second-$((1+1))\n")
    await page.get_by_role("dialog", name="Paste 2 lines?").get_by_role("button", name="Cancel").click()
    await paste(at, "echo third-$((1+1))\necho fourth-$((1+1))\n")
    await page.get_by_role("dialog", name="Paste 2 lines?").get_by_role("button", name="Paste").click()
    await shows(at, "echo fourth-$((1+1))")
    assert not await page.evaluate(SHOWS, "second-2")
    # search, links, leaving by keyboard
    await page.keyboard.press("Control+Shift+f")
    await page.get_by_role("searchbox", name="Search the scrollback").fill("word")
    await page.keyboard.press("Escape")
    await page.keyboard.type(
        r"printf '\033]8;;javascript:alert(1)\033\\bad\033]8;;\033\\ https://example.test/x \n'" + "\n"
    )
    await shows(at, "bad https")
    await page.keyboard.press("Shift+F6")
    assert await page.evaluate("document.activeElement.textContent") == "Ctrl+C"


async def test_output_cannot_type(at: Visit) -> None:
    """Queries that terminals answer, such as where the cursor is, get no answer from the page."""
    sent: list[str] = []
    at.page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
    await opened(at)
    queries = r"printf '\033[6n\033[c\033[>c\033[5n\033]10;?\007\033P$qm\033\\\005\033[21t\033]52;c;?\007'; echo after-$((1+1))"
    await at.page.keyboard.type(queries + "\n")
    await shows(at, "after-2")
    typed = [json.loads(text)["data"] for text in sent if '"input"' in text]
    assert "".join(typed) == queries + "\r"


async def test_a_lost_connection_is_resumed_without_repeating_output(at: Visit) -> None:
    connections: list[Any] = []

    def through(route: Any) -> None:
        route.connect_to_server()
        connections.append(route)

    address = re.compile("/ws")
    await at.page.route_web_socket(address, through)
    await at.page.reload()  # a page that is already open keeps the browser's own WebSocket
    session = await opened(at)
    await at.page.keyboard.type("PS1=; echo before-$((1+1))\n")
    await shows(at, "before-2")
    await connections[-1].close(code=3000)
    await at.sees("reconnecting")
    await at.gateway.http.post(f"/v1/terminal/{session}/send", json={"data": "echo away-$((1+1))\n"})
    await at.sees(LIVE)
    await shows(at, "away-2")
    screen = "\n".join(await at.page.evaluate(ROWS))
    assert (screen.count("before-2"), screen.count("away-2"), len(connections)) == (1, 1, 2)


async def test_terminals_have_tabs_that_keep_their_output(at: Visit) -> None:
    page = at.page
    first = await opened(at, title="first")
    await page.keyboard.type("PS1=; echo before-$((1+1))\n")
    await shows(at, "before-2")
    await page.evaluate("window.kept = true")
    await page.get_by_role("button", name="Open a local terminal").click()
    await page.wait_for_function("(id) => !location.pathname.endsWith(id)", arg=first)
    tabs = page.get_by_role("navigation", name="Terminal tabs")
    await tabs.get_by_role("link", name="This machine").wait_for()
    await page.get_by_role("button", name="Split").click()
    await page.wait_for_function("document.querySelectorAll('.live:not([hidden])').length === 2")
    await tabs.get_by_role("link", name="first").click()
    await shows(at, "before-2")
    assert await page.evaluate("window.kept") is True
    await page.get_by_role("button", name="A+ larger font").click()
    await page.get_by_label("Colours").select_option("Light")
    await page.get_by_role("button", name="Close the session").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).last.click()
    await at.sees("The session is closed.")


async def test_typing_after_the_shell_has_ended_starts_another_one(at: Visit) -> None:
    await opened(at)
    await at.page.keyboard.type("exit 3\n")
    await at.sees(ENDED)
    await at.sees("Its exit code was 3.")
    await at.page.reload()
    await at.sees(ENDED)
    await at.page.get_by_label("Terminal input").focus()
    await at.page.keyboard.type("echo once-$((1+1))-more\n")
    await shows(at, "once-2-more")
    await at.sees(LIVE)


async def test_a_command_in_the_background_is_not_begun_again_by_typing(at: Visit) -> None:
    wanted = {"command": "printf done-%s 1", "background": True}
    began = await dispatch.call(at.gateway.gateway, LOCAL, RUN_COMMAND, wanted)
    assert began.session is not None
    await at.view(f"terminals/{began.session.id}")
    await shows(at, "done-1")
    await at.page.get_by_text(LIVE).wait_for(state="hidden")
    await at.page.get_by_label("Terminal input").focus()
    await at.page.keyboard.type("x")
    await at.sees("The background command has ended")
    assert await at.page.get_by_label("Terminal input").is_disabled()
    at.complaints.clear()  # the browser writes the refusal of that key press to its console


async def test_an_ssh_host_is_trusted_asks_for_a_code_and_has_files(at: Visit, tmp_path: Path) -> None:
    page = at.page
    (tmp_path / "ssh").mkdir()
    async with running_ssh_server(tmp_path / "ssh", questions=QUESTIONS, code=CODE) as server:
        host = f"127.0.0.1:{server.port}"
        for known in (False, True):
            await at.view("terminals")
            await page.get_by_role("button", name="Other host").click()
            form = page.get_by_role("dialog", name="Open a terminal")
            await form.get_by_label("Host").fill("127.0.0.1")
            await form.get_by_label("Port").fill(str(server.port))
            await form.get_by_role("textbox", name="User").fill(USER)
            await form.locator("input[type=password]").first.fill(PASSWORD)
            await form.get_by_role("button", name="Open", exact=True).click()
            if not known:
                await form.get_by_text("under Approvals").wait_for()
                await at.view("approvals")
                card = page.get_by_role("region", name=f"Trust the host key of {host}?")
                assert await card.get_by_label("Fingerprint").inner_text() == server.fingerprints[0]
                await card.get_by_role("button", name="Approve").click()
                await at.sees("Approved: the next connection")
        asks = page.get_by_role("dialog", name=f"{USER}@{host} asks")
        field = asks.get_by_label(r"Verification \u202ecode:")
        assert await field.get_attribute("type") == "password"
        await field.fill(CODE)
        await asks.get_by_role("button", name="Answer").click()
        await page.get_by_text(LIVE).wait_for()
        await page.get_by_role("button", name="Files").click()
        sent = {"name": "up.bin", "mimeType": "application/octet-stream", "buffer": bytes(range(256)) * 8192}
        await page.get_by_label("Choose a file to upload").set_input_files(files=[sent])
        await at.sees("up.bin is uploaded.")
        async with page.expect_download() as saving:
            await page.get_by_role("button", name="Download up.bin").click()
        saved = Path(await (await saving.value).path())
        assert saved.read_bytes() == sent["buffer"]


async def test_a_recording_is_played_and_searched(at: Visit) -> None:
    page, http = at.page, at.gateway.http
    session = await opened(at, record=True, title="demo")
    await page.keyboard.type("PS1=; echo needle-$((1+1))\n")
    await shows(at, "needle-2")
    await http.delete(f"/v1/terminal/{session}")
    await at.view("terminals")
    await page.get_by_role("button", name=f"Play {session}").click()
    await page.get_by_label("Find text").fill("needle-2")
    await at.sees("1 match")
    await page.keyboard.press("Enter")
    await shows(at, "needle-2")
    await page.get_by_label("Speed").select_option("16")
    await page.get_by_role("button", name="Play", exact=True).click()


async def test_the_page_shows_what_the_gateway_renders(at: Visit) -> None:
    session = await opened(at)
    http = at.gateway.http
    different = {}
    for number, (name, program) in enumerate(PROGRAMS.items()):
        command = f"stty -echo; PS1=; printf '%b' '{program}\\033[r\\033[20;1H'; printf 'mark%s\\n' {number}.\n"
        await http.post(f"/v1/terminal/{session}/send", json={"data": command})
        await shows(at, f"mark{number}.")
        page = [plain(line) for line in await at.page.evaluate(ROWS)]
        answer = await http.get(f"/v1/terminal/{session}/output?view=screen&cursor=0")
        gateway = [plain(line) for line in answer.json()["output"]]
        if page != gateway:
            different[name] = [pair for pair in zip(page, gateway, strict=False) if pair[0] != pair[1]]
        await http.post(f"/v1/terminal/{session}/send", json={"data": "printf '\\033c'\n"})
    assert different == {}


def plain(line: str) -> str:
    """Without blanks at the end, and with marks in the letters that they belong to."""
    return normalize("NFC", line.replace("\xa0", " ")).rstrip()

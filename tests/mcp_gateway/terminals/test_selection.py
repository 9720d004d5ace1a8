"""What is selected in real menus is seen by a model, and by a client over REST."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.gateway import Gateway
from tests.support.http_gateway import surface
from tests.support.mcp_stack import client_of
from tests.support.mcp_terminal import Model, needs

MENU = """
import curses

def main(screen):
    curses.curs_set(0)
    chosen, items = 0, ["apples", "pears", "plums"]
    while True:
        screen.erase()
        screen.addstr(0, 2, "Which fruit?", curses.A_BOLD | curses.A_UNDERLINE)
        for row, item in enumerate(items):
            screen.addstr(2 + row, 4, f" {item:10} ", curses.A_REVERSE if row == chosen else 0)
        screen.refresh()
        key = screen.getch()
        if key in (10, 13):
            return items[chosen]
        chosen = max(0, min(2, chosen + (key == curses.KEY_DOWN) - (key == curses.KEY_UP)))

print("chosen:", curses.wrapper(main))
"""


@pytest.fixture
async def model(gateway: Gateway) -> AsyncIterator[Model]:
    async with client_of(gateway) as client:
        model = Model(client)
        await model.plain_shell()
        yield model


async def test_the_selected_row_of_a_menu_is_marked_and_a_move_is_a_change(model: Model, tmp_path: Path) -> None:
    script = tmp_path / "menu.py"
    script.write_text(MENU)
    await model.sees("plums", f"{sys.executable} {script}", "<Enter>")
    shown = await model.read(view="screen")
    assert "▶apples◀" in shown["text"]
    assert shown["text"].count("▶") == 1
    moved = await model.send(keys="<Down>", view="diff")
    assert moved["text"].splitlines() == ["2:      apples", "3:      ▶pears◀"]
    assert "attributes" not in moved
    asked = await model.read(view="screen", attributes=True)
    [span] = [span for span in asked["attributes"] if span.get("highlight")]
    assert (span["row"], span["text"].strip(), span["reverse"]) == (3, "pears", True)
    assert (await model.leaves("<Enter>"))["text"].startswith("chosen: pears")


async def test_attributes_are_told_over_rest_on_demand(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}"
        typed = r"clear; printf '\033[1;4;31mred\033[0m plain \033[7m漢x\033[0m end\n'"
        wait = {"for": "output", "pattern": "^red plain", "view": "diff", "attributes": True}
        sent = (await made.http.post(f"{path}/send", json={"data": f"{typed}\n", "wait": wait})).json()
        shown = (await made.http.get(f"{path}/output?view=screen&attributes=true")).json()
        row = shown["output"].index("red plain 漢x end")
        spans = [span for span in shown["attributes"] if span["row"] == row]
        assert spans == [
            {"row": row, "start": 0, "end": 3, "text": "red", "bold": True, "underline": True, "color": "red"},
            {"row": row, "start": 10, "end": 12, "text": "漢x", "highlight": True, "reverse": True},
        ]
        assert spans[0] in sent["attributes"]
        assert "attributes" not in (await made.http.get(f"{path}/output?view=screen")).json()


def marked(result: dict[str, Any]) -> list[str]:
    """The texts between marks."""
    return [part.split("◀")[0] for part in result["text"].split("▶")[1:]]


@needs("dialog")
async def test_a_menu_of_dialog_is_driven(model: Model) -> None:
    command = (
        "dialog --backtitle Installer --title Disk --menu 'Which disk?' 12 40 3 a first b second c third; echo =$?"
    )
    await model.sees("<Cancel>", command, "<Enter>")
    assert any("first" in text for text in marked(await model.read(view="screen")))
    moved = await model.send(keys="<Down>", view="screen")
    assert moved["waitEnded"] == "screen"
    found = marked(moved)
    assert any("second" in text for text in found)
    assert not any(word in text for text in found for word in ("first", "third", "Installer", "Disk", "Cancel"))
    assert any("OK" in text or "Cancel" in text for text in marked(await model.send(keys="<Tab>")))
    await model.sees("^=", keys="<Esc>")


@needs("whiptail")
async def test_a_menu_of_whiptail_is_driven(model: Model) -> None:
    command = (
        "whiptail --backtitle Installer --title Disk --menu 'Which disk?' 12 40 3 a first b second c third; echo =$?"
    )
    await model.sees("<Cancel>", command, "<Enter>")
    moved = await model.send(keys="<Down>", view="screen")
    assert moved["waitEnded"] == "screen"
    found = marked(moved)
    assert any("second" in text for text in found)
    assert not any(word in text for text in found for word in ("first", "third", "Installer", "Cancel"))
    assert any("Ok" in text for text in marked(await model.send(keys="<Tab>")))
    await model.sees("^=", keys="<Esc>")


@needs("fzf")
async def test_a_list_of_fzf_is_driven(model: Model) -> None:
    await model.sees("3/3", r"printf 'apples\npears\nplums\n' | fzf", "<Enter>")
    assert any("apples" in text for text in marked(await model.read(view="screen")))
    moved = await model.send(keys="<Up>", view="screen")
    assert any("pears" in text for text in marked(moved))
    assert not any("apples" in text for text in marked(moved))
    await model.leaves("<Esc>")

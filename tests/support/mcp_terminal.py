"""A model at a terminal: it calls the tools over any client, and what it must read is counted."""

import json
import shutil
from typing import Any

import pytest
from mcp import Client

from tests.support.mcp_stack import facts_of, text_of

CHARACTERS_OF_A_TOKEN = 4
MOST_TOKENS_OF_A_RESULT = 8_000

DIALOG = """
import curses

def ask(screen, question, items):
    chosen = 0
    while True:
        screen.erase()
        screen.box()
        screen.addstr(1, 2, question)
        for row, item in enumerate(items):
            screen.addstr(3 + row, 4, ("(*) " if row == chosen else "( ) ") + item)
        screen.refresh()
        key = screen.getch()
        if key == curses.KEY_UP:
            chosen = max(0, chosen - 1)
        elif key == curses.KEY_DOWN:
            chosen = min(len(items) - 1, chosen + 1)
        elif key in (10, 13, curses.KEY_ENTER):
            return items[chosen]

def main(screen):
    curses.curs_set(0)
    return [ask(screen, "Which disk?", ["sda", "sdb", "sdc"]), ask(screen, "Erase it?", ["no", "yes"])]

print("installed:", *curses.wrapper(main))
"""
"""An installer: two pages of a dialog, then a line on the main screen."""


VIM = next(filter(shutil.which, ("vim", "vim.basic", "vim.tiny", "nvim")), "vim")
"""Whichever of its names it has here."""


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where that program is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


class Model:
    """A model with one session. `tokens` is what it had to read so far, `said` all of it."""

    def __init__(self, client: Client) -> None:
        self.id = ""
        self.said = ""
        self._client = client

    @property
    def tokens(self) -> int:
        return len(self.said) // CHARACTERS_OF_A_TOKEN

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        facts = facts_of(await self._client.call_tool(tool, arguments))
        self._read(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))
        return facts

    async def refused(self, tool: str, **arguments: Any) -> str:
        """What it is told of a call that fails."""
        result = await self._client.call_tool(tool, arguments)
        assert result.is_error
        self._read(text_of(result))
        return text_of(result)

    async def open(self, **arguments: Any) -> dict[str, Any]:
        opened = await self.call("open_terminal", **arguments)
        self.id = opened["sessionId"]
        return opened

    async def plain_shell(self, **arguments: Any) -> None:
        """Open a session whose prompt is `$ `."""
        await self.open(**arguments)
        assert (await self.send("PS1='$ '"))["match"] == "$"

    async def send(self, text: str | None = None, keys: str = "<Enter>", **arguments: Any) -> dict[str, Any]:
        typed = {"keys": keys, **({} if text is None else {"text": text})}
        return await self.call("send_to_terminal", sessionId=self.id, **typed, **arguments)

    async def leaves(self, keys: str) -> dict[str, Any]:
        """Type what ends a full-screen program, and read on until it is back at the prompt, as models do."""
        found = await self.send(keys=keys)
        if found["match"] != "$":
            found = await self.read(cursor=found["cursor"], waitSeconds=10, pattern=r"^\$ ?$")
        assert found["fullScreen"] is False
        return found

    async def sees(self, pattern: str, text: str | None = None, keys: str = "", **arguments: Any) -> dict[str, Any]:
        """Type, and wait for what matches."""
        typed = {**({"keys": keys} if keys else {}), **({} if text is None else {"text": text})}
        found = await self.call("send_to_terminal", sessionId=self.id, pattern=pattern, **typed, **arguments)
        assert found["waitEnded"] == "matched", found
        return found

    async def read(self, **arguments: Any) -> dict[str, Any]:
        return await self.call("read_terminal", sessionId=self.id, **arguments)

    async def run(self, command: str, **arguments: Any) -> dict[str, Any]:
        return await self.call("run_command", command=command, **arguments)

    async def close(self) -> None:
        assert (await self.call("close_terminal", sessionId=self.id))["closed"] is True

    def _read(self, text: str) -> None:
        assert len(text) / CHARACTERS_OF_A_TOKEN < MOST_TOKENS_OF_A_RESULT
        self.said += text

"""Waiting for a shell to have said what a caller waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.domain.waits import WaitEnd, WaitFor
from shared.terminal import prompts
from shared.terminal.display import Display
from shared.terminal.patterns import Pattern
from shared.terminal.scrollback import Scrollback
from shared.terminal.sequences import plain

OVERLAP = 8 * 1024
"""Characters that are searched again, for a match that has come in parts; a longer match may be missed."""
PAUSE = 0.05
"""Seconds between two renderings of a screen that keeps changing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to wait for, and how long; times are seconds. `fresh` asks for something new, not for what is there."""

    kind: WaitFor
    timeout: float
    quiet: float
    pattern: Pattern | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why the wait is over, and the text that it was waited for."""

    reason: WaitEnd
    match: str | None = None


class Waiting:
    """A wait for what comes after a cursor."""

    def __init__(
        self,
        scrollback: Scrollback,
        display: Display,
        after: int,
        look: Callable[[str], prompts.Ready | None] = prompts.look,
    ) -> None:
        self._scrollback = scrollback
        self._display = display
        self._after = after
        self._look = look

    async def until(self, wanted: Wanted) -> Outcome:
        """Wait. The time given is never exceeded by more than it takes to look once."""
        kinds: dict[WaitFor, Callable[[Wanted], Awaitable[Outcome | None]]] = {
            "output": self._output,
            "prompt": self._prompt,
            "exit": self._exit,
            "silence": self._silence,
            "screen": self._still,
        }
        try:
            async with asyncio.timeout(wanted.timeout) as limit:
                return await kinds[wanted.kind](wanted) or Outcome("exit")
        except TimeoutError:
            if not limit.expired():
                raise
            return Outcome("timeout")

    async def _output(self, wanted: Wanted) -> Outcome | None:
        scrollback, looked = self._scrollback, self._after
        while True:
            if wanted.pattern is None:
                if scrollback.end > self._after:
                    return Outcome("output")
            elif scrollback.end > looked or looked == self._after:
                text, looked = self._text_from(looked)
                if (match := await wanted.pattern.search(text)) is not None:
                    return Outcome("matched", match)
            if scrollback.ended and looked >= scrollback.end:
                return None
            await scrollback.wait(looked)

    def _text_from(self, looked: int) -> tuple[str, int]:
        """What is to be searched, a carriage return being the end of a line, and the cursor after it."""
        begin = max(self._after, looked - OVERLAP)
        part = self._scrollback.read(begin)
        text = part.text
        if begin > self._after or part.dropped:
            text = text[text.find("\n", 0, OVERLAP // 2) + 1 :]  # so that ^ is the beginning of a line
        return plain(text).replace("\r", "\n"), part.cursor

    async def _prompt(self, wanted: Wanted) -> Outcome | None:
        scrollback = self._scrollback
        while True:
            if not wanted.fresh or scrollback.end > self._after:
                new = wanted.fresh or scrollback.end > self._after  # an old mark says nothing of what came behind it
                begin = max(self._after if new else 0, scrollback.end - OVERLAP)
                if prompts.marked(scrollback.read(begin).text):
                    return Outcome("prompt", (await self._last_line()).strip())
                if await self._quiet(wanted.quiet):
                    line = await self._last_line()
                    if ready := self._look(line):
                        return Outcome(ready, line.strip())
                    await scrollback.wait(scrollback.end)
            else:
                await scrollback.wait(scrollback.end)
            if scrollback.ended:
                return None

    async def _last_line(self) -> str:
        """The row that the cursor is in, up to the cursor."""
        await self._display.refresh()
        return self._display.line

    async def _exit(self, _: Wanted) -> Outcome | None:
        while not self._scrollback.ended:
            await self._scrollback.wait(self._scrollback.end)
        return None

    async def _silence(self, wanted: Wanted) -> Outcome | None:
        while not self._scrollback.ended:
            if await self._quiet(wanted.quiet):
                return Outcome("silence")
        return None

    async def _still(self, wanted: Wanted) -> Outcome | None:
        """Until the screen matches, or, without a pattern, until it has not changed for a while."""
        shown = (await self._display.view()).look
        since = asyncio.get_running_loop().time()
        while True:
            if wanted.pattern is not None:
                if (match := await wanted.pattern.search("\n".join(shown.lines))) is not None:
                    return Outcome("matched", match)
                await self._scrollback.wait(self._display.cursor)
            elif await self._quiet(since + wanted.quiet - asyncio.get_running_loop().time(), self._display.cursor):
                return Outcome("screen")
            if self._scrollback.ended and self._display.cursor >= self._scrollback.end:
                return None
            look = (await self._display.view()).look
            if look != shown:
                shown, since = look, asyncio.get_running_loop().time()
            await asyncio.sleep(PAUSE)

    async def _quiet(self, seconds: float, after: int | None = None) -> bool:
        """Whether nothing came for so long."""
        after = self._scrollback.end if after is None else after
        try:
            await asyncio.wait_for(self._scrollback.wait(after), max(seconds, 0))
        except TimeoutError:
            return True
        return False

"""Somebody at one terminal session, through either door, with the same words for what is typed, waited for and seen.

Every wait is bounded, and fails the test when it ends for another reason than expected.
"""

import re
from dataclasses import dataclass
from typing import Any

from tests.support.doors import McpDoor, RestDoor

SECONDS = 10


@dataclass(frozen=True)
class Seen:
    """What came. `text` is without control sequences, with `\\n` for line ends."""

    text: str
    reason: str
    match: str | None
    cursor: int
    connected: bool


class Hands:
    """At one session. Subclasses say how each door is asked."""

    def __init__(self, door: Any, session: str) -> None:
        self.door = door
        self.id = session

    async def ready(self, text: str = "", keys: str = "", *, reason: str = "prompt-like", **more: Any) -> Seen:
        """Type, and wait for a prompt."""
        return self._expect(await self.types(text, keys, wait="ready", **more), reason)

    async def until(self, pattern: str, text: str = "", keys: str = "", **more: Any) -> Seen:
        """Type, and wait for output that matches."""
        return self._expect(await self.types(text, keys, pattern=pattern, **more), "matched")

    async def silent(self, text: str = "", keys: str = "") -> Seen:
        """Type, and wait until nothing more comes."""
        return self._expect(await self.types(text, keys, wait="silence"), "silence")

    async def end(self, text: str = "", keys: str = "") -> Seen:
        """Type, and wait for the end of the shell."""
        return self._expect(await self.types(text, keys, wait="exit"), "exit")

    async def types(
        self,
        text: str = "",
        keys: str = "",
        *,
        wait: str = "output",
        pattern: str | None = None,
        seconds: float = SECONDS,
        paste: bool = False,
    ) -> Seen:
        """Type, and wait."""
        raise NotImplementedError

    async def goes_on(self, cursor: int, pattern: str) -> Seen:
        """Wait for what matches after a cursor, typing nothing."""
        raise NotImplementedError

    async def piece(self, cursor: int, *, seconds: float = 5) -> tuple[str, int]:
        """The next part after a cursor, and the cursor after it."""
        raise NotImplementedError

    async def screen(self) -> list[str]:
        """The rows of the screen, without empty ones at the end."""
        raise NotImplementedError

    async def changes(self, text: str, pattern: str) -> dict[int, str]:
        """Type, wait for a screen that matches, and give only the rows that changed."""
        raise NotImplementedError

    async def everything(self) -> str:
        """All that was shown since the beginning."""
        return (await self.piece(0, seconds=0.01))[0]

    @staticmethod
    def _expect(seen: Seen, reason: str) -> Seen:
        assert seen.reason == reason, seen
        return seen


class RestHands(Hands):
    """POST /send and GET /output."""

    door: RestDoor

    async def types(
        self,
        text: str = "",
        keys: str = "",
        *,
        wait: str = "output",
        pattern: str | None = None,
        seconds: float = SECONDS,
        paste: bool = False,
    ) -> Seen:
        waiting = {"for": "prompt" if wait == "ready" else wait, "timeoutMs": round(seconds * 1000), "strip": True}
        return await self._send(text, keys, {**waiting, **({"pattern": pattern} if pattern else {})}, paste=paste)

    async def goes_on(self, cursor: int, pattern: str) -> Seen:
        wait = {"for": "output", "pattern": pattern, "cursor": cursor, "timeoutMs": SECONDS * 1000, "strip": True}
        return await self._send("", "", wait)

    async def piece(self, cursor: int, *, seconds: float = 5) -> tuple[str, int]:
        query = {"cursor": cursor, "waitMs": round(seconds * 1000), "strip": "true"}
        found = await self.door.call("GET", f"/{self.id}/output", params=query)
        assert found["dropped"] == 0
        return "".join(found["output"]).replace("\r\n", "\n"), found["cursor"]

    async def screen(self) -> list[str]:
        found = await self.door.call("GET", f"/{self.id}/output", params={"view": "screen"})
        assert len(found["output"]) == found["screen"]["rows"]
        return _trimmed(found["output"])

    async def changes(self, text: str, pattern: str) -> dict[int, str]:
        wait = {"for": "screen", "pattern": pattern, "view": "diff", "timeoutMs": SECONDS * 1000}
        found = await self.door.send(self.id, data=text, wait=wait)
        assert found["reason"] == "matched"
        return dict(zip(found["rows"], found["output"], strict=True))

    async def _send(self, text: str, keys: str, wait: dict[str, Any], *, paste: bool = False) -> Seen:
        typed: dict[str, Any] = {**({"data": text} if text else {}), **({"keys": keys} if keys else {})}
        found = await self.door.send(self.id, **typed, **({"paste": True} if paste else {}), wait=wait)
        shown = "".join(found["output"]).replace("\r\n", "\n")
        return Seen(shown, found["reason"], found.get("match"), found["cursor"], found["connected"])


class McpHands(Hands):
    """send_to_terminal and read_terminal."""

    door: McpDoor
    _GAP = re.compile(r"\n\[… [\d,]+ characters left out here …\]\n")

    async def types(
        self,
        text: str = "",
        keys: str = "",
        *,
        wait: str = "output",
        pattern: str | None = None,
        seconds: float = SECONDS,
        paste: bool = False,
    ) -> Seen:
        typed: dict[str, Any] = {**({"text": text} if text else {}), **({"keys": keys} if keys else {})}
        waiting = {"pattern": pattern} if pattern else {"waitFor": wait}
        if not typed:
            found = await self.door.call(
                "read_terminal", sessionId=self.id, cursor=0, waitSeconds=seconds, view="text", **waiting
            )
        else:
            found = await self.door.send(
                self.id, **typed, **({"paste": True} if paste else {}), waitSeconds=seconds, view="text", **waiting
            )
        return self._seen(found)

    async def goes_on(self, cursor: int, pattern: str) -> Seen:
        return self._seen(
            await self.door.call(
                "read_terminal", sessionId=self.id, cursor=cursor, pattern=pattern, waitSeconds=SECONDS, view="text"
            )
        )

    async def piece(self, cursor: int, *, seconds: float = 5) -> tuple[str, int]:
        found = await self.door.call(
            "read_terminal", sessionId=self.id, cursor=cursor, waitFor="output", waitSeconds=seconds, view="text"
        )
        if not found["truncated"]:
            return found["text"], found["cursor"]
        assert "are lost" not in found["note"]
        head = self._GAP.split(found["text"])[0]  # what was left out is read next, as the note says
        return head, int(found["note"].partition("cursor ")[2].split()[0])

    async def screen(self) -> list[str]:
        found = await self.door.call("read_terminal", sessionId=self.id, view="screen")
        return _trimmed(str(found["text"]).splitlines())

    async def changes(self, text: str, pattern: str) -> dict[int, str]:
        found = await self.door.send(self.id, text=text, pattern=pattern, waitSeconds=SECONDS, view="diff")
        assert found["waitEnded"] == "matched", found
        rows = (line.partition(": ") for line in str(found["text"]).splitlines())
        return {int(number): row for number, _, row in rows}

    @staticmethod
    def _seen(found: dict[str, Any]) -> Seen:
        return Seen(found["text"], found["waitEnded"], found["match"], found["cursor"], found["connected"])


def hands_of(door: RestDoor | McpDoor, session: str) -> Hands:
    """At that session, through that door."""
    return RestHands(door, session) if isinstance(door, RestDoor) else McpHands(door, session)


def _trimmed(rows: list[str]) -> list[str]:
    shown = [row.rstrip() for row in rows]
    while shown and not shown[-1]:
        shown.pop()
    return shown

"""This process among the others of its gateway: it says that it is there, and knows who else is."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import structlog

from shared.domain.nodes import TAG_LENGTH, Node, tag_of
from shared.errors import RateLimited, Unavailable

if TYPE_CHECKING:
    from sqlmodel import Session

    from shared.storage.database import Database

log = structlog.stdlib.get_logger(__name__)

BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
"""A process that has said nothing for so long has died; its sessions died with it."""
FORGET_SECONDS = 3600.0
LOOK_SECONDS = 0.25

Counts = Mapping[str, int]


class Nodes:
    """Who is there, and how many terminal sessions each owner has anywhere.

    Without an `address` this process is alone: nothing here touches the database then, and `id` is "".
    """

    def __init__(self, database: "Database", clock: Callable[[], datetime], *, address: str = "") -> None:
        self.id = token_hex(TAG_LENGTH // 2) if address else ""
        self._database = database
        self._clock = clock
        self._address = address
        self._others: dict[str, Node] = {}
        self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._counts: Callable[[], Counts] = dict
        self._changed = asyncio.Event()

    @property
    def alone(self) -> bool:
        """Whether there can be no others."""
        return not self.id

    @property
    def others(self) -> list[Node]:
        """Those that were there a moment ago."""
        return list(self._others.values())

    def watch(self, counts: Callable[[], Counts]) -> None:
        """Where to read how many sessions each owner has in this process."""
        self._counts = counts

    def changed(self) -> None:
        """There are fewer sessions now; the others should know soon."""
        self._changed.set()

    async def maker_of(self, session_id: str) -> Node | None:
        """The other process that made a session, None when it was this one or nobody knows."""
        return await self.named(tag_of(session_id))

    async def named(self, tag: str) -> Node | None:
        """The other process of that id."""
        if self.alone or tag == self.id:
            return None
        if tag not in self._others and self._clock().timestamp() - self._looked > LOOK_SECONDS:
            await self._look()  # it may have begun just now
        return self._others.get(tag)

    async def _look(self) -> None:
        """Refresh; those who ask at once share one look, since ids that nobody made cost nothing. Raises Unavailable."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.refresh())
        await asyncio.shield(self._looking)

    async def announce(self) -> None:
        """Say that this process is there. Raises Unavailable."""
        if not self.alone:
            self._take_up(await self._database.run(self._beat))

    async def refresh(self) -> None:
        """Look who else is there. Raises Unavailable."""
        if not self.alone:
            from shared.storage import node_rows

            self._take_up(await self._database.read(node_rows.every))

    async def withdraw(self) -> None:
        """Say that this process goes. Raises Unavailable."""
        if not self.alone:
            from shared.storage import node_rows

            await self._database.run(lambda session: node_rows.delete(session, self.id))

    async def run(self) -> None:
        """Say it again and again, for ever."""
        while not self.alone:
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self.announce()
            except Unavailable as error:
                log.warning("the other processes cannot be told of this one", reason=error.operator_detail)

    async def allow_one_more(
        self, owner: str, *, total: int, per_owner: int, error: Callable[[bool], RateLimited]
    ) -> None:
        """Let this process have the sessions that it counts, one more than before.

        Raises what `error` gives when that is more than all processes together may have; it is told whether it is
        the owner's own limit. Raises Unavailable.
        """
        if self.alone:
            return

        def work(session: "Session") -> dict[str, dict[str, Any]]:
            from shared.storage import exclusive

            exclusive.alone(session, exclusive.NODES)
            found = self._beat(session)
            live = [found[node_id]["sessions"] for node_id in self._live(found)] + [self._counts()]
            if sum(counts.get(owner, 0) for counts in live) > per_owner:
                raise error(True)
            if sum(sum(counts.values()) for counts in live) > total:
                raise error(False)
            return found

        self._take_up(await self._database.run(work))

    def _beat(self, session: "Session") -> dict[str, dict[str, Any]]:
        """Renew this process's row, forget those that went long ago; what all said last."""
        from shared.storage import node_rows

        now = self._clock().timestamp()
        node_rows.save(session, self.id, address=self._address, seen=now, sessions=self._counts())
        found = node_rows.every(session)
        for node_id, said in found.items():
            if now - said["seen"] > FORGET_SECONDS:
                node_rows.delete(session, node_id)
        return found

    def _live(self, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
        now = self._clock().timestamp()
        return [name for name, said in found.items() if name != self.id and now - said["seen"] <= GONE_SECONDS]

    def _take_up(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        self._looked = self._clock().timestamp()
        self._others = {name: Node(id=name, address=found[name]["address"]) for name in self._live(found)}

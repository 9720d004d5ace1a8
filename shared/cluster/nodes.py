"""This process among the others of its gateway: it says that it is there, and knows who else is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from shared.cluster import joining
from shared.cluster.heartbeats import BEAT_SECONDS, Heartbeats
from shared.domain.nodes import TAG_LENGTH, UNIX, Node, tag_of
from shared.errors import GatewayError, RateLimited, Unavailable
from shared.structured import get_logger

if TYPE_CHECKING:
    from sqlmodel import Session

    from shared.storage.database import Database

log = get_logger(__name__)

FORGET_SECONDS = 3600.0
LOOK_SECONDS = 0.25

Counts = Mapping[str, int]


class Nodes:
    """Who is there, and how many terminal sessions each owner has anywhere. `secret` is a fingerprint that all must share.

    Without an `address` this process is alone: nothing here touches the database then, and `id` is "".
    """

    def __init__(
        self,
        database: "Database",
        clock: Callable[[], datetime],
        *,
        address: str = "",
        secret: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = token_hex(TAG_LENGTH // 2) if address else ""
        self._database = database
        self._clock = clock
        self._address = address
        self._secret = secret
        self._monotonic = monotonic
        self._heartbeats = Heartbeats(monotonic)
        self._others: dict[str, Node] = {}
        self._waits: set[tuple[str, asyncio.Timeout]] = set()
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._counts: Callable[[], Counts] = dict
        self._changed = asyncio.Event()

    @property
    def alone(self) -> bool:
        """Whether there can be no others."""
        return not self.id

    @property
    def own(self) -> Node:
        """This process."""
        return Node(id=self.id, address=self._address)

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

    @asynccontextmanager
    async def attending(self, node: Node) -> AsyncIterator[None]:
        """Inside the block this process waits for another one. Raises Unavailable when that one goes meanwhile."""
        if node.id not in self._others:
            raise away("that process has gone")
        try:
            async with asyncio.timeout(None) as wait:
                waiting = node.id, wait
                self._waits.add(waiting)
                try:
                    yield
                finally:
                    self._waits.discard(waiting)
        except TimeoutError:
            if wait.expired():
                raise away("that process has gone") from None
            raise

    async def maker_of(self, session_id: str) -> Node | None:
        """The other process that made a session, None when it was this one or nobody knows."""
        return await self.named(tag_of(session_id))

    async def named(self, tag: str) -> Node | None:
        """The other process of that id."""
        if self.alone or tag == self.id:
            return None
        if tag not in self._others and self._monotonic() - self._looked > LOOK_SECONDS:
            await self._look()  # it may have begun just now
        return self._others.get(tag)

    async def _look(self) -> None:
        """Refresh; those who ask at once share one look, since ids that nobody made cost nothing. Raises Unavailable."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.refresh())
        await asyncio.shield(self._looking)

    async def join(self) -> None:
        """Say for the first time that this process is there. Raises InvalidInput when its clock or its secret is not the
        others', and Unavailable.
        """
        if self.alone:
            return

        def work(session: "Session") -> dict[str, dict[str, Any]]:
            from shared.storage import exclusive

            exclusive.alone(session, exclusive.NODES)
            others = self._beat(session)
            joining.check_others(others, now=self._clock().timestamp(), secret=self._secret)
            return others

        self._take_up(await self._database.run(work))

    async def announce(self) -> None:
        """Say that this process is there. Raises Unavailable."""
        if not self.alone:
            self._take_up(await self._database.run(self._beat))

    async def refresh(self) -> None:
        """Look who else is there. Raises Unavailable."""
        if not self.alone:
            from shared.storage import node_rows

            self._take_up(self._live(await self._database.read(node_rows.every)))

    async def withdraw(self) -> None:
        """Say that this process goes. Raises Unavailable."""
        if not self.alone:
            from shared.storage import facts, node_rows

            def work(session: "Session") -> None:
                node_rows.delete(session, self.id)
                facts.notify(session, node_rows.PREFIX + self.id)

            await self._database.run(work)

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
            except GatewayError as error:  # also when another one has just forgotten this one
                log.warning(
                    "the other processes cannot be told of this one", reason=error.operator_detail or error.message
                )

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
            others = self._beat(session)
            everywhere = [said["sessions"] for said in others.values()] + [self._counts()]
            if sum(counts.get(owner, 0) for counts in everywhere) > per_owner:
                raise error(True)
            if sum(sum(counts.values()) for counts in everywhere) > total:
                raise error(False)
            return others

        self._take_up(await self._database.run(work))

    def _beat(self, session: "Session") -> dict[str, dict[str, Any]]:
        """Renew this process's row, forget those that went long ago; what the others that are there said last."""
        from shared.storage import node_rows

        found = node_rows.every(session)  # before the clock is read, since SQLite may have to wait for its lock here
        now = self._clock().timestamp()
        node_rows.save(session, self.id, address=self._address, seen=now, sessions=self._counts(), secret=self._secret)
        for name in self._replaced(found):
            node_rows.delete(session, name)
            del found[name]
        live = self._live(found)
        for name, said in found.items():
            if name not in (*live, self.id) and now - said["seen"] > FORGET_SECONDS:
                node_rows.delete(session, name)
        return live

    def _replaced(self, found: Mapping[str, dict[str, Any]]) -> list[str]:
        """Those whose socket file this process has now, so that they have surely gone."""
        if not self._address.startswith(UNIX):
            return []
        return [name for name, said in found.items() if name != self.id and said["address"] == self._address]

    def _live(self, found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The others among these that are there."""
        seen = {name: said["seen"] for name, said in found.items() if name != self.id}
        return {name: found[name] for name in self._heartbeats.live(seen, now=self._clock().timestamp())}

    def _take_up(self, live: Mapping[str, Mapping[str, Any]]) -> None:
        self._looked = self._monotonic()
        self._others = {name: Node(id=name, address=said["address"]) for name, said in live.items()}
        for waiting in [waiting for waiting in self._waits if waiting[0] not in self._others]:
            self._waits.discard(waiting)
            waiting[1].reschedule(asyncio.get_running_loop().time())


def away(detail: str = "") -> Unavailable:
    """The error when another process does not answer."""
    return Unavailable(
        "The process of the gateway that has this session does not answer; try again, or open a new session.",
        operator_detail=detail,
        retry_after=2,
    )

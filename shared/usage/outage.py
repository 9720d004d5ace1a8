"""One process in the agreement on shares of the budgets while Redis is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from secrets import token_hex
from typing import Literal

from sqlmodel import Session

from shared.domain.budgets import CountedBy
from shared.errors import BudgetsUncounted, Unavailable
from shared.storage import outage_rows
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore
from shared.structured import get_logger
from shared.usage.agreement import SILENT_SECONDS, Agreement, Me, Position, divided, looked

log = get_logger(__name__)

WAIT_SECONDS = 5.0
"""How long a request waits for the processes to agree."""
BUSY_SECONDS = 0.2
"""Between two looks while the others wait for this process."""
SHARING_SECONDS = 1.0

Mode = Literal["exact", "agreeing", "sharing"]
Shares = dict[str, tuple[Decimal, Decimal]]
"""By a counter's key: what each process may spend, and what Redis last said to be spent."""


class Outage:
    """Whether Redis counts, or what this process may spend by itself.

    `rounds` counts the changes of `mode`; `shares` and `told` are by the key of a counter. `limits` gives the limit of each counter by its key, `positions` where this process stands with them. `tell` tells
    Redis everything and says whether it could, given whether data that is not what it was will do; `pause` ends or
    resumes all traffic with it.
    """

    def __init__(
        self,
        database: Database,
        store: RedisStore,
        clock: Callable[[], datetime],
        *,
        refuse: bool,
        limits: Callable[[], Mapping[str, Decimal]],
        positions: Callable[[], Mapping[str, Position]],
        tell: Callable[[bool], Awaitable[bool]],
        pause: Callable[[bool], None],
    ) -> None:
        self.id = token_hex(8)
        self.mode: Mode = "exact"
        self.epoch = ""
        self.rounds = 0
        self.shares: Mapping[str, Decimal] = {}
        self.told: Mapping[str, Decimal] = {}
        self.processes = 0
        self._database = database
        self._store = store
        self._clock = clock
        self._refuse = refuse
        self._limits = limits
        self._positions = positions
        self._tell = tell
        self._pause = pause
        self._looked = float("-inf")
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()

    async def join(self) -> None:
        """Be one of the processes that count budgets, and see whether Redis counts now. Raises Unavailable."""
        await self._database.run(lambda session: outage_rows.join(session, self.id))
        if await self._database.read(outage_rows.agreement) is not None:
            self.lost()

    async def leave(self) -> None:
        """Be none of them any longer. Raises Unavailable."""
        await self._database.run(lambda session: outage_rows.leave(session, self.id))

    def lost(self) -> None:
        """Redis does not answer this process, or another: it no longer counts, until all agree that it does."""
        if self.mode == "exact":
            self._enter("agreeing")
            self._wanted.set()

    async def settled(self) -> None:
        """Return when this process may spend, by Redis or by its share. Raises BudgetsUncounted."""
        if self._may_spend:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while not self._may_spend:
                    await self._changed.wait()
        if not self._may_spend:
            raise BudgetsUncounted(
                "Redis is away, and the gateway's processes have not agreed yet on what each may spend of the budgets: "
                "try again in a moment, or name a free model (layer L0).",
                retry_after=2,
            )

    @property
    def counted_by(self) -> CountedBy:
        """What counts the budgets now."""
        if self.mode == "exact":
            return "redis"
        return "shares" if self.mode == "sharing" and not self._refuse else "nobody"

    @property
    def _may_spend(self) -> bool:
        if self._refuse and self.mode != "exact":
            raise BudgetsUncounted(
                "Redis, which counts the budgets, is away, and BUDGETS_WITHOUT_REDIS=refuse: try again when it is back, "
                "or name a free model (layer L0).",
                retry_after=5,
            )
        if self.mode == "sharing":  # one that the others may take for dead spends nothing
            return time.monotonic() - self._looked <= SILENT_SECONDS / 2
        return self.mode == "exact"

    async def run(self) -> None:
        """Look at the agreement for as long as there is one, for ever."""
        while True:
            await self._wanted.wait()
            try:
                await self.look()
            except Unavailable as error:
                log.warning("budgets wait for the database", reason=error.operator_detail or error.message)
            if self.mode == "exact":
                self._wanted.clear()
            else:
                await asyncio.sleep(SHARING_SECONDS if self.mode == "sharing" else BUSY_SECONDS)

    async def look(self) -> None:
        """Look at the agreement once, and do this process's part. Raises Unavailable."""
        stored = await self._database.read(outage_rows.agreement)
        found = None if stored is None else Agreement.from_json(stored)
        if self.mode == "sharing" and (found is None or found.epoch != self.epoch or found.stage == "closing"):
            self._enter("agreeing")
        if found is None and self._store.away:
            await self._store.ping()  # a busy process takes Redis for slow
        self._pause(True)
        told = False
        if (found is None or found.stage == "closing") and not self._store.away:
            told = await self._tell(found is not None)
        me = Me(
            id=self.id,
            now=self._clock().timestamp(),
            ready=not self._store.away,
            stopped=self.mode == "agreeing",
            told=told,
        )
        limits, position = self._limits(), {key: each.to_json() for key, each in self._positions().items()}
        before = time.monotonic()
        after, shares = await self._database.run(lambda session: _looked(session, me, limits, position))
        self._looked = before
        await self._take(after, shares)

    async def _take(self, after: Agreement | None, shares: Shares | None) -> None:
        """Take over what was agreed."""
        if after is None:
            if self.mode != "exact":
                log.info("Redis counts the budgets again")
            self.told = {}
            self._enter("exact")
            return
        if after.stage != "sharing" and self.mode == "sharing":
            self._enter("agreeing")
        if (
            after.stage == "sharing"
            and self.id in after.members
            and (self.mode, self.epoch) != ("sharing", after.epoch)
        ):
            if shares is None:
                stored = await self._database.read(outage_rows.shares)
                shares = {key: (Decimal(share), Decimal(told)) for key, (share, told) in stored.items()}
            self.epoch, self.processes = after.epoch, len(after.members)
            self.shares = {key: share for key, (share, _) in shares.items()}
            self.told = {key: told for key, (_, told) in shares.items()}
            log.warning("Redis is away; each process spends its share of the budgets", processes=self.processes)
            self._enter("sharing")

    def _enter(self, mode: Mode) -> None:
        self.mode = mode
        self._pause(mode != "exact")
        self.rounds += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _looked(
    session: Session, me: Me, limits: Mapping[str, Decimal], position: Mapping[str, list[str]]
) -> tuple[Agreement | None, Shares | None]:
    """The agreement after a process's look, and the shares where this look has divided them."""
    outage_rows.lock(session)
    stored = outage_rows.agreement(session)
    found = None if stored is None else Agreement.from_json(stored)
    after = looked(found, me, outage_rows.processes(session), token_hex(8))
    shares = None
    if after is not None and me.stopped and (found is None or found.epoch != after.epoch or found.stage == "declaring"):
        outage_rows.declare(session, me.id, {"epoch": after.epoch, "counters": dict(position)})
        if after.stage == "sharing":
            shares = _divided(session, after, limits)
    if after is not None and (found is None or found.epoch != after.epoch):
        outage_rows.begin(session)
    outage_rows.agree(session, None if after is None else after.to_json())
    return after, shares


def _divided(session: Session, found: Agreement, limits: Mapping[str, Decimal]) -> Shares:
    said = outage_rows.positions(session)
    declared = [said[name] for name in found.members if name in said and said[name]["epoch"] == found.epoch]
    positions = [{key: Position.from_json(each) for key, each in one["counters"].items()} for one in declared]
    shares = divided(limits, positions)
    outage_rows.share_out(session, {key: [str(share), str(told)] for key, (share, told) in shares.items()})
    outage_rows.keep(session, found.members)
    return shares

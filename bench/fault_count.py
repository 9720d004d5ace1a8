"""What a fault did: requests against the rows of the database and the calls of the provider."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import aiohttp
from fault_load import Sent
from fault_stand import PRICE, Stand

SETTLE_SECONDS = 30.0
STILL_SECONDS = 4.0
"""Rows are taken for complete once their number has not changed for this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The counts of one fault. `lost` are requests that were answered and have no usage row, `doubled` rows beyond the calls
    of the provider, `overspent` US dollars above the budget, `cut` streams that began and broke off, `failed` answers that
    were errors; the same of the audit trail's chats and of API keys, of which `keys_left` were made though their maker
    was told otherwise. `chain` says whether the audit trail is whole.
    """

    sent: int
    answered: int
    refused: int
    failed: dict[str, int]
    lost: int
    doubled: int
    overspent: float
    cut: int
    audit_lost: int
    audit_doubled: int
    chain: bool
    keys_lost: int
    keys_left: int


async def settled(stand: Stand) -> None:
    """Return once the nodes have written what they have, or after SETTLE_SECONDS."""
    began, since, before = time.monotonic(), time.monotonic(), -1
    while time.monotonic() - began < SETTLE_SECONDS:
        ((count,),) = await asyncio.to_thread(
            stand.rows, "SELECT (SELECT count(*) FROM usage) + (SELECT count(*) FROM audit)"
        )
        if count != before:
            since, before = time.monotonic(), count
        elif time.monotonic() - since >= STILL_SECONDS:
            return
        await asyncio.sleep(0.25)


async def counted(stand: Stand, sent: Sent, budget: float, http: aiohttp.ClientSession) -> Outcome:
    """Hold everything that was sent against what is stored."""
    usage = _by_name(stand, "SELECT request_id, count(*) FROM usage GROUP BY request_id")
    chats = _by_name(stand, "SELECT request_id, count(*) FROM audit WHERE action = 'chat' GROUP BY request_id")
    keys = {name for (name,) in stand.rows("SELECT name FROM api_keys")}
    bounded = sum(stand.asked[name] for name in sent.bounded)
    async with http.get(f"http://127.0.0.1:{stand.nodes[0].port}/v1/audit/verify") as answer:
        chain = bool((await answer.json())["valid"])
    return Outcome(
        sent=sent.number,
        answered=len(sent.answered),
        refused=sent.refused,
        failed=dict(sent.failed),
        lost=sum(not usage[name] for name in sent.answered),
        doubled=sum(max(0, rows - stand.asked[name]) for name, rows in usage.items()),
        overspent=max(0.0, round(bounded * PRICE - budget, 6)),
        cut=sent.cut,
        audit_lost=sum(not chats[name] for name in sent.answered),
        audit_doubled=sum(rows - 1 for rows in chats.values()),
        chain=chain,
        keys_lost=sum(status in (200, 201) and name not in keys for name, status in sent.keys.items()),
        keys_left=sum(status not in (200, 201) and name in keys for name, status in sent.keys.items()),
    )


def _by_name(stand: Stand, statement: str) -> Counter[str]:
    return Counter({str(name): int(rows) for name, rows in stand.rows(statement)})

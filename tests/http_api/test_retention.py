"""A gateway deletes what is older than its settings allow, by itself."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from shared.domain.identity import LOCAL
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.storage import schema
from shared.storage.database import Database
from shared.usage.ledger import Entry, Ledger
from tests.support.http_gateway import surface

OLD = datetime.now(UTC).replace(minute=30) - timedelta(days=5)
SEGMENT = 1000


async def _as_it_was(folder: Path) -> None:
    """What a gateway wrote five days ago: more than a segment of audit entries, and some usage."""
    database = Database(f"sqlite:///{folder / 'gateway.sqlite3'}")
    schema.upgrade(database)
    async with database:
        trail, ledger = AuditTrail(database, lambda: OLD, Redactor()), Ledger(database, lambda: OLD)
        await asyncio.gather(*(trail.record(LOCAL, "old", {"number": n}, "ok") for n in range(SEGMENT + 1)))
        for number in range(10):
            ledger.record(
                Entry(
                    at=OLD,
                    request_id=f"r{number}",
                    caller="local",
                    model_id="m",
                    provider="p",
                    layer="L1",
                    prompt_tokens=10,
                    completion_tokens=5,
                    cached_tokens=4,
                    cost=Decimal("0.25"),
                    outcome="ok",
                    estimated=False,
                    duration_ms=12,
                    tags={"team": "x"},
                )
            )
        await ledger.flush()
        await Ledger(database, lambda: datetime.now(UTC)).sum_up()


async def test_old_rows_go_while_reports_budgets_and_the_chain_stay(tmp_path: Path) -> None:
    await _as_it_was(tmp_path)
    async with surface(tmp_path, usage_days=2, audit_days=2) as made:
        async with asyncio.timeout(20):
            while not (told := (await made.http.get("/v1/audit?action=audit_pruned")).json()["entries"]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [entry["details"] for entry in told] == [{"entries": SEGMENT}]
        check = (await made.http.get("/v1/audit/verify")).json()
        assert (check["valid"], check["pruned"], check["prunedUntil"][:10]) == (True, SEGMENT, OLD.date().isoformat())
        refused = await made.http.get("/v1/usage?groupBy=model&layer=L1")
        assert (refused.status_code, refused.json()["code"]) == (400, "usage_pruned")
        report = (await made.http.get("/v1/usage?groupBy=tag:team")).json()
        assert [(group["group"], group["requests"], group["costUsd"]) for group in report["groups"]] == [("x", 10, 2.5)]
        budget = (await made.http.post("/v1/budgets", json={"limitUsd": 5, "period": "total"})).json()["budget"]
        assert budget["spentUsd"] == 2.5

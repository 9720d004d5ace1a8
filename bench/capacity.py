"""Start-up, reports, sums and retention of a gateway with millions of usage rows, on SQLite and on PostgreSQL.

`PYTHONPATH=. nice python bench/capacity.py --rows 10000000` takes ten minutes and 5 GB in the temporary folder for each
database (`--databases sqlite`), and prints a table. The rows are those that 100 requests a second leave.
"""

import argparse
import asyncio
import json
import shutil
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
import targets
from filling import summed
from processes import Child, answers, free_port
from stores import Postgres

from shared.storage import schema, usage_summing
from shared.storage.database import Database

COLUMNS = """
INSERT INTO usage (at, row_id, request_id, chat_id, trace_id, caller, model_id, provider, layer, prompt_tokens,
                   completion_tokens, cached_tokens, purpose, cost_pico, outcome, estimated, duration_ms, tags)
"""
VALUES = """
       'key-000000000000' || (n % 20), 'model-' || (n % 10), 'openai', 'L' || (n % 4), 900, 20, 0, 'answer', 940000000,
       'ok', false, 1200, '{"team": "search"}'
"""
SQLITE_USAGE = f"""{COLUMNS}
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :rows)
SELECT strftime('%Y-%m-%d %H:%M:%f', :from + n / :rate, 'unixepoch') || '000', n,
       lower(hex(randomblob(12))), 'chatcmpl-' || lower(hex(randomblob(10))), lower(hex(randomblob(16))), {VALUES}
FROM number
"""
POSTGRES_USAGE = f"""{COLUMNS}
SELECT to_timestamp(:from + n / :rate), n,
       left(md5(n || 'r'), 24), 'chatcmpl-' || left(md5(n || 'c'), 20), md5(n || 't'), {VALUES}
FROM generate_series(0, :rows - 1) AS n
"""
RATE = 100.0
"""Requests a second that left the rows."""
PRUNED = 20
PRUNED_AT_ONCE = 1000
UPSTREAM = "http://127.0.0.1:9"

Row = tuple[str, str]


def of(rows: int) -> dict[str, float]:
    """What the statements want to know of that many rows, the last of them now."""
    return {"rows": rows, "rate": RATE, "from": time.time() - rows / RATE}


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def asked(port: int, path: str, body: dict[str, Any] | None = None) -> None:
    """Ask the gateway, with as much patience as it wants."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=data, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()


@contextmanager
def gateway(data: Path, **settings: str) -> Iterator[tuple[int, float]]:
    """One with that data: its port, and the seconds until it was ready."""
    port = free_port()
    child: Child = targets.gateway(data, port, UPSTREAM, None, TERMINAL_SANDBOX="off", **settings)
    try:
        yield port, child.wait_for(answers(port, "/health"), 600)
    finally:
        child.stop()


def waits(data: Path, **settings: str) -> Iterator[Row]:
    """Seconds of a start and of each report."""
    day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:00:00Z")
    with gateway(data, **settings) as (port, ready):
        yield "start until `/health`", f"{ready:.1f} s"
        groups = {"model": "model", "key": "key", "tag": "tag:team"}
        reports = {f"a day by {name}": f"?groupBy={group}&from={day}" for name, group in groups.items()}
        reports["a day from the middle of an hour, by model"] = f"?groupBy=model&from={day.replace('00:00Z', '30:00Z')}"
        for name, query in reports.items():
            took = min(timed(lambda query=query: asked(port, f"/v1/usage{query}")) for _ in range(3))  # type: ignore[misc]
            yield f"`GET /v1/usage`, {name}", f"{took * 1000:.0f} ms"
        budget = {"period": "month", "limitUsd": 1_000_000, "appliesTo": "all"}
        yield "`POST /v1/budgets` for the month", f"{timed(lambda: asked(port, '/v1/budgets', budget)) * 1000:.0f} ms"


def pruned(database: Database) -> Row:
    """Rows deleted a second by retention."""
    before = datetime.now(UTC) - timedelta(hours=2)

    def all_of_it() -> None:
        for _ in range(PRUNED):
            database.run_sync(lambda session: usage_summing.prune(session, PRUNED_AT_ONCE, before=before))

    return "deleting old rows", f"{PRUNED * PRUNED_AT_ONCE / timed(all_of_it):,.0f} rows/s"


def sqlite(rows: int) -> Iterator[Row]:
    """The rows of the table for SQLite."""
    folder = Path(tempfile.mkdtemp(prefix="capacity-"))
    try:
        file = folder / "gateway.sqlite3"
        database = Database(f"sqlite:///{file}")
        schema.upgrade(database)
        with sqlite3.connect(file) as connection:
            connection.execute(SQLITE_USAGE, of(rows))
        connection.close()
        yield "size of a usage row with its indexes", f"{file.stat().st_size / rows:.0f} B"
        yield "summing up all hours, once", f"{timed(lambda: asyncio.run(summed(database))):.0f} s"
        yield from waits(folder)
        copy = folder / "copy"
        took = timed(lambda: _backup(file, copy))
        yield "online backup", f"{took:.0f} s for {copy.stat().st_size / 1e9:.1f} GB"
        yield pruned(database)
        asyncio.run(_closed(database))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgresql(rows: int) -> Iterator[Row]:
    """The rows of the table for PostgreSQL, with its settings as they come."""
    folder = Path(tempfile.mkdtemp(prefix="capacity-"))
    server = Postgres(Path(tempfile.mkdtemp(prefix="pg-")))
    try:
        url = server.new_database("capacity")
        database = Database(url)
        schema.upgrade(database)
        admin = sqlalchemy.create_engine(url)
        with admin.begin() as connection:
            connection.execute(sqlalchemy.text(POSTGRES_USAGE), of(rows))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text("ANALYZE usage"))
            size = connection.execute(sqlalchemy.text("SELECT pg_total_relation_size('usage')")).scalar_one()
        admin.dispose()
        yield "size of a usage row with its indexes", f"{size / rows:.0f} B"
        yield "summing up all hours, once", f"{timed(lambda: asyncio.run(summed(database))):.0f} s"
        yield from waits(folder, DATABASE_URL=url)
        yield pruned(database)
        asyncio.run(_closed(database))
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _backup(file: Path, copy: Path) -> None:
    with sqlite3.connect(file) as source, sqlite3.connect(copy) as target:
        source.backup(target)


async def _closed(database: Database) -> None:
    async with database:
        pass


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--databases", nargs="*", default=list(DATABASES), choices=list(DATABASES))
    options = parser.parse_args()
    for name in options.databases:
        print(f"| {name}, {options.rows:,} usage rows | |\n|---|---|", flush=True)
        for what, took in DATABASES[name](options.rows):
            print(f"| {what} | {took} |", flush=True)


if __name__ == "__main__":
    main()

"""CPU that the journal of usage rows adds to a chat: that of `Ledger.record` with and without it, in turn.

`PYTHONPATH=. python bench/journal.py` takes half a minute, needs nothing else, and prints a table. The database is not
part of it: the queue is emptied between the turns.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from shared.storage import schema
from shared.storage.database import Database
from shared.storage.journal import Journal
from shared.usage.ledger import Entry, Ledger

ROWS = 500
TURNS = 60


def _entry(number: int) -> Entry:
    return Entry(
        at=datetime.now(UTC),
        request_id=f"f8a1c0de{number:016x}",
        caller="key-0123456789abcdef",
        model_id="gpt-6-luna",
        provider="openai",
        layer="L2",
        prompt_tokens=900,
        completion_tokens=200,
        cached_tokens=0,
        cost=Decimal("0.00094"),
        outcome="ok",
        estimated=False,
        duration_ms=1200,
        tags={"team": "search"},
        trace_id=f"{number:032x}",
        chat_id=f"chatcmpl-{number:024x}",
    )


@contextmanager
def _ledgers(folder: Path) -> Iterator[dict[str, Ledger]]:
    database = Database(f"sqlite:///{folder / 'gateway.sqlite3'}")
    schema.upgrade(database)
    journal = Journal(folder / "journal")
    journal.open()
    yield {
        "without": Ledger(database, lambda: datetime.now(UTC)),
        "with": Ledger(database, lambda: datetime.now(UTC), journal=journal),
    }
    journal.close(stored=True)
    database.engine.dispose()


def _turn(ledger: Ledger, entries: list[Entry]) -> float:
    """Microseconds of CPU for each row."""
    began = time.thread_time_ns()
    for entry in entries:
        ledger.record(entry)
    return (time.thread_time_ns() - began) / 1000 / len(entries)


async def main() -> None:
    """Measure, and print the table."""
    entries = [_entry(number) for number in range(ROWS)]
    took: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory(prefix="journal-") as folder, _ledgers(Path(folder)) as ledgers:
        for _ in range(TURNS):
            for name, ledger in ledgers.items():
                took[name].append(_turn(ledger, entries))
                await ledger.flush()
    added = [one - other for one, other in zip(took["with"], took["without"], strict=True)]
    low, middle, high = statistics.quantiles(added, n=4)
    print("| µs of CPU for each row | median | quartiles |")
    print("|---|---|---|")
    for name, values in took.items():
        first, second, third = statistics.quantiles(values, n=4)
        print(f"| {name} the journal | {second:.2f} | {first:.2f} to {third:.2f} |")
    print(f"| added, inside a turn | {middle:.2f} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    asyncio.run(main())

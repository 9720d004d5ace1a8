"""A process that appends audit entries, several at a time, and says which ones were acknowledged.

Usage: audit_writer.py DATABASE_URL NAME COUNT (0: until it is killed)
"""

import asyncio
import itertools
import sys
from datetime import UTC, datetime

from shared.domain.identity import Caller
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.storage.database import Database


async def main(url: str, name: str, count: int) -> None:
    """Write, and print each number once its entry is acknowledged."""
    numbers = itertools.islice(itertools.count(), count or None)
    caller = Caller(id=name, kind="user", name=name, scopes=frozenset())
    async with Database(url) as database:
        trail = AuditTrail(database, lambda: datetime.now(UTC), Redactor())

        async def write() -> None:
            for number in numbers:
                await trail.record(caller, "test", {"number": number}, "ok")
                print(number, flush=True)

        await asyncio.gather(*(write() for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

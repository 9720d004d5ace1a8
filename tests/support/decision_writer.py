"""A process that records decisions, and says how many are written. Usage: decision_writer.py DATABASE_URL"""

import asyncio
import sys
from dataclasses import replace

from shared.routing.replay.decisions import Decisions
from shared.storage.database import Database
from tests.support.decisions import ANNA, NOON, a_model, asked, decided, made


async def main(url: str) -> None:
    """Write until killed, several at a time."""
    model = a_model("first")
    async with Database(url) as database:
        decisions = Decisions(database, lambda: NOON, days=30)
        written = 0
        while True:
            for number in range(written, written + 100):
                caller = replace(ANNA, request_id=f"r-{number}")
                decisions.record(decided(asked(), [model], [made(model)], caller=caller))
            await decisions.flush()
            written += 100
            print(written, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

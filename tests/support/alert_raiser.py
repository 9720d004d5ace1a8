"""A process that raises alerts as fast as it can, and says which ones it was that raised.

Usage: alert_raiser.py DATABASE_URL COUNT
"""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal

from sqlmodel import select

from shared.domain.alerts import Alert
from shared.storage.database import Database
from shared.usage.alerts import Alerts


async def main(url: str, count: int) -> None:
    """Raise one alert for each of so many keys, once the other process is there too."""
    alert = Alert(at=datetime.now(UTC), kind="test", message="enough", spent_usd=Decimal(2), threshold_usd=Decimal(1))

    async with Database(url) as database:

        async def deliver(period: str, _: Alert) -> None:
            print(period, flush=True)

        alerts = Alerts(database, deliver)
        await database.read(lambda session: session.exec(select(1)).one())
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            alerts.raise_once(f"key{number}", f"period{number}", alert)
        await alerts.settled()
        await alerts.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

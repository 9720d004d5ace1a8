"""Whether this process may join the gateway's others: its clock and its secrets must be theirs."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.errors import InvalidInput

if TYPE_CHECKING:
    from shared.storage.database import Database

CLOCK_SECONDS = 5.0
"""Clocks may differ by this much: leases, signatures and agreements of the processes allow for it."""


async def check_clock(database: "Database", clock: Callable[[], datetime]) -> None:
    """Compare the clock with the database server's; nothing with SQLite. Raises InvalidInput, Unavailable."""
    before = clock()
    there = await database.read(_server_time)
    if there is not None:
        refuse_clock(max((before - there).total_seconds(), (there - clock()).total_seconds()), "the database server's")


def check_others(others: Mapping[str, Mapping[str, Any]], *, now: float, secret: str) -> None:
    """Compare clock and secret with what the processes that are there said last. Raises InvalidInput."""
    for said in others.values():
        refuse_clock(said["seen"] - now, "that of another process of this gateway")
        if secret and said.get("secret", secret) != secret:
            raise InvalidInput(
                "Another process of this gateway runs with another JWT_SECRET, so logins and sessions would work on one of them "
                "only. Set the same JWT_SECRET everywhere; to change it, stop all processes, wait ten seconds, then start them "
                "with the new one. Nothing was changed.",
                code="wrong_jwt_secret",
            )


def refuse_clock(seconds: float, whose: str) -> None:
    """Raises InvalidInput when a clock differs by more than CLOCK_SECONDS."""
    if seconds > CLOCK_SECONDS:
        raise InvalidInput(
            f"This machine's clock differs from {whose} by {seconds:.0f} seconds; processes of one gateway may differ by "
            f"{CLOCK_SECONDS:.0f} at most. Set both clocks (NTP), then start again.",
            code="clock_differs",
        )


def _server_time(session: Any) -> datetime | None:
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return None
    found: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return found

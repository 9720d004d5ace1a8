"""A process whose clock or secret is not the others' does not join them."""

from datetime import datetime, timedelta

import pytest

from shared.cluster.joining import CLOCK_SECONDS, check_clock
from shared.cluster.nodes import Nodes
from shared.errors import InvalidInput
from shared.parts import now
from shared.security.node_signatures import NodeSignatures
from shared.storage.database import Database
from tests.support.clock import Clock


@pytest.mark.parametrize("seconds", [-60, 60])
async def test_a_clock_that_differs_from_the_database_servers_is_refused(database: Database, seconds: float) -> None:
    def wrong() -> datetime:
        return now() + timedelta(seconds=seconds)

    await check_clock(database, now)
    if database.url.get_backend_name() == "sqlite":  # it has the clock of this machine
        await check_clock(database, wrong)
        return
    with pytest.raises(
        InvalidInput, match=f"by (60|59) seconds; processes of one gateway may differ by {CLOCK_SECONDS:.0f}"
    ):
        await check_clock(database, wrong)


async def test_a_clock_behind_that_of_another_process_is_refused(database: Database) -> None:
    clock = Clock()
    there = Nodes(database, clock, address="unix:/one", monotonic=clock.seconds)
    await there.join()
    behind = Clock()
    late = Nodes(database, lambda: behind() - timedelta(seconds=30), address="unix:/two", monotonic=clock.seconds)
    with pytest.raises(InvalidInput, match="that of another process of this gateway by 30 seconds"):
        await late.join()
    await there.refresh()
    assert there.others == []  # it left nothing


async def test_another_secret_of_login_tokens_is_refused_while_a_process_has_the_first(database: Database) -> None:
    clock = Clock()
    one, other = (NodeSignatures(secret).fingerprint for secret in (b"one", b"other"))
    first = Nodes(database, clock, address="unix:/one", secret=one, monotonic=clock.seconds)
    await first.join()
    await Nodes(database, clock, address="unix:/two", secret=one, monotonic=clock.seconds).join()
    wrong = Nodes(database, clock, address="unix:/three", secret=other, monotonic=clock.seconds)
    with pytest.raises(InvalidInput, match="another JWT_SECRET"):
        await wrong.join()
    await Nodes(database, clock, address="unix:/older", monotonic=clock.seconds).join()
    clock.advance(seconds=60)  # all have gone
    await Nodes(database, clock, address="unix:/three", secret=other, monotonic=clock.seconds).join()

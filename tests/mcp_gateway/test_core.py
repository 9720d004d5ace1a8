"""The gateway that opens in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_gateway.core import Opener, OpeningCore
from shared.errors import Unavailable
from shared.setting_sources import SettingsError

GATEWAY: Any = object()


class Recorded:
    """An opener that notes what happens to it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.events: list[str] = []
        self.may_open = asyncio.Event()
        self._failure = failure

    def load(self) -> Opener:
        self.events.append("loaded")
        return self.opened

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        if self._failure:
            raise self._failure
        await self.may_open.wait()
        self.events.append("opened")
        try:
            yield GATEWAY
        finally:
            await asyncio.sleep(0)
            self.events.append("closed")


async def test_calls_wait_until_it_is_open_and_closing_closes_it() -> None:
    recorded = Recorded()
    core = OpeningCore(recorded.load)
    waiting = [asyncio.create_task(core.ready()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    recorded.may_open.set()
    assert await asyncio.gather(*waiting) == [GATEWAY] * 3
    await core.aclose()
    assert recorded.events == ["loaded", "opened", "closed"]
    await core.aclose()


async def test_a_call_that_gives_up_waiting_takes_it_from_nobody_else() -> None:
    recorded = Recorded()
    core = OpeningCore(recorded.load)
    impatient, patient = asyncio.create_task(core.ready()), asyncio.create_task(core.ready())
    await asyncio.sleep(0)
    impatient.cancel()
    recorded.may_open.set()
    assert await patient is GATEWAY
    await core.aclose()


@pytest.mark.parametrize(
    ("failure", "message", "code"),
    [
        (Unavailable("The disk is full.", code="disk_full"), "The disk is full.", "disk_full"),
        (SettingsError(["API_PORT: too large"]), "API_PORT: too large", "wrong_settings"),
        (RuntimeError("odd"), "could not be opened: odd", "unavailable"),
    ],
)
async def test_every_call_is_told_why_it_did_not_open(
    failure: Exception, message: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    core = OpeningCore(Recorded(failure).load)
    for _ in range(2):
        with pytest.raises(Unavailable) as told:
            await core.ready()
        assert message in told.value.message
        assert told.value.code == code
    await core.aclose()
    assert str(failure) in caplog.text


async def test_an_import_that_fails_is_told_too() -> None:
    def load() -> Opener:
        raise ModuleNotFoundError("No module named 'xyz'")

    core = OpeningCore(load)
    with pytest.raises(Unavailable, match="xyz"):
        await core.ready()
    await core.aclose()


async def test_closing_while_it_opens_lets_nobody_wait() -> None:
    core = OpeningCore(Recorded().load)
    waiting = asyncio.create_task(core.ready())
    await asyncio.sleep(0)
    await core.aclose()
    with pytest.raises(Unavailable, match="shutting down"):
        await waiting

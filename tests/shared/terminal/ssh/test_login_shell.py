"""What a login shell shows of a secret that the other side echoes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared.terminal.channel import Seat
from shared.terminal.mask import HIDDEN, PATIENCE, Mask
from shared.terminal.scrollback import Scrollback
from shared.terminal.ssh.login_shell import LoginShell

SECRET = b"hunter2"


class Timers:
    """The running loop's timers, on a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 0.0
        self.waiting: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []
        self._loop = asyncio.get_running_loop()
        monkeypatch.setattr(self._loop, "call_later", self._call_later)

    def _call_later(self, delay: float, callback: Callable[[], None], *_: Any) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self._now + delay, callback, (), self._loop)
        self.waiting.append((self._now + delay, callback, handle))
        return handle

    def after(self, seconds: float) -> None:
        """So much later."""
        self._now += seconds
        due, self.waiting = (
            [one for one in self.waiting if one[0] <= self._now],
            [one for one in self.waiting if one[0] > self._now],
        )
        for _, callback, handle in due:
            if not handle.cancelled():
                callback()


def shell() -> tuple[LoginShell, Seat]:
    """One whose secret has just been typed."""
    seat, mask = Seat(Scrollback(10_000)), Mask()
    mask.hide(SECRET)
    return LoginShell(seat, mask), seat


async def test_a_secret_that_is_echoed_slowly_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (login, seat), shown = shell(), []
    with monkeypatch.context() as patched:
        timers = Timers(patched)
        for at in range(len(SECRET)):  # 0.42 seconds in all
            login.data_received(SECRET[at : at + 1], None)
            timers.after(0.06)
            shown.append(seat.scrollback.read(0).text)
        timers.after(1)
    assert shown == [""] * (len(SECRET) - 1) + [HIDDEN.decode()]
    assert seat.scrollback.read(0).text == HIDDEN.decode()


async def test_what_only_begins_like_a_secret_is_shown_once_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    login, seat = shell()
    with monkeypatch.context() as patched:
        timers = Timers(patched)
        login.data_received(b"to hunt", None)
        timers.after(PATIENCE * 0.9)
        assert seat.scrollback.read(0).text == "to "
        timers.after(PATIENCE * 0.2)
        assert seat.scrollback.read(0).text == "to hunt"
        login.data_received(b"hunt", None)
        login.connection_lost(None)
        timers.after(1)
    assert seat.scrollback.read(0).text == "to hunthunt"

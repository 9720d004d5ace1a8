"""Work that a signal ends."""

import asyncio
import signal
import threading

import pytest

from mcp_gateway.commands import signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


async def interrupted(number: int, closed: list[str]) -> None:
    try:
        signal.raise_signal(number)
        await asyncio.wait_for(asyncio.Event().wait(), 5)
    finally:
        signal.raise_signal(signal.SIGHUP)  # a closing terminal hangs up again, which must not end the closing
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        closed.append("in order")


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("platform", ["posix", "windows"])
def test_what_is_open_is_closed_first(
    number: signal.Signals, platform: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if platform == "windows":
        monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", _not_here)
        monkeypatch.setattr(asyncio.SelectorEventLoop, "remove_signal_handler", _not_here)
    before = [signal.getsignal(known) for known in ENDING]
    closed: list[str] = []
    with pytest.raises(SystemExit) as ended:
        signals.run(interrupted(number, closed))
    assert ended.value.code == 128 + number
    assert closed == ["in order"]
    assert capsys.readouterr().err == "Stopping …\n"
    assert [signal.getsignal(known) for known in ENDING] == before


def test_work_that_ends_by_itself_gives_its_answer_or_its_error() -> None:
    async def answer() -> int:
        return 7

    async def fail() -> None:
        raise ValueError("its own")

    assert signals.run(answer()) == 7
    with pytest.raises(ValueError, match="its own"):
        signals.run(fail())


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in signals.heeded()
        with signals.ending_in_order():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in signals.heeded()


def test_off_the_main_thread_it_works_without_signals() -> None:
    found: list[int] = []

    async def answer() -> int:
        return 7

    def work() -> None:
        with signals.ending_in_order():
            found.append(signals.run(answer()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert found == [7]


def test_a_platform_without_hang_ups_is_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "NAMES", ("SIGINT", "SIGTERM", "SIGNONE"))
    assert signals.heeded() == (signal.SIGINT, signal.SIGTERM)


def _not_here(*_: object) -> None:
    raise NotImplementedError

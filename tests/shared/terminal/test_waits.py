"""Waiting for what a shell says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from shared.terminal.channel import Seat
from shared.terminal.display import Display
from shared.terminal.patterns import Pattern
from shared.terminal.prompts import STOOD, Prompts
from shared.terminal.scrollback import Scrollback
from shared.terminal.waits import OVERLAP, Outcome, Waiting, Wanted

Start = Callable[..., "asyncio.Task[Outcome]"]


@pytest.fixture
def seat() -> Seat:
    return Seat(Scrollback(1024 * 1024), 40, 6)


@pytest.fixture
async def start(seat: Seat) -> AsyncIterator[Start]:
    """Begins a wait, and gives it time to look once."""
    begun: list[asyncio.Task[Outcome]] = []
    display = Display(seat)

    def start(kind: Any, *, after: int = 0, **options: Any) -> "asyncio.Task[Outcome]":
        wanted = Wanted(kind=kind, **{"timeout": 5, "quiet": 0.05, **options})
        begun.append(asyncio.ensure_future(Waiting(seat.scrollback, display, after).until(wanted)))
        return begun[-1]

    yield start
    for task in begun:
        assert task.done()
    await display.settle()
    assert not seat.scrollback._waiters


async def test_a_match_that_comes_in_pieces_is_found(seat: Seat, start: Start) -> None:
    wait = start("output", pattern=Pattern("^ready: (yes|no)$"))
    for piece in (b"starting\r\nre", b"\x1b[1mady", b"\x1b[0m: y", b"es\r\n"):
        await asyncio.sleep(0)
        seat.scrollback.feed(piece)
    assert await wait == Outcome("matched", "ready: yes")


async def test_what_was_there_before_the_cursor_does_not_count(seat: Seat, start: Start) -> None:
    seat.scrollback.feed(b"done\r\n")
    assert await start("output", after=6, timeout=0.05, pattern=Pattern("done")) == Outcome("timeout")
    assert await start("output", after=0, timeout=0.05, pattern=Pattern("done")) == Outcome("matched", "done")


async def test_a_match_behind_a_flood_is_found(seat: Seat, start: Start) -> None:
    wait = start("output", pattern=Pattern("^needle$"))
    for _ in range(100):
        seat.scrollback.feed(b"hay " * 1000 + b"\r\n")
        await asyncio.sleep(0)
    seat.scrollback.feed(b"needle\r\n" + b"hay\r\n" * OVERLAP)
    assert await wait == Outcome("matched", "needle")


async def test_the_beginning_of_what_is_searched_is_not_taken_for_that_of_a_line(seat: Seat, start: Start) -> None:
    wait = start("output", pattern=Pattern("^x+$"), timeout=1)
    for number in range(300):
        seat.scrollback.feed(b"%d" % number + b"x" * 97 + b"\r\n")
        await asyncio.sleep(0)
    assert await wait == Outcome("timeout")


async def test_a_progress_in_one_line_has_lines(seat: Seat, start: Start) -> None:
    wait = start("output", pattern=Pattern("^100%$"))
    for number in range(101):
        seat.scrollback.feed(b"\r%d%%" % number)
        await asyncio.sleep(0)
    assert await wait == Outcome("matched", "100%")


async def test_any_output_is_enough_without_a_pattern(seat: Seat, start: Start) -> None:
    wait = start("output")
    await asyncio.sleep(0)
    assert not wait.done()
    seat.scrollback.feed(b"x")
    assert await wait == Outcome("output")


@pytest.mark.parametrize("kind", ["output", "prompt", "exit", "silence", "screen"])
async def test_the_end_ends_every_wait(seat: Seat, start: Start, kind: str) -> None:
    wait = start(kind, quiet=4, fresh=True)
    await asyncio.sleep(0.01)
    assert not wait.done()
    seat.scrollback.finish()
    assert await wait == Outcome("exit")


async def test_last_words_are_searched(seat: Seat, start: Start) -> None:
    wait = start("output", pattern=Pattern("bye"))
    await asyncio.sleep(0)
    seat.scrollback.feed(b"good bye")
    seat.scrollback.finish()
    assert await wait == Outcome("matched", "bye")
    assert await start("output", pattern=Pattern("hello")) == Outcome("exit")


@pytest.mark.parametrize("kind", ["output", "prompt", "exit", "silence", "screen"])
async def test_no_wait_outlasts_its_time(seat: Seat, start: Start, kind: str) -> None:
    wait = start(kind, quiet=3, timeout=0.1, pattern=Pattern("never") if kind in ("output", "screen") else None)
    async with asyncio.timeout(2):
        assert await wait == Outcome("timeout")


async def test_no_wait_outlasts_its_time_in_a_flood(seat: Seat, start: Start) -> None:
    waits = [start(kind, quiet=3, timeout=0.3) for kind in ("prompt", "exit", "silence", "screen")]
    waits.append(start("output", timeout=0.3, pattern=Pattern("never")))
    async with asyncio.timeout(10):
        while not all(wait.done() for wait in waits):
            seat.scrollback.feed(b"\x1b[Hnumber and words\r\n" * 50)
            await asyncio.sleep(0.001)
    assert {wait.result() for wait in waits} == {Outcome("timeout")}


async def test_a_line_that_looks_like_a_prompt_must_stay(seat: Seat, start: Start) -> None:
    wait = start("prompt", fresh=True, quiet=0.4)
    await asyncio.sleep(0)
    for _ in range(5):
        seat.scrollback.feed(b"still at it:")
        await asyncio.sleep(0.02)
        assert not wait.done()
        seat.scrollback.feed(b" yes\r\n")
    await asyncio.sleep(0.6)
    assert not wait.done()
    seat.scrollback.feed(b"\r\x1b[Kme@here:~$ ")
    assert await wait == Outcome("prompt-like", "me@here:~$")


async def test_a_prompt_that_is_there_already_counts_unless_something_was_typed(seat: Seat, start: Start) -> None:
    seat.scrollback.feed(b"me$ ")
    assert await start("prompt", after=4) == Outcome("prompt-like", "me$")
    assert await start("prompt", after=4, fresh=True, timeout=0.2) == Outcome("timeout")


async def test_what_stands_right_of_the_cursor_is_no_part_of_the_prompt(seat: Seat, start: Start) -> None:
    seat.scrollback.feed(b"host% \x1b[30G12:30\x1b[7G")
    assert await start("prompt") == Outcome("prompt-like", "host%")


async def test_a_mark_is_believed_without_waiting(seat: Seat, start: Start) -> None:
    wait = start("prompt", fresh=True, quiet=60)
    await asyncio.sleep(0)
    seat.scrollback.feed(b"out$ \r\n\x1b]133;D;0\x07\x1b]133;A\x07here\x1b]133;B\x07")
    assert await wait == Outcome("prompt", "here")


async def test_a_mark_does_not_count_once_more_has_come_after_it(seat: Seat, start: Start) -> None:
    seat.scrollback.feed(b"\x1b]133;A\x07here\x1b]133;B\x07")
    after = seat.scrollback.end
    assert await start("prompt", after=after, quiet=60) == Outcome("prompt", "here")
    seat.scrollback.feed(b"sleep 1; ec")
    assert await start("prompt", after=after, quiet=60, timeout=0.05) == Outcome("timeout")
    wait = start("prompt", after=after, quiet=60)
    seat.scrollback.feed(b"ho x\r\nx\r\n\x1b]133;D;0\x07\x1b]133;A\x07there\x1b]133;B\x07")
    assert await wait == Outcome("prompt", "there")


async def test_a_question_for_a_secret_is_told_apart(seat: Seat, start: Start) -> None:
    wait = start("prompt", fresh=True)
    seat.scrollback.feed(b"[sudo] password for me: ")
    assert await wait == Outcome("password", "[sudo] password for me:")


async def test_silence_begins_anew_with_each_output(seat: Seat, start: Start) -> None:
    wait = start("silence", quiet=0.4)
    for _ in range(10):
        await asyncio.sleep(0.05)
        assert not wait.done()
        seat.scrollback.feed(b".")
    assert await wait == Outcome("silence")


async def test_a_screen_is_still_though_it_is_drawn_again_and_again(seat: Seat, start: Start) -> None:
    wait = start("screen", quiet=0.3)
    while not wait.done():
        seat.scrollback.feed(b"\x1b[Hthe same")
        await asyncio.sleep(0.01)
    assert wait.result() == Outcome("screen")


async def test_a_screen_that_changes_is_not_still(seat: Seat, start: Start) -> None:
    wait = start("screen", quiet=0.9, timeout=1.2)
    number = 0
    while not wait.done():
        number += 1
        seat.scrollback.feed(b"\x1b[H%d" % number)
        await asyncio.sleep(0.01)
    assert wait.result() == Outcome("timeout")


async def test_a_screen_is_matched_as_it_is_shown(seat: Seat, start: Start) -> None:
    wait = start("screen", pattern=Pattern("^hello world$"))
    seat.scrollback.feed(b"\x1b[2;7Hworld")
    await asyncio.sleep(0.02)
    assert not wait.done()
    seat.scrollback.feed(b"\x1b[2;1Hhello")
    assert await wait == Outcome("matched", "hello world")


async def test_a_prompt_unlike_any_other_is_learned_when_something_is_typed_at_it(seat: Seat) -> None:
    display, prompts = Display(seat), Prompts(seat)

    async def wait(timeout: float) -> Outcome:
        wanted = Wanted(kind="prompt", timeout=timeout, quiet=0.02, fresh=True)
        return await Waiting(seat.scrollback, display, seat.scrollback.end, prompts.look).until(wanted)

    async def shows(text: bytes, timeout: float = 5) -> Outcome:
        waiting = asyncio.ensure_future(wait(timeout))
        await asyncio.sleep(0)
        seat.scrollback.feed(text)
        return await waiting

    assert await shows(b"box one | ", timeout=STOOD * 1.5) == Outcome("timeout")
    prompts.answered(display)
    assert await shows(b"typed\r\nanswer\r\nbox one | ") == Outcome("prompt-like", "box one |")
    assert await shows(b"cd\r\nbox two | ") == Outcome("prompt-like", "box two |")
    assert await shows(b"x\r\nworking | 3", timeout=0.2) == Outcome("timeout")


async def test_typing_ahead_and_typing_in_parts_teach_nothing(seat: Seat) -> None:
    display, prompts = Display(seat), Prompts(seat)
    seat.scrollback.feed(b"working | ")
    await display.refresh()
    prompts.answered(display)  # it has just come
    assert prompts.look("working |") is None
    seat.scrollback.feed(b"\r\nbox | part")
    seat.scrollback.fed_at -= STOOD
    prompts._typed_at = seat.scrollback.end - 4
    await display.refresh()
    prompts.answered(display)
    assert prompts.look("box | part") is None

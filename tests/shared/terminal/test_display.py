"""A session's screen and what of it has changed."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.terminal import display as module
from shared.terminal.channel import Seat
from shared.terminal.display import REPLAY, Display
from shared.terminal.screen import Screen
from shared.terminal.scrollback import Scrollback


def seat(limit: int = 1024 * 1024) -> Seat:
    return Seat(Scrollback(limit), 20, 5)


async def test_only_rows_that_changed_are_told() -> None:
    there = seat()
    display = Display(there)
    there.scrollback.feed(b"one\r\ntwo\r\n")
    first = await display.view()
    assert (first.rows, first.whole, first.cursor) == ((0, 1, 2, 3, 4), True, 10)
    assert (await display.view(first.cursor)).rows == ()
    there.scrollback.feed(b"\x1b[2;1HTWO\x1b[5;1Hfive")
    second = await display.view(first.cursor)
    assert (second.rows, second.whole) == ((1, 4), False)
    assert second.look.lines[1] == "TWO"
    there.scrollback.feed(b"\x1b[1;1Hone")
    assert (await display.view(second.cursor)).rows == ()
    assert (await display.view(first.cursor)).rows == (1, 4)
    assert (await display.view(0)).rows == (0, 1, 4)


async def test_after_a_resize_all_is_new_to_those_who_saw_it_before() -> None:
    there = seat()
    display = Display(there)
    there.scrollback.feed(b"one")
    before = await display.view()
    there.rows = 4
    resized = await display.view(before.cursor)
    assert (resized.rows, resized.whole) == ((0, 1, 2, 3), True)
    there.scrollback.feed(b"x")
    later = await display.view()
    assert (await display.view(later.cursor)).rows == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b\r\n", "\x1b[2;1Hx", "\x1b[2J", "\x1b[H", "\n", "\x1b[?1049h", "\x1b[?1049l"])))
def test_whoever_applies_the_changes_has_the_screen(pieces: list[str]) -> None:
    async def follow() -> None:
        there = seat()
        display = Display(there)
        seen = await display.view()
        copy, cursor = list(seen.look.lines), seen.cursor
        for at, piece in enumerate(pieces):
            there.scrollback.feed(piece.encode())
            if at % 3 == 0:
                await display.refresh()
            if at % 2 == 0:
                seen = await display.view(cursor)
                cursor = seen.cursor
                for row in seen.rows:
                    copy[row] = seen.look.lines[row]
                assert copy == list(seen.look.lines)

    asyncio.run(follow())


async def test_a_flood_is_rendered_from_its_end_with_the_modes_of_all() -> None:
    there = seat()
    display = Display(there)
    there.scrollback.feed(b"main")
    await display.refresh()
    there.scrollback.feed(b"\x1b[?1049h\x1b[?1h" + b"x\r\n" * REPLAY + b"\x1b[2J\x1b[Hlast")
    view = await display.view()
    assert view.look.lines == ("last", "", "", "", "")
    assert view.look.alternate
    assert display.screen.application_cursor
    there.scrollback.feed(b"\x1b[?1049l!")
    assert (await display.view()).look.lines[0] == "main!"


async def test_a_gap_is_got_over() -> None:
    there = seat(limit=10_000)
    display = Display(there)
    there.scrollback.feed(b"old")
    await display.refresh()
    for _ in range(30):
        there.scrollback.feed(b"z" * 1000)
    there.scrollback.feed(b"\x1b[2J\x1b[Hnew")
    assert (await display.view()).look.lines == ("new", "", "", "", "")


async def test_whoever_leaves_does_not_spoil_it_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    real = module._rendered

    def counted(screen: Screen, text: str, cols: int, rows: int) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return real(screen, text, cols, rows)
        finally:
            running -= 1

    monkeypatch.setattr(module, "_rendered", counted)
    there = seat()
    display = Display(there)
    there.scrollback.feed(b"one\r\n" * 2000 + b"last")
    views = [asyncio.ensure_future(display.view()) for _ in range(5)]
    await asyncio.sleep(0)
    views[0].cancel()
    views[3].cancel()
    done = await asyncio.gather(*views, return_exceptions=True)
    assert [type(view).__name__ for view in done].count("CancelledError") == 2
    assert (await display.view()).look.lines[-1] == "last"
    assert most == 1
    await display.settle()

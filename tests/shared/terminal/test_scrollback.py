"""What a shell has shown."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.scrollback import CHUNK, Scrollback, Slice


def test_what_was_fed_is_read_in_order_by_cursor() -> None:
    scrollback = Scrollback(1000)
    scrollback.feed(b"one ")
    scrollback.feed(b"two")
    assert scrollback.read(0) == Slice("one two", 7, 0)
    assert scrollback.read(4) == Slice("two", 7, 0)
    assert scrollback.read(0, limit=3) == Slice("one", 3, 0)
    assert scrollback.read(7) == Slice("", 7, 0)


def test_a_cursor_from_the_future_is_taken_back_to_the_end() -> None:
    scrollback = Scrollback(1000)
    scrollback.feed(b"abc")
    assert scrollback.read(99) == Slice("", 3, 0)


def test_a_character_whose_bytes_come_apart_is_whole() -> None:
    scrollback = Scrollback(1000)
    for byte in "aé漢😀".encode():
        scrollback.feed(bytes([byte]))
    assert scrollback.read(0).text == "aé漢😀"
    assert scrollback.end == 4


def test_bytes_that_are_no_text_are_replaced() -> None:
    scrollback = Scrollback(1000)
    scrollback.feed(b"a\xffb\xe6")
    scrollback.finish()
    assert scrollback.read(0).text == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [("latin-1", b"\xe9\xff", "éÿ"), ("cp437", b"\x82\xc9\xcd", "é╔═"), ("shift_jis", b"\x8a\xbf\x8e\x9a\xfd", "漢字\ufffd")],
)  # fmt: skip
def test_other_encodings_are_decoded_as_they_come(encoding: str, data: bytes, text: str) -> None:
    scrollback = Scrollback(1000, encoding)
    for byte in data:
        scrollback.feed(bytes([byte]))
    scrollback.finish()
    assert scrollback.read(0).text == text


def test_it_stays_within_its_bytes_and_counts_what_a_reader_missed() -> None:
    scrollback = Scrollback(64 * 1024)
    for number in range(20_000):
        scrollback.feed(f"line {number}\n".encode())
    part = scrollback.read(10)
    assert len(part.text) <= 64 * 1024
    assert part.text.endswith("line 19999\n")
    assert part.dropped == scrollback.start - 10
    assert part.dropped + len(part.text) == scrollback.end - 10


@given(
    st.lists(st.text(alphabet="aé漢😀\n", max_size=3 * CHUNK), max_size=8),
    st.integers(1, 50),
    st.integers(2000, 40_000),
)
def test_readers_get_everything_or_are_told_how_much_is_missing(pieces: list[str], step: int, limit: int) -> None:
    scrollback = Scrollback(limit)
    whole = "".join(pieces)
    data = whole.encode()
    for at in range(0, len(data), max(1, len(data) // step)):
        scrollback.feed(data[at : at + max(1, len(data) // step)])
    part = scrollback.read(0)
    assert part.cursor == len(whole)
    assert part.text == whole[part.dropped :]
    assert len(part.text.encode()) <= max(limit, 4 * CHUNK)


async def test_waiting_ends_when_something_comes() -> None:
    scrollback = Scrollback(1000)
    waits = [asyncio.ensure_future(scrollback.wait(0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    scrollback.feed(b"x")
    await asyncio.wait_for(asyncio.gather(*waits), 5)
    assert not scrollback._waiters


async def test_waiting_ends_with_the_shell() -> None:
    scrollback = Scrollback(1000)
    wait = asyncio.ensure_future(scrollback.wait(500))
    await asyncio.sleep(0)
    scrollback.finish()
    await asyncio.wait_for(wait, 5)


async def test_a_cancelled_wait_is_forgotten() -> None:
    scrollback = Scrollback(1000)
    wait = asyncio.ensure_future(scrollback.wait(0))
    await asyncio.sleep(0)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert not scrollback._waiters


async def test_a_follower_gets_everything_until_the_end() -> None:
    scrollback = Scrollback(1000)
    scrollback.feed(b"one")
    seen: list[Slice] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async for part in scrollback.follow(1):
            seen.append(part)
            begun.set()

    following = asyncio.ensure_future(follow())
    await asyncio.wait_for(begun.wait(), 5)
    scrollback.feed(b" two")
    scrollback.finish()
    await asyncio.wait_for(following, 5)
    assert "".join(part.text for part in seen) == "ne two"
    assert seen[-1].cursor == 7


async def test_a_slow_follower_is_told_of_the_gap_and_holds_up_nobody() -> None:
    scrollback = Scrollback(10_000)
    follower = scrollback.follow(0)
    scrollback.feed(b"begin")
    assert (await anext(follower)).text == "begin"
    for _ in range(100):
        scrollback.feed(b"x" * 1000)
    part = await anext(follower)
    assert part.dropped > 80_000
    assert part.dropped + len(part.text) == 100_000

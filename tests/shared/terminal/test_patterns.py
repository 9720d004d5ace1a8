"""Callers' patterns."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.terminal.patterns import Pattern


async def test_a_pattern_is_found_with_its_lines() -> None:
    assert await Pattern(r"^b(\d+)$").search("a\nb12\nc") == "b12"
    assert await Pattern("漢.").search("x漢字y") == "漢字"
    assert await Pattern("none").search("some") is None
    assert await Pattern("(?i)READY").search("x" * 100_000 + "ready") == "ready"


@pytest.mark.parametrize("pattern", ["(", "a**", r"(a)\1", "(?=a)", "(?<!a)b", "[z-a]", "(?:a{1000}){1000}", "\\"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="RE2") as refused:
        Pattern(pattern)
    assert refused.value.details["fields"][0]["field"] == "wait.pattern"  # type: ignore[index,call-overload]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(?:[ab]{1,40}){10}(c|d)", r"(a?){30}a{30}x"])
async def test_patterns_that_hang_other_engines_hold_up_nobody(pattern: str) -> None:
    work = asyncio.ensure_future(Pattern(pattern).search("a" * 1_000_000))
    turns = 0
    async with asyncio.timeout(30):
        while not work.done():
            turns += 1
            await asyncio.sleep(0)
    assert turns > 1


@given(st.text(max_size=30), st.text(max_size=50))
def test_any_pattern_is_taken_or_refused(pattern: str, text: str) -> None:
    try:
        made = Pattern(pattern)
    except InvalidInput:
        return
    asyncio.run(made.search(text))

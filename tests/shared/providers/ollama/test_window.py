"""The window that a request gets: large enough, in few steps, within bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.providers.ollama.window import SMALLEST, Size, Window, size_of, window_for


def size(text: str, **more: Any) -> Size:
    return size_of({"messages": [{"role": "user", "content": text, **more}]})


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 100, 1_000),
        ("3.14159,2.71828\n" * 100, 1_600),
        ("敏捷的棕色狐狸跳过了懒狗。" * 100, 1_300),
        ("for i in range(10):\n    print(f'{i}: {values[i]}')\n" * 100, 2_000),
        ("Съешь же ещё этих мягких булок. " * 100, 1_200),
    ],
    ids=["prose", "digits", "Chinese", "code", "Russian"],
)
def test_the_careful_guess_holds_what_tokenizers_make_of_a_text(text: str, tokens: int) -> None:
    """`tokens`: about what the tokenizers of today's open models give."""
    found = size(text)
    assert found.at_least < tokens <= found.at_most < 3 * tokens


@given(st.text(), st.integers(0, 5))
def test_the_guesses_are_in_order(text: str, images: int) -> None:
    found = size(text, images=["QUJD"] * images)
    assert found.images == images
    assert found.at_least <= found.estimate <= found.at_most


def test_tools_and_calls_count_and_images_count_by_number() -> None:
    bare = size("Hi")
    pictured = size("Hi", images=["A" * 1_000_000])
    assert pictured.estimate - bare.estimate == 1_000
    tools = [{"type": "function", "function": {"name": "f", "description": "word " * 1_000}}]
    assert size_of({"messages": [], "tools": tools}).estimate > 1_200
    assert size("", tool_calls=[{"function": {"name": "f", "arguments": {"a": "word " * 1_000}}}]).estimate > 1_200


def test_what_cannot_be_json_is_the_callers_fault() -> None:
    with pytest.raises(InvalidInput):
        size("\ud800")


@pytest.mark.parametrize(
    ("tokens", "more", "expected"),
    [
        (100, {}, 4_096),
        (2_048, {}, 4_096),
        (2_049, {}, 8_192),
        (100_000, {}, 131_072),
        (100, {"room": 30_000}, 32_768),
        (100, {"wanted": 5_000}, 5_000),
        (100, {"loaded": 5_000}, 5_000),
        (100, {"loaded": 1_000}, 4_096),
        (100, {"longest": 2_048}, 2_048),
        (100, {"limit": 3_000, "longest": 2_500}, 2_500),
        (100, {"room": 30_000, "limit": 10_000}, 10_000),
        (100, {"wanted": 9_000, "limit": 5_000}, 5_000),
        (100, {"loaded": 9_000, "limit": 5_000}, 9_000),
    ],
)
def test_windows(tokens: int, more: dict[str, int], expected: int) -> None:
    found = window_for(Size(letters=tokens * 4), **{"room": 2_048, **more})
    assert found.tokens == expected


@given(
    st.integers(0, 300_000),
    st.integers(1, 50_000),
    st.integers(0, 200_000),
    st.integers(0, 200_000),
    st.one_of(st.none(), st.integers(1, 300_000)),
    st.one_of(st.none(), st.integers(1, 300_000)),
)
def test_a_window_holds_the_prompt_or_says_that_it_does_not(
    tokens: int, room: int, wanted: int, loaded: int, longest: int | None, limit: int | None
) -> None:
    found = window_for(Size(letters=tokens * 4), room=room, wanted=wanted, loaded=loaded, longest=longest, limit=limit)
    bounds = [bound for bound in (longest, limit) if bound]
    assert found.tokens >= loaded
    assert not bounds or found.tokens <= max(min(bounds), loaded)
    assert bounds or found.tokens >= max(tokens + room, wanted, SMALLEST)
    assert found.too_small == found.tight == (tokens >= found.tokens)


def window(tokens: int, *, most: int | None = None, prompt: int = 0) -> Window:
    return Window(tokens=tokens, most=most, size=Size(letters=prompt * 4), room=2_048)


@pytest.mark.parametrize(
    ("now", "most", "prompt", "expected"),
    [
        (4_096, None, 9_000, 16_384),
        (4_096, 10_000, 9_000, 10_000),
        (4_096, 9_000, 9_000, None),
        (4_096, 4_096, 9_000, None),
        (16_384, None, 9_000, None),
    ],
)
def test_a_larger_window_is_one_that_helps(now: int, most: int | None, prompt: int, expected: int | None) -> None:
    larger = window(now, most=most).larger(prompt)
    assert (larger.tokens if larger else None) == expected


@pytest.mark.parametrize(
    ("tokens", "estimate", "read", "cut"),
    [
        (32_768, 20_000, 20_300, False),
        (32_768, 20_000, 15_000, False),
        (32_768, 20_000, 2_050, True),
        (32_768, 20_000, 4_096, True),
        (32_768, 20_000, 40, False),
        (4_096, 4_200, 4_096, True),
        (4_096, 4_200, 4_095, True),
        (4_096, 4_200, 2_050, True),
        (4_096, 2_000, 2_050, False),
        (4_096, 100, 110, False),
    ],
    ids=[
        "whole",
        "a frugal tokenizer",
        "half of another window",
        "all of another window",
        "the rest was cached",
        "filled",
        "filled but for one",
        "half of this window",
        "half full",
        "short",
    ],
)
def test_a_cut_is_seen_in_the_count(tokens: int, estimate: int, read: int, cut: bool) -> None:
    assert window(tokens, prompt=estimate).was_cut(read) is cut

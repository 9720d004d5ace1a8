"""Patterns against words that are known, and against words that are not."""

import fnmatch
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.terminal.policy.patterns import Match, match, surely
from shared.terminal.policy.words import ANY, SPLIT, STAR

CASES = [
    ("rm", "rm", Match.YES),
    ("rm", "RM", Match.YES),
    ("rm", "rmdir", Match.NO),
    ("mkfs*", "mkfs.ext4", Match.YES),
    ("/*", "/etc", Match.YES),
    ("/*", "/etc/x", Match.NO),
    ("/etc/**", "/etc/x/y", Match.YES),
    ("?", "a", Match.YES),
    ("?", "/", Match.NO),
    ("a.b", "axb", Match.NO),
    ("rm", ANY, Match.MAYBE),
    ("rm", f"r{ANY}", Match.MAYBE),
    ("rm", f"x{ANY}", Match.NO),
    ("rm", f"r{STAR}", Match.YES),
    ("/etc/**", f"/e{STAR}/x", Match.YES),
    ("/etc/x", f"/{STAR}", Match.NO),
    ("/", STAR, Match.NO),
    ("~", STAR, Match.NO),
    ("rm", f"rm{SPLIT}-rf{SPLIT}/", Match.MAYBE),
    ("/", f"rm{SPLIT}-rf{SPLIT}/", Match.MAYBE),
    ("ls", f"rm{SPLIT}-rf", Match.MAYBE),
    ("rm", f"rm{ANY}-rf", Match.NO),
    ("rm", ANY + "x" * 3000, Match.MAYBE),
]


@pytest.mark.parametrize(("pattern", "word", "expected"), CASES)
def test_a_pattern_against_a_word(pattern: str, word: str, expected: Match) -> None:
    assert match(pattern, word) is expected


@pytest.mark.parametrize(
    ("pattern", "word", "expected"),
    [
        ("ls", "ls", True),
        ("ls", "LS", False),
        ("*", f"a{STAR}", True),
        ("*", ANY, False),
        ("**", ANY, True),
        ("l?", f"l{STAR}", False),
        ("/srv/**", f"/srv/{ANY}", True),
        ("/srv/*", f"/srv/{ANY}", False),
    ],
)
def test_leave_needs_to_hold_for_whatever_it_becomes(pattern: str, word: str, expected: bool) -> None:
    assert surely(pattern, word) is expected


ALPHABET = "ab/"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from([*ALPHABET, "*", "?"]), max_size=5).map("".join),
    st.lists(st.sampled_from([*ALPHABET, ANY, STAR]), max_size=4),
    st.lists(st.text(ALPHABET, max_size=2), min_size=4, max_size=4),
)
def test_what_a_word_may_become_is_never_missed(pattern: str, parts: list[str], fillings: list[str]) -> None:
    fills = iter(fillings)
    real = "".join(
        next(fills).replace("/", "" if part == STAR else "/") if part in (ANY, STAR) else part for part in parts
    )
    one = re.sub(r"\*+", "*", pattern)
    plain = re.compile(fnmatch.translate(one).replace(".*", "[^/]*").replace("(?s:", "(?s:"))
    if match(one, real) is Match.YES:
        assert match(one, "".join(parts)) is not Match.NO
    assert plain is not None

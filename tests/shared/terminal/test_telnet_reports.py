"""What a host asks of a terminal."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.telnet_reports import Queries, answer

ASKED = b"\x1b[H\x1b[6nlogin\x1b[c: \x1b[0c\x1b[5n\x1b[16n\x1b[6"


@given(st.lists(st.integers(1, len(ASKED) - 1), max_size=len(ASKED)))
def test_questions_are_found_however_they_are_cut(cuts: list[int]) -> None:
    queries, places = Queries(), sorted({0, len(ASKED), *cuts})
    found = [(query, begin + at) for begin, end in pairwise(places) for query, at in queries.find(ASKED[begin:end])]
    assert [query for query, _ in found] == ["cursor", "attributes", "attributes", "status"]
    assert [ASKED[:at][-1:] for _, at in found] == [b"n", b"c", b"c", b"n"]
    assert queries.find(b"n") == [("cursor", 1)]


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_nothing_else_is_kept(pieces: list[bytes]) -> None:
    queries = Queries()
    for piece in pieces:
        queries.find(piece)
        assert len(queries._carry) <= 3


@pytest.mark.parametrize(
    ("query", "said"), [("cursor", b"\x1b[5;10R"), ("status", b"\x1b[0n"), ("attributes", b"\x1b[?1;2c")]
)
def test_they_are_answered_as_a_terminal_does(query: str, said: bytes) -> None:
    assert answer(query, (4, 9)) == said  # type: ignore[arg-type]

"""Text for people to judge."""

import pytest

from shared.terminal.visible import MOST, cut, visible


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\u2028", "\ufeff", "\x1b", "\r", "\x7f", "\u00a0", "\udc80"])
def test_what_nobody_sees_is_written_out(sign: str) -> None:
    assert visible(f"a{sign}b") == f"a\\u{ord(sign):04x}b"


def test_what_everybody_sees_stays() -> None:
    assert visible("ls -l 'ä 漢' |\n\tcat") == "ls -l 'ä 漢' |\n\tcat"
    assert visible("\U000e0041") == "\\U000e0041"


def test_long_inputs_that_begin_alike_look_different() -> None:
    begin = "x" * MOST
    assert cut(begin) == begin
    assert cut(f"{begin}a") != cut(f"{begin}b")
    assert "1 more characters" in cut(f"{begin}\udc80")

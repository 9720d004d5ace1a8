"""Keeping an echoed secret out of what is shown."""

from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.mask import HIDDEN, Mask


def test_nothing_is_changed_before_there_is_a_secret() -> None:
    mask = Mask()
    assert mask.feed(b"hunter2") == b"hunter2"
    assert not mask.holds


@given(st.binary(max_size=30), st.binary(max_size=30), st.integers(1, 10))
def test_a_secret_is_hidden_however_its_bytes_come(before: bytes, after: bytes, cut: int) -> None:
    mask = Mask()
    mask.hide(b"hunter2")
    data = before + b"hunter2" + after
    shown = b"".join(mask.feed(data[at : at + cut]) for at in range(0, len(data), cut)) + mask.rest()
    assert shown == data.replace(b"hunter2", HIDDEN)


def test_the_beginning_of_one_is_held_back_until_it_is_known() -> None:
    mask = Mask()
    mask.hide(b"hunter2")
    assert mask.feed(b"to hunt") == b"to "
    assert mask.holds
    assert mask.rest() == b"hunt"
    assert not mask.holds


def test_several_secrets_are_hidden_the_longer_one_first() -> None:
    mask = Mask()
    mask.hide(b"hunter")
    mask.hide(b"hunter2")
    assert mask.feed(b"hunter2 hunter.") == HIDDEN + b" " + HIDDEN + b"."

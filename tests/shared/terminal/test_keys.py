"""Keys by name, and what is typed for them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.terminal.keys import Input, Modes, parse, pasted


def typed(text: str, *, application: bool = False) -> str:
    return Input(keys=parse(text)).encoded(Modes(application_cursor=application))


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("ls -l<Enter>", "ls -l\r"),
        ("a\nb\r\nc", "a\rb\rc"),
        ("<Tab><S-Tab><Esc><Space><Backspace>", "\t\x1b[Z\x1b \x7f"),
        ("<Delete><Insert><Home><End><PageUp><PageDown>", "\x1b[3~\x1b[2~\x1b[H\x1b[F\x1b[5~\x1b[6~"),
        ("<Up><Down><Right><Left>", "\x1b[A\x1b[B\x1b[C\x1b[D"),
        ("<F1><F2><F3><F4>", "\x1bOP\x1bOQ\x1bOR\x1bOS"),
        ("<F5><F6><F7><F8>", "\x1b[15~\x1b[17~\x1b[18~\x1b[19~"),
        ("<F9><F10><F11><F12>", "\x1b[20~\x1b[21~\x1b[23~\x1b[24~"),
        (r"<C-[><C-\><C-]><C-^><C-_><C-Space><C-@><C-?>", "\x1b\x1c\x1d\x1e\x1f\0\0\x7f"),
        ("<M-x><M-X><A-b><M-Enter><M-Backspace>", "\x1bx\x1bX\x1bb\x1b\r\x1b\x7f"),
        ("<C-M-x><M-C-x>", "\x1b\x18\x1b\x18"),
        ("<C-Up><S-Left><M-Home><C-S-End>", "\x1b[1;5A\x1b[1;2D\x1b[1;3H\x1b[1;6F"),
        ("<S-F1><C-F5><S-Delete>", "\x1b[1;2P\x1b[15;5~\x1b[3;2~"),
        ("<enter><CR><RETURN><pgup><BS><Del>", "\r\r\r\x1b[5~\x7f\x1b[3~"),
        ("cat <<<<EOF", "cat <<EOF"),
        ("a <lt>b<gt> > c", "a <b> > c"),
        ("<S-a><M-lt>", "A\x1b<"),
    ],
)
def test_keys_are_typed_as_a_terminal_does(keys: str, sent: str) -> None:
    assert typed(keys) == sent


def test_every_control_letter_is_there() -> None:
    for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz", 1):
        assert typed(f"<C-{letter}>") == typed(f"<c-{letter.upper()}>") == chr(number)


def test_cursor_keys_follow_the_mode_of_the_program() -> None:
    assert typed("<Up><Home><C-Up>x<F1><F5>", application=True) == "\x1bOA\x1bOH\x1b[1;5Ax\x1bOP\x1b[15~"
    assert Input(keys=parse("x<Up>")).needs_modes
    assert not Input(keys=parse("x<F1><Enter>")).needs_modes


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("<Entr>", "Enter"),
        ("ab<PgeUp>", "at character 3"),
        ("<C-Dwn>", "Down"),
        ("a < b", "<lt>"),
        ("<", "<lt>"),
        ("<M-<<", "<lt>"),
        ("<zzzzzz>", "Backspace"),
        ("<x>", "no such key"),
        ("<C-é>", "no such key"),
        ("<C->", "no such key"),
        ("<C-1>", "no such key"),
    ],
)
def test_what_is_no_key_is_refused_with_those_near_it(keys: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        parse(keys)
    assert refused.value.details["fields"][0]["field"] == "keys"  # type: ignore[index,call-overload]


def test_a_refusal_repeats_nothing_of_what_was_to_be_typed() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse("hunter2<hunter3>")
    assert "hunter" not in str(refused.value) + str(refused.value.details)


def test_a_paste_is_bracketed_for_those_who_ask() -> None:
    assert pasted("a\nb\tc\r\n", bracketed=True) == "\x1b[200~a\rb\tc\r\x1b[201~"


def test_a_paste_executes_nothing_elsewhere() -> None:
    assert pasted("rm a\n\tb\r\n\n", bracketed=False) == "rm a  b"


@given(st.text(), st.booleans())
def test_nothing_pasted_ends_the_paste_or_is_a_control(text: str, bracketed: bool) -> None:
    sent = pasted(text, bracketed=bracketed)
    inner = sent.removeprefix("\x1b[200~").removesuffix("\x1b[201~") if bracketed else sent
    assert not any(ord(character) < 32 and character not in "\r\t" for character in inner)
    assert "\r" not in inner or bracketed


@given(st.text(alphabet="<>-CcMmSs abEnterUp\n1é[\\", max_size=40))
def test_any_text_is_typed_or_refused(text: str) -> None:
    try:
        keys = parse(text)
    except InvalidInput:
        assert "<" in text
        return
    assert all(key.normal and key.application for key in keys)


@given(st.text())
def test_text_with_doubled_brackets_is_itself(text: str) -> None:
    assert typed(text.replace("<", "<<")).replace("\r", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")


def test_text_comes_before_keys() -> None:
    assert Input(text="a\nb", keys=parse("<Enter>")).encoded(Modes()) == "a\nb\r"
    assert Input(text="a\nb", paste=True, keys=parse("<Enter>")).encoded(Modes()) == "a b\r"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("<Crtl-c>", "did you mean <C-c>"),
        ("<ctrl+C>", "did you mean <C-c>"),
        ("<Alt-x>", "did you mean <M-x>"),
        ("<Control-Up>", "did you mean <C-Up>"),
        ("<Shft-Tab>", "did you mean <S-Tab>"),
        ("<Entr>", "did you mean <Enter>"),
        ("<zzzzzz>", "there are: Enter, "),
    ],
)
def test_a_wrong_name_is_answered_with_the_near_ones(wrong: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(hint)):
        parse(f"x{wrong}")

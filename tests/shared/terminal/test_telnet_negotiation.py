"""The telnet protocol without I/O."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.telnet_negotiation import (
    BINARY,
    BREAK,
    DO,
    DONT,
    ECHO,
    IAC,
    INTERRUPT_PROCESS,
    MAX_SUBNEGOTIATION,
    SB,
    SE,
    SEND,
    SUPPRESS_GO_AHEAD,
    TERMINAL_TYPE,
    WILL,
    WINDOW_SIZE,
    WONT,
    Negotiation,
)

TERMINAL_SPEED, X_DISPLAY, NEW_ENVIRON, LINEMODE, CHARSET, COMPRESSION = 32, 35, 39, 34, 42, 86


def negotiation() -> Negotiation:
    return Negotiation(cols=80, rows=24)


def test_text_comes_through() -> None:
    assert negotiation().receive(b"login: \r\n\x1b[1m") == (b"login: \r\n\x1b[1m", b"")


def test_a_doubled_escape_is_one_byte_of_text() -> None:
    assert negotiation().receive(bytes([65, IAC, IAC, 66])) == (b"A\xffB", b"")


def test_a_bare_carriage_return_loses_its_nul() -> None:
    assert negotiation().receive(b"a\r\0b\r\nc\0") == (b"a\rb\r\nc\0", b"")


def test_binary_text_keeps_its_nuls() -> None:
    side = negotiation()
    side.receive(bytes([IAC, WILL, BINARY]))
    assert side.receive(b"a\r\0b")[0] == b"a\r\0b"


@pytest.mark.parametrize("option", [BINARY, SUPPRESS_GO_AHEAD, TERMINAL_TYPE])
def test_we_do_what_we_can(option: int) -> None:
    assert negotiation().receive(bytes([IAC, DO, option]))[1] == bytes([IAC, WILL, option])


@pytest.mark.parametrize("option", [BINARY, ECHO, SUPPRESS_GO_AHEAD])
def test_we_let_the_other_side_do_what_helps(option: int) -> None:
    assert negotiation().receive(bytes([IAC, WILL, option]))[1] == bytes([IAC, DO, option])


@pytest.mark.parametrize(
    ("asked", "answer", "option"), [(DO, WONT, ECHO), (DO, WONT, 39), (WILL, DONT, 24), (WILL, DONT, 86)]
)
def test_everything_else_is_refused(asked: int, answer: int, option: int) -> None:
    assert negotiation().receive(bytes([IAC, asked, option]))[1] == bytes([IAC, answer, option])


@pytest.mark.parametrize("option", [BINARY, SUPPRESS_GO_AHEAD])
def test_only_changes_are_answered(option: int) -> None:
    side = negotiation()
    side.receive(bytes([IAC, DO, option, IAC, WILL, option]))
    assert side.receive(bytes([IAC, DO, option, IAC, WILL, option]))[1] == b""
    assert side.receive(bytes([IAC, DONT, option]))[1] == bytes([IAC, WONT, option])
    assert side.receive(bytes([IAC, DONT, option]))[1] == b""
    assert side.receive(bytes([IAC, WONT, option, IAC, WONT, option]))[1] == bytes([IAC, DONT, option])


def test_the_size_is_told_when_asked_and_when_it_changes() -> None:
    side = negotiation()
    assert side.resize(100, 30) == b""
    assert side.receive(bytes([IAC, DO, WINDOW_SIZE]))[1] == bytes(
        [IAC, WILL, WINDOW_SIZE, IAC, SB, WINDOW_SIZE, 0, 100, 0, 30, IAC, SE]
    )
    assert side.resize(255, 50) == bytes([IAC, SB, WINDOW_SIZE, 0, IAC, IAC, 0, 50, IAC, SE])


def test_the_terminal_type_is_told_when_asked() -> None:
    side = negotiation()
    ask = bytes([IAC, SB, TERMINAL_TYPE, SEND, IAC, SE])
    assert side.receive(ask)[1] == b""
    side.receive(bytes([IAC, DO, TERMINAL_TYPE]))
    assert side.receive(ask)[1] == bytes([IAC, SB, TERMINAL_TYPE, 0]) + b"xterm-256color" + bytes([IAC, SE])


def test_messages_we_do_not_know_are_skipped() -> None:
    data = bytes([IAC, SB, 39, 1, IAC, IAC, 2, IAC, SE]) + b"text" + bytes([IAC, 241, IAC, 249])
    assert negotiation().receive(data) == (b"text", b"")


def test_an_endless_message_does_not_grow() -> None:
    side = negotiation()
    side.receive(bytes([IAC, SB, 39]) + b"x" * 100_000)
    assert side._subnegotiation is not None
    assert len(side._subnegotiation) == MAX_SUBNEGOTIATION


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (b"show\n", b"show\r\n"),
        (b"show\r\n", b"show\r\n"),
        (b"show\r", b"show\r\0"),
        (b"\xff", b"\xff\xff"),
        ("é\x03".encode(), "é\x03".encode()),
    ],
)
def test_typed_text_is_written_as_telnet_has_it(typed: bytes, sent: bytes) -> None:
    assert negotiation().encode(typed) == sent


def test_typed_text_goes_as_it_is_when_we_are_binary() -> None:
    side = negotiation()
    side.receive(bytes([IAC, DO, BINARY]))
    assert side.encode(b"a\r\n\xff") == b"a\r\n\xff\xff"


@given(st.binary(max_size=300), st.lists(st.integers(1, 20), min_size=1, max_size=40))
def test_it_does_not_matter_how_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, parts = negotiation(), negotiation()
    text, reply = whole.receive(data)
    got, answered, at = b"", b"", 0
    while at < len(data):
        for cut in cuts:
            more, answer = parts.receive(data[at : at + cut])
            got, answered, at = got + more, answered + answer, at + cut
    assert (got, answered) == (text, reply)
    assert len(reply) <= 13 * len(data) + 13


@given(st.binary(max_size=200))
def test_what_is_typed_is_understood_by_the_other_side(typed: bytes) -> None:
    other = negotiation()
    text, reply = other.receive(negotiation().encode(typed.replace(b"\r", b"").replace(b"\0", b"")))
    assert text.replace(b"\r\n", b"\n") == typed.replace(b"\r", b"").replace(b"\0", b"")
    assert reply == b""


@pytest.mark.parametrize("option", [TERMINAL_SPEED, X_DISPLAY, NEW_ENVIRON, LINEMODE, CHARSET, COMPRESSION])
def test_what_tells_of_us_or_costs_us_is_refused_each_way(option: int) -> None:
    side = negotiation()
    asked = bytes([IAC, DO, option, IAC, WILL, option])
    assert side.receive(asked)[1] == bytes([IAC, WONT, option, IAC, DONT, option])
    assert side.receive(bytes([IAC, SB, option, SEND, IAC, SE]))[1] == b""


def test_a_message_whose_end_was_forgotten_ends_with_the_next_command() -> None:
    side = negotiation()
    text, reply = side.receive(bytes([IAC, SB, 39, 1, IAC, DO, SUPPRESS_GO_AHEAD]) + b"login: ")
    assert (text, reply) == (b"login: ", bytes([IAC, WILL, SUPPRESS_GO_AHEAD]))


def test_commands_without_a_meaning_for_us_leave_no_trace() -> None:
    commands = b"".join(bytes([IAC, command]) for command in range(240, 250))
    assert negotiation().receive(b"a" + commands + b"b") == (b"ab", b"")


@pytest.mark.parametrize("command", [INTERRUPT_PROCESS, BREAK])
def test_ctrl_c_becomes_the_command_that_was_asked_for(command: int) -> None:
    side = Negotiation(cols=80, rows=24, interrupt=command)
    assert side.encode(b"a\x03b\xff") == bytes([97, IAC, command, 98, IAC, IAC])


@given(st.binary(max_size=400))
def test_two_sides_come_to_rest(begin: bytes) -> None:
    one, two = negotiation(), negotiation()
    _, said = one.receive(begin)
    for _ in range(4):
        _, heard = two.receive(said)
        _, said = one.receive(heard)
    assert said == b""


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_nothing_that_comes_makes_it_grow(pieces: list[bytes]) -> None:
    side = negotiation()
    for piece in pieces:
        text, reply = side.receive(piece)
        assert len(text) <= len(piece)
        assert len(reply) <= 21 * len(piece)
    assert side.ours <= {0, 3, 24, 31}
    assert side.theirs <= {0, 1, 3}
    assert len(side._subnegotiation or b"") <= MAX_SUBNEGOTIATION


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_come_as_they_were_sent(data: bytes, binary: bool) -> None:
    side = negotiation()
    if binary:
        side.receive(bytes([IAC, WILL, BINARY]))
    sent = data.replace(b"\xff", b"\xff\xff")
    if not binary:
        data = data.replace(b"\0", b"")
        sent = data.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
    assert side.receive(sent) == (data, b"")


FLOODS = {"escapes": b"\xff", "text and escapes": b"\xff\xffx", "carriage returns": b"\rx", "no operation": b"\xff\xf1"}


@pytest.mark.parametrize("unit", FLOODS.values(), ids=FLOODS)
def test_each_byte_of_a_flood_is_looked_at_a_bounded_number_of_times(unit: bytes) -> None:
    """Counted, not timed: what is searched for the end of plain text is what belongs to it."""

    class Counted(bytes):
        looked_at = 0

        def find(self, *arguments: Any) -> int:
            Counted.looked_at += len(self)
            return super().find(*arguments)

    data = Counted(unit * 4000)
    negotiation().receive(data)
    assert Counted.looked_at <= 2 * len(data)

"""Secrets are taken out of recordings, however they come."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.security.redaction import MASK, Redactor
from shared.terminal.recording_veil import MOST_HELD, Event, Veil, veiled, without_sequences

KNOWN = "correct-horse-battery"
KEY = "sk-proj-" + "a1B2" * 12
REDACT = Redactor([KNOWN]).text
BLOCK = f"-----BEGIN OPENSSH PRIVATE KEY-----\r\n{'b3BlbnNzaC1r' * 5}\r\n{'ZXktdjEAAAAA' * 5}\r\n-----END OPENSSH PRIVATE KEY-----\r\n"
SECRETS = (KEY, KNOWN, "b3BlbnNzaC1r", "ZXktdjEAAAAA", "hunter2hunter2")
TEXT = (
    f"$ cat .env\r\nOPENAI_API_KEY={KEY}\r\n\x1b[32mgreen\x1b[0m\r\npassword: hunter2hunter2\r\n"
    f"{BLOCK}curl -H 'Authorization: Bearer {KEY}' http://me:{KNOWN}@host/\r\nthe end {KNOWN} is near\r\n$ "
)


def recorded(pieces: list[str]) -> str:
    veil = Veil(REDACT)
    written = [event for at, piece in enumerate(pieces) for event in veil.through([Event(at, "o", piece)])]
    written += veil.rest()
    assert all(before.time <= after.time for before, after in pairwise(written))
    return "".join(event.data for event in written)


def cut(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place % len(text) for place in cuts)})
    return [text[begin:end] for begin, end in pairwise(places)]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(TEXT)), max_size=60))
def test_no_secret_slips_through_however_it_is_cut(cuts: list[int]) -> None:
    written = recorded(cut(TEXT, cuts))
    assert [secret for secret in SECRETS if secret in written] == []
    assert written == REDACT(TEXT)


@given(st.text(alphabet="ab \r\n\x1b[1m;sk-_:='\"", max_size=200), st.lists(st.integers(0, 300), max_size=20))
def test_what_is_written_does_not_depend_on_the_cuts(text: str, cuts: list[int]) -> None:
    assert without_sequences(recorded(cut(text, cuts) if text else [])) == without_sequences(recorded([text]))


@settings(deadline=None)
@given(st.integers(1, 3 * MOST_HELD), st.integers(500, 9000), st.sampled_from([KEY, KNOWN, f"token={'x' * 3000}"]))
def test_a_line_without_an_end_is_let_go_and_hides_its_secrets(at: int, size: int, secret: str) -> None:
    text = f"{'progress ' * (at // 9)}{secret} {'done ' * (MOST_HELD // 4)}"
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    assert recorded(pieces) == REDACT(text)


def test_what_is_held_back_is_bounded() -> None:
    veil = Veil(REDACT)
    written = sum(len(event.data) for _ in range(64) for event in veil.through([Event(0, "o", "spinning \b" * 1000)]))
    assert written > 64 * 10_000 - 2 * MOST_HELD


@pytest.mark.parametrize("opening", ["-----BEGIN RSA PRIVATE KEY-----\r\n", "password="])
def test_a_secret_longer_than_what_is_held_stays_hidden(opening: str) -> None:
    lines = "\r\n" if opening.startswith("-") else ""
    text = opening + f"{'c2VjcmV0' * 8}{lines}" * 3000
    assert "c2VjcmV0" not in recorded([text[at : at + 4000] for at in range(0, len(text), 4000)])


@pytest.mark.parametrize(
    "shown",
    [
        f"key: \x1b[31m{KEY}\x1b[0m",
        f"{KEY[:9]}\x1b[0m\x1b[1m{KEY[9:]}",
        f"password=\x1b[1;31m{KNOWN[:4]}\x1b[0m{KNOWN[4:]}",
        f"{KEY[:20]} \r{KEY[20:]}",
        f"\x1b]0;{KEY}\x07",
    ],
)
def test_colours_and_wrapped_lines_do_not_hide_a_secret(shown: str) -> None:
    written = without_sequences(veiled(f"before\n\x1b[1mbold\x1b[0m\n{shown}\nafter\n", REDACT))
    assert KEY[9:] not in written
    assert KEY[20:] not in written
    assert KNOWN[4:] not in written
    assert "before\nbold\n" in written


def test_lines_without_secrets_keep_their_colours() -> None:
    text = f"\x1b[1mbold\x1b[0m\n{KEY[:9]}\x1b[0m{KEY[9:]}\n"
    assert veiled(text, REDACT) == f"\x1b[1mbold\x1b[0m\n{MASK}\n"


def test_other_events_keep_their_place_and_lose_their_secrets() -> None:
    veil = Veil(REDACT)
    written = veil.through([Event(1, "o", "$ "), Event(2, "r", "90x20"), Event(3, "m", f"$ echo {KNOWN}")])
    assert written == []
    written = veil.through([Event(4, "o", "ls\r\n"), Event(5, "i", f"{KNOWN}\r"), Event(6, "o", "$ ")])
    assert written == [
        Event(1, "o", "$ "),
        Event(2, "r", "90x20"),
        Event(3, "m", f"$ echo {MASK}"),
        Event(4, "o", "ls\r\n"),
        Event(5, "i", f"{MASK}\r"),
    ]
    assert veil.rest() == [Event(6, "o", "$ ")]


def test_the_end_of_a_line_after_a_secret_is_kept() -> None:
    for line in ("password: 'hunter2hunter2", 'password="hunter2hunter2', "password: hunter2hunter2", f"pw {KNOWN}"):
        (typed,) = Veil(REDACT).through([Event(0, "i", f"{line}\r")])
        assert typed.data.endswith("\r"), line
        for end in ("\r\n", "\n"):
            written = recorded([f"{line}{end}$ "])
            assert "hunter2" not in written
            assert KNOWN not in written
            assert written.endswith(f"{end}$ "), (line, end)

"""Words as a shell makes them, held against a real shell."""

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.terminal.policy.commands import seen
from shared.terminal.policy.words import ANY, SPLIT, STAR
from tests.shared.terminal.policy.corpus import action

SPELLINGS = (
    lambda part: f"'{part}'",
    lambda part: f'"{part}"',
    lambda part: "".join(f"\\{character}" for character in part),
    lambda part: "$'" + "".join(f"\\x{ord(character):02x}" for character in part) + "'",
    lambda part: "$'" + "".join(f"\\{ord(character):03o}" for character in part) + "'",
    lambda part: f'$"{part}"',
    lambda part: f"{part}''",
    lambda part: f'""{part}',
    lambda part: part,
)


@st.composite
def quoted(draw: st.DrawFn, word: str) -> str:
    """A word in pieces, each quoted in some way."""
    pieces, rest = [], word
    while rest:
        size = draw(st.integers(1, len(rest)))
        pieces.append(draw(st.sampled_from(SPELLINGS))(rest[:size]))
        rest = rest[size:]
    return "".join(pieces)


def words(line: str) -> tuple[str, ...]:
    return seen(line).acts[0].words


@settings(max_examples=100, deadline=None)
@given(quoted("rm"), quoted("-rf"), quoted("/tmp/x"))
def test_quoting_never_changes_the_verdict(name: str, option: str, target: str) -> None:
    line = f"{name} {option} {target}"
    assert words(line) == ("rm", "-rf", "/tmp/x")
    assert action(line) == "deny"


@settings(max_examples=100, deadline=None)
@given(quoted("echo"), quoted("rm"))
def test_quoting_makes_nothing_of_nothing(name: str, argument: str) -> None:
    assert action(f"{name} {argument}") == "allow"


PIECES = (
    "a",
    "b c",
    "'",
    '"',
    "\\",
    "$x",
    "${x}",
    "\\$",
    "é",
    "#",
    "{",
    "}",
    "{a,b}",
    ",",
    "!",
    "%",
    "=",
    "''",
    '""',
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_words_without_unknown_parts_are_those_of_a_real_shell(text: str) -> None:
    line = f"echo {text}"
    real = subprocess.run(
        ["bash", "-c", f"set -- {text}\nprintf '%s\\0' x \"$@\""], capture_output=True, env={"HOME": "~"}, check=False
    )
    if action(line) == "command_unparsable" or real.returncode:
        return
    found = words(line)[1:]
    if not any(mark in word for word in found for mark in (ANY, STAR, SPLIT)):
        assert real.stdout.decode().split("\0")[1:-1] == list(found)


def test_unknown_parts_are_marked() -> None:
    assert words('echo $x "$x" a*b "*" $((1)) ~/x "$HOME" "$@" {1..3} x?[ab]') == (
        "echo", SPLIT, ANY, f"a{STAR}b", "*", STAR, "~/x", "~", SPLIT, STAR, f"x{STAR}{STAR}",
    )  # fmt: skip


def test_braces_become_words() -> None:
    assert words("echo a{b,c{d,e}}f {x} '{a,b}'") == ("echo", "abf", "acdf", "acef", "{x}", "{a,b}")
    assert words("echo {x},} {a}{b,c}") == ("echo", "x}", "{a}b", "{a}c")

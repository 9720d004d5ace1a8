"""What bash says of its variables."""

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.terminal.declarations import parse, statements, too_large

BASH = shutil.which("bash") or ""
pytestmark = pytest.mark.skipif(not BASH, reason="there is no bash")

VALUES = st.lists(st.binary(max_size=40).map(lambda value: value.replace(b"\0", b"")), min_size=1, max_size=40)


def told(env: dict[bytes, bytes], before: str = "", locale: str = "C.UTF-8") -> bytes:
    command = [BASH, "--norc", "-c", f"{before}\nbuiltin declare -px"]
    return subprocess.run(command, env={b"LC_ALL": locale.encode(), **env}, capture_output=True, check=True).stdout


@settings(max_examples=25, deadline=None)
@given(VALUES, st.sampled_from(["C.UTF-8", "C"]))
def test_every_value_is_read_as_it_was(values: list[bytes], locale: str) -> None:
    env = {f"V{number}".encode(): value for number, value in enumerate(values)}
    found = dict(parse(told(env, locale=locale)) or [])
    assert {name: found[os.fsdecode(name)] for name in env} == {name: os.fsdecode(value) for name, value in env.items()}


def test_what_is_in_no_environment_is_left_out() -> None:
    before = "declare -rx A='a b'; export B; declare -ax C=(1 ')' '\"'); declare -ix D=5; f() { :; }; export -f f; E=1"
    found = dict(parse(told({}, before)) or [])
    assert (found["A"], found["D"]) == ("a b", "5")
    assert not found.keys() & {"B", "C", "E", "f"}


def test_line_ends_may_stand_as_they_are() -> None:
    assert parse(b'declare -x A="a\nb"\ndeclare -x B="c"\n') == [("A", "a\nb"), ("B", "c")]


@pytest.mark.parametrize("other", [b"something else\n", b'declare -x A="open\n', b"declare -x A=bare\n"])
def test_anything_else_is_no_answer(other: bytes) -> None:
    assert parse(other) is None


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_each_statement_of_a_shell_is_told_apart(shell: str) -> None:
    program = shutil.which(shell) or pytest.skip(f"there is no {shell}")
    env = {b"A": b"it's", b"B": b"\nexport C='1'\n", b"D": b'"$x\\" `y`', b"E": b"\x01\xff", b"PWD": b"/"}
    told = subprocess.run([program, "-c", "export F; export -p"], env=env, capture_output=True, check=True).stdout
    found = statements(told)
    assert found is not None
    assert b"".join(found.values()) == told
    assert {"A", "B", "D", "E", "F"} <= found.keys()
    assert "C" not in found


@pytest.mark.parametrize("other", [b"something else\n", b"export A='open\n", b"export A=1; touch it\n"])
def test_a_statement_of_another_kind_is_no_answer(other: bytes) -> None:
    assert statements(other) is None


def test_the_largest_are_left_out_until_the_others_fit() -> None:
    assert too_large({"a": 5, "b": 3, "c": 4}, each=4, total=20) == ["a"]
    assert too_large({"a": 5, "b": 3, "c": 4}, each=9, total=6) == ["a", "c"]
    assert too_large({"a": 5}, each=5, total=5) == []

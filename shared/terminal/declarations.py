"""What shells say of their exported variables: bash's `declare -px` in bash's own quoting, any shell's `export -p`."""

import os
import re
from collections.abc import Mapping
from shlex import split

_DOUBLE = rb'"(?:[^"\\]|\\.)*"'
_ANSI = rb"\$'(?:[^'\\]|\\.)*'"
_LIST = rb"""\((?:%s|%s|[^"'()])*\)""" % (_DOUBLE, _ANSI)
_WORD = rb"""(?:'[^']*'|%s|%s|%s|\\.|[^\s'"\\()])*""" % (_ANSI, _DOUBLE, _LIST)
_STATEMENT = re.compile(rb"(?:declare|typeset|export)(?: -\w+)* ([^\s=]+)(?:=%s)?\n" % _WORD, re.DOTALL)
_LINE = re.compile(rb"declare -\w+ ([^\s=]+)(?:=(%s|%s|%s))?\n" % (_DOUBLE, _ANSI, _LIST), re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ANSI_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_CONTROLS = {b"a": b"\a", b"b": b"\b", b"E": b"\x1b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def parse(told: bytes) -> list[tuple[str, str]] | None:
    """Names and values. Lists, and what has no value, are in no environment. None where it is something else."""
    found, at = [], 0
    while at < len(told):
        line = _LINE.match(told, at)
        if line is None:
            return None
        at = line.end()
        name, value = line.groups()
        if value is not None and not value.startswith(b"("):
            found.append((os.fsdecode(name), os.fsdecode(_unquoted(value))))
    return found


def statements(told: bytes) -> dict[str, bytes] | None:
    """The names, and the statement that sets each. None where it is something else."""
    found, at = {}, 0
    while at < len(told):
        statement = _STATEMENT.match(told, at)
        if statement is None:
            return None
        at = statement.end()
        found[os.fsdecode(statement[1])] = statement[0]
    return found


def value_of(statement: str) -> str | None:
    """The value in a statement of a POSIX shell; None where there is none, or it cannot be read."""
    try:
        words = split(statement)
    except ValueError:
        return None
    _, equals, value = words[-1].partition("=") if words else ("", "", "")
    return value if equals else None


def too_large(sizes: Mapping[str, int], *, each: int, total: int) -> list[str]:
    """The largest variables, without which none is larger than `each` and all together not larger than `total`."""
    found, left = [], sum(sizes.values())
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sizes[name] <= each and left <= total:
            break
        found.append(name)
        left -= sizes[name]
    return found


def _unquoted(value: bytes) -> bytes:
    if value.startswith(b"$"):
        return _ANSI_ESCAPED.sub(_meant, value[2:-1])
    return _ESCAPED.sub(lambda match: match[1], value[1:-1])


def _meant(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 255]) if code.isdigit() else _CONTROLS.get(code, code)

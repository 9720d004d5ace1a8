"""What bash's `declare -px` says: the exported variables, each as an assignment in bash's own quoting."""

import os
import re

_DOUBLE = rb'"(?:[^"\\]|\\.)*"'
_ANSI = rb"\$'(?:[^'\\]|\\.)*'"
_LIST = rb"""\((?:%s|%s|[^"'()])*\)""" % (_DOUBLE, _ANSI)
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


def _unquoted(value: bytes) -> bytes:
    if value.startswith(b"$"):
        return _ANSI_ESCAPED.sub(_meant, value[2:-1])
    return _ESCAPED.sub(lambda match: match[1], value[1:-1])


def _meant(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 255]) if code.isdigit() else _CONTROLS.get(code, code)

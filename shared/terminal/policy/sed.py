"""Programs of sed, read as far as is needed to find a command that runs others or writes files. Pure."""

import re

_SET = r"\[\^?\]?(?:\[[:.=]\w*[:.=]\]|[^\]]){0,200}+\]"
"""A set of characters, in which the character that parts the program is one like others."""


def _until(by: str) -> str:
    """What stands before the character that the group `by` has found, and that character."""
    return rf"(?>\\.|(?!(?P={by}))(?:{_SET}|[^\\]))*+(?P={by})"


def _address(by: str) -> str:
    return rf"(?:[+~]?\d+(?:~\d+)?|\$|\\?(?P<{by}>(?<=\\)[^\\\n]|/){_until(by)}[IM]*)"


_COMMAND = re.compile(
    rf"[\s;{{}}]*(?:{_address('first')}(?:\s*,\s*{_address('last')})?)?[\s!]*(?P<what>[^/\\]|$)", re.DOTALL
)
_PARTS = re.compile(rf"(?P<by>[^\\\n]){_until('by')}(?>\\.|(?!(?P=by))[^\\])*+(?P=by)", re.DOTALL)
_FLAGS = re.compile(r"[gpiImM\d \t]*(?P<acts>[ew]?)")
_TEXT = re.compile(r"(?:\\.|[^\\\n])*", re.DOTALL)
_FILE = re.compile(r"[^\n]*")
_LABEL = re.compile(r"[^;}\n]*")
_BEHIND = {**dict.fromkeys("aic", _TEXT), **dict.fromkeys("#rR", _FILE), **dict.fromkeys(":btTvlLqQ", _LABEL)}
"""What commands have behind them that is no command."""


def acts(program: str) -> bool:
    """Whether it runs commands or writes files; also so where it cannot be read."""
    at = 0
    while at < len(program):
        found = _COMMAND.match(program, at)
        if found is None or found["what"] in ("e", "w", "W"):
            return True
        what, at = found["what"], found.end()
        if what in ("s", "y"):
            parts = _PARTS.match(program, at)
            flags = _FLAGS.match(program, parts.end()) if parts else None
            if flags is None or flags["acts"]:
                return True
            at = flags.end()
        elif what in _BEHIND and (behind := _BEHIND[what].match(program, at)):
            at = behind.end()
    return False

"""Whether a command is known: all that it does shows in its words, by the rows of the table that have flags.

A known command runs nothing but the commands that the policy finds in it, and writes nothing but the files that the policy
finds in it. Every other command is unknown, whatever its name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.terminal.policy.row import Row, subcommand
from shared.terminal.policy.words import MARKS, SPLIT, STAR

FOLDERS = frozenset({"", "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin"})
"""Where commands are what their names say."""

_NUMBER = re.compile(r"-\d+")
_LIKE_OPTION = re.compile(r"-(?!$|\d+\w?$)")
_ANYTHING = ".*"


@dataclass(slots=True)
class _Given:
    """The options, operands and programs among the words of a command."""

    flags: set[str] = field(default_factory=set)
    operands: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


class _Unknown(Exception):
    """Something in the words of a command is not known; the message is a clause about it."""


def doubt(rows: Mapping[str, Row], words: Sequence[str]) -> str:
    """What is not known of a command, as a clause; empty when it is known."""
    folder, _, name = words[0].rpartition("/")
    if not MARKS.isdisjoint(words[0]):
        return "its name is only known when it runs"
    if folder not in FOLDERS:
        return f"'{words[0]}' is not in a directory of programs"
    try:
        found, rest = _form(rows, name, list(words[1:]))
        _check(found, rest)
    except _Unknown as unknown:
        return f"{name}: {unknown}"
    return ""


def _form(rows: Mapping[str, Row], name: str, words: list[str]) -> tuple[Row, list[str]]:
    """The row with the longest name that fits, and the words behind that name."""
    row = rows.get(name)
    before = None if row is None or row.then != "subcommand" or row.flags is None else row
    operands = words if before is None else _read(before, words).operands
    found = subcommand(rows, name, operands)
    if found is not None and found[0].flags is not None:
        return found[0], list(found[1])
    if row is not None and row.flags is not None and (row is not before or not operands):
        return row, words
    what = f" '{operands[0]}'" if before is not None and MARKS.isdisjoint(operands[0]) else ""
    raise _Unknown(f"what it runs and writes{what and f' as{what}'} is not known")


def _check(form: Row, words: list[str]) -> None:
    """Raises _Unknown unless the words fit the form."""
    if form.flags == "*" and not form.needs:
        return
    found = _read(form, words)
    if form.needs and found.flags.isdisjoint(form.needs.split()):
        raise _Unknown(f"it is only known with one of {form.needs}")
    operands = found.operands
    if form.most is not None and (len(operands) > form.most or any(STAR in word for word in operands)):
        raise _Unknown("it has more operands than are known to be harmless")
    if any(not _fits(form.operands, word) for word in operands):
        raise _Unknown("one of its operands is not known to be harmless")
    programs = found.code or operands[:1]
    if form.harmless is not None and not all(MARKS.isdisjoint(text) and form.harmless(text) for text in programs):
        raise _Unknown("its program may run commands or write files")


def _read(form: Row, words: list[str]) -> _Given:
    """Take the words apart. Raises _Unknown for an option that is not in the form."""
    found, rest = _Given(), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--" or (form.leads and word[:1] != "-" and word[:1] not in MARKS):
            found.operands += rest if word == "--" else [word, *rest]
            break
        if word[:1] in MARKS or SPLIT in word:
            raise _Unknown("one of its words may turn out to be an option")
        if word[:1] == "-" and len(word) > 1:
            if not (form.numbers and _NUMBER.fullmatch(word)):
                _option(form, word, rest, found)
        else:
            found.operands.append(word)
    return found


def _option(form: Row, word: str, rest: list[str], found: _Given) -> None:
    """Take in the options of one word, with a value that may be the next word."""
    name, equals, value = word.partition("=")
    if not MARKS.isdisjoint(name):
        raise _Unknown("one of its options is only known when it runs")
    if name not in form.known_options and word[1] != "-":  # letters, of which the last one may have a value
        at = next(
            (at for at in range(1, len(word)) if form.known_options.get(f"-{word[at]}", "") is not None), len(word) - 1
        )
        found.flags.update(f"-{letter}" for letter in word[1:at])
        name, value = f"-{word[at]}", word[at + 1 :]
        equals = value
    if name not in form.known_options:
        raise _Unknown(f"its option '{name}' is not known to be harmless")
    found.flags.add(name)
    pattern = form.known_options[name]
    if name in form.executes.split():
        while rest and rest.pop(0) not in (";", "+"):
            pass
    if pattern is None:
        if equals:
            raise _Unknown(f"its option '{name}' has a value")
        return
    if not equals and name in (form.flags or "").split():
        return
    value = value if equals else (rest.pop(0) if rest else "")
    if SPLIT in value or (not equals and _LIKE_OPTION.match(value)) or not _fits(pattern, value):
        raise _Unknown(f"the value of its option '{name}' is not known to be harmless")
    if name in form.code.split():
        found.code.append(value)


def _fits(pattern: str, word: str) -> bool:
    """Whether whatever the word may become fits."""
    return pattern == _ANYTHING or (MARKS.isdisjoint(word) and re.fullmatch(pattern, word, re.DOTALL) is not None)

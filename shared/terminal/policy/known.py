"""Whether a command is known: all that it does shows in its words, by the forms in known_rows.py.

A known command runs nothing but the commands that the policy finds in it, and writes nothing but the files that the policy
finds in it. Every other command is unknown, whatever its name.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from shared.terminal.policy.words import MARKS, SPLIT, STAR

FOLDERS = frozenset({"", "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin"})
"""Where commands are what their names say."""

_NUMBER = re.compile(r"-\d+")
_LIKE_OPTION = re.compile(r"-(?!$|\d+\w?$)")
_ANYTHING = ".*"
_LONGEST = 2
"""Words of the longest subcommand in the rows."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of some commands that is known. Options are given as they are typed, with blanks between them.

    `names`: of the commands; those of a subcommand are joined by `_`, and `git_` has the options before one. `flags` take
    no value; `*` is any option. `values` take one, which fits a regular expression where `=` and one follow; one that is a
    flag too has it in the same word only. One of `needs` must be there. What stands behind one of `runs` up to a `;` or `+`
    is a command. Operands fit `operands`, and there are at most `most`. `leads`: options stand before all operands.
    `numbers`: `-5` is an option. `code`: options whose value `reads` must call harmless, as it must the first operand where
    there is no such option.
    """

    names: str
    flags: str = ""
    values: str = ""
    needs: str = ""
    runs: str = ""
    operands: str = _ANYTHING
    most: int | None = None
    leads: bool = False
    numbers: bool = False
    code: str = ""
    reads: Callable[[str], bool] | None = None

    @cached_property
    def options(self) -> Mapping[str, str | None]:
        """What the value of each option must fit; None for one without a value."""
        flags = dict.fromkeys(f"{self.flags} {self.needs} {self.runs}".split())
        pairs = [option.partition("=") for option in f"{self.values} {self.code}".split()]
        return {**flags, **{name: pattern or _ANYTHING for name, _, pattern in pairs}}


@dataclass(slots=True)
class _Given:
    """The options, operands and programs among the words of a command."""

    flags: set[str] = field(default_factory=set)
    operands: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


class _Unknown(Exception):
    """Something in the words of a command is not known; the message is a clause about it."""


def doubt(rows: Mapping[str, Form], words: Sequence[str]) -> str:
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


def _form(rows: Mapping[str, Form], name: str, words: list[str]) -> tuple[Form, list[str]]:
    """The form with the longest name that fits, and the words behind that name."""
    if (before := rows.get(f"{name}_")) is not None:
        words = _read(before, words).operands
    for length in range(_LONGEST, -1, -1):
        form = rows.get("_".join((name, *words[:length])))
        if form is not None and length <= len(words):
            return form, words[length:]
    subcommand = f" '{words[0]}'" if before is not None and words and MARKS.isdisjoint(words[0]) else ""
    raise _Unknown(f"what it runs and writes{subcommand and f' as{subcommand}'} is not known")


def _check(form: Form, words: list[str]) -> None:
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
    if form.reads is not None and not all(MARKS.isdisjoint(text) and form.reads(text) for text in programs):
        raise _Unknown("its program may run commands or write files")


def _read(form: Form, words: list[str]) -> _Given:
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


def _option(form: Form, word: str, rest: list[str], found: _Given) -> None:
    """Take in the options of one word, with a value that may be the next word."""
    name, equals, value = word.partition("=")
    if not MARKS.isdisjoint(name):
        raise _Unknown("one of its options is only known when it runs")
    if name not in form.options and word[1] != "-":  # letters, of which the last one may have a value
        at = next((at for at in range(1, len(word)) if form.options.get(f"-{word[at]}", "") is not None), len(word) - 1)
        found.flags.update(f"-{letter}" for letter in word[1:at])
        name, value = f"-{word[at]}", word[at + 1 :]
        equals = value
    if name not in form.options:
        raise _Unknown(f"its option '{name}' is not known to be harmless")
    found.flags.add(name)
    pattern = form.options[name]
    if name in form.runs.split():
        while rest and rest.pop(0) not in (";", "+"):
            pass
    if pattern is None:
        if equals:
            raise _Unknown(f"its option '{name}' has a value")
        return
    if not equals and name in form.flags.split():
        return
    value = value if equals else (rest.pop(0) if rest else "")
    if SPLIT in value or (not equals and _LIKE_OPTION.match(value)) or not _fits(pattern, value):
        raise _Unknown(f"the value of its option '{name}' is not known to be harmless")
    if name in form.code.split():
        found.code.append(value)


def _fits(pattern: str, word: str) -> bool:
    """Whether whatever the word may become fits."""
    return pattern == _ANYTHING or (MARKS.isdisjoint(word) and re.fullmatch(pattern, word, re.DOTALL) is not None)

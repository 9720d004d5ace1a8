"""How to find, in the words of one command, the other command that it runs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.terminal.policy.words import ANY, MARKS, SPLIT

Then = Literal["argv", "line", "shell", "stdin", "code", "subcommand", "nothing"]
"""What comes after the options and `skip` operands: another command's words, a line for a shell, what a shell takes,
nothing since a shell line comes from its input, a program in another language, a subcommand, nothing of interest.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """How to read one kind of command. Options are given as they are typed, with blanks between them.

    `values` take a word of their own, `lines` one that is a line for a shell (`part` finds it in there), `code` one in
    another language. With one of `queries` nothing is run. `skip` operands come before the command, and `assigns` says
    that words such as `A=1` may. `permutes`: options count behind operands too. `adds`: more arguments come from its
    input. `reads`: without operands its input is a program. `first`: only the first operand is a line or a program.
    `runs` tells, as a regular expression or a function, programs that run commands or delete. `plus`: what stands behind
    a `+` is code. The value of one that is `attached` is the rest of its word, if it has any.
    """

    names: str
    then: Then = "argv"
    values: str = ""
    lines: str = ""
    part: str = ""
    code: str = ""
    queries: str = ""
    skip: int = 0
    assigns: bool = False
    permutes: bool = False
    adds: bool = False
    reads: bool = False
    first: bool = False
    plus: bool = False
    attached: str = ""
    runs: str | Callable[[str], bool] = ""

    def acts(self, program: str) -> bool:
        """Whether a program in its language runs commands or deletes."""
        if isinstance(self.runs, str):
            return bool(re.search(self.runs, program, re.IGNORECASE))
        return self.runs(program)


@dataclass(slots=True)
class Reading:
    """What a row finds in the words after the name. `hidden`: what is run cannot be told."""

    operands: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    query: bool = False
    hidden: bool = False


def read(row: Wrapper, words: Sequence[str]) -> Reading:
    """Take the words apart as the row says. `operands` begin with the command, where there is one."""
    found = Reading()
    kinds: dict[str, list[tuple[str, str]]] = {}
    taken: list[tuple[str, str]] = []
    for names, key in ((row.values, "values"), (row.lines, "lines"), (row.code, "code")):
        kinds.update(dict.fromkeys(names.split(), kinds.setdefault(key, [])))
    del kinds["values"], kinds["lines"], kinds["code"]
    rest, skip = list(words), row.skip
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.operands += rest[skip:]
            break
        if row.plus and word[:1] == "+":
            found.code.append(word[1:])
        elif word[:1] in ("-", "+") and len(word) > 1 and not _is_operand(word, row):
            found.flags.append(word)
            found.query = found.query or word in row.queries.split()
            taken += _option(word, rest, frozenset(kinds), row.attached)
        elif word.startswith(SPLIT):
            found.hidden = True
            found.operands.append(word)
            if not row.permutes:
                found.operands += rest
                break
        elif row.assigns and "=" in word:
            continue
        elif skip:
            skip -= 1
        else:
            found.operands.append(word)
            if not row.permutes:
                found.operands += rest
                break
    _sort(row, taken, found)
    return found


def _is_operand(word: str, row: Wrapper) -> bool:
    return word[0] == "+" and row.then != "shell"


def _option(word: str, rest: list[str], valued: frozenset[str], attached: str) -> Iterator[tuple[str, str]]:
    """The options in one word that take a value, with it; takes it from `rest` where it is a word of its own."""
    name, equals, value = word.partition("=")
    if len(name) > 2 and name.startswith("--"):  # long ones may be shortened
        name = min((option for option in valued if option.startswith(name)), default=name, key=len)
    if name in valued:
        yield name, value if equals else (rest.pop(0) if rest else "")
        return
    if word.startswith("--"):
        return
    for at in range(1, len(word)):
        short = word[0] + word[at]
        if short in valued:
            yield short, word[at + 1 :] or (rest.pop(0) if rest else "")
            return
        if word[at] in MARKS or short in attached.split():
            return


def _sort(row: Wrapper, taken: list[tuple[str, str]], found: Reading) -> None:
    lines, code = row.lines.split(), row.code.split()
    for name, value in taken:
        found.values.append((name, value))
        if name in lines:
            found.lines.append(value)
        elif name in code:
            found.code.append(value)


def find(rows: Mapping[str, Wrapper], name: str) -> Wrapper | None:
    """The row for a command's name; `python3.13` is Python."""
    return rows.get(name) or rows.get(name.rstrip("0123456789.-"))


def subcommand(rows: Mapping[str, Wrapper], name: str, operands: Sequence[str]) -> tuple[Wrapper, Sequence[str]] | None:
    """The row for `git bisect run` and the like, and the words after it."""
    for length in (2, 1):
        row = rows.get(" ".join((name, *operands[:length])))
        if row is not None and len(operands) >= length:
            return row, operands[length:]
    return None


def placed(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The words with places such as `{}` filled by what is not known."""
    filled = list(words)
    for name in names:
        if name:
            filled = [word.replace(name, ANY) for word in filled]
    return filled

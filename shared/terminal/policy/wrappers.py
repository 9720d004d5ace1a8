"""How to find, in the words of one command, the other command that it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.terminal.policy.row import Row
from shared.terminal.policy.words import ANY, MARKS, SPLIT


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


def read(row: Row, words: Sequence[str]) -> Reading:
    """Take the words apart as the row says. `operands` begin with the command, where there is one."""
    found = Reading()
    taken: list[tuple[str, str]] = []
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
            taken += _option(word, rest, row.valued, row.attached)
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


def _is_operand(word: str, row: Row) -> bool:
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


def _sort(row: Row, taken: list[tuple[str, str]], found: Reading) -> None:
    lines, code = row.lines.split(), row.code.split()
    for name, value in taken:
        found.values.append((name, value))
        if name in lines:
            found.lines.append(value)
        elif name in code:
            found.code.append(value)


def placed(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The words with places such as `{}` filled by what is not known."""
    filled = list(words)
    for name in names:
        if name:
            filled = [word.replace(name, ANY) for word in filled]
    return filled

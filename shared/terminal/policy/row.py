"""What the command policy knows of a kind of command: a row of its table."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Literal

Then = Literal["argv", "line", "shell", "stdin", "code", "subcommand", "nothing"]
"""What comes after the options and `skip` operands: another command's words, a line for a shell, what a shell takes,
nothing since a shell line comes from its input, a program in another language, a subcommand, nothing of interest.
"""

_LONGEST = 2
"""Words of the longest subcommand in the table."""


@dataclass(frozen=True)
class Row:
    """How to read some commands. Options are given as they are typed, with blanks between them.

    `names`: of the commands; those of a subcommand are joined by `_`. With one of `queries` nothing is run.

    What is **known**: a row with `flags` describes commands whose effects all show in their words; without it the commands
    are unknown. `flags` take no value; `*` is any option. `values` take one, which fits a regular expression where `=` and
    one follow; one that is a flag too has it in the same word only. One of `needs` must be there. Operands fit `operands`,
    and there are at most `most`. `leads`: options stand before all operands. `numbers`: `-5` is an option. What stands behind
    one of `executes` up to a `;` or `+` is a command. `harmless` tells programs that neither run commands nor write files.

    What it **runs**: `then`, in the words after the options and `skip` operands. `takes` are further options with a value,
    `lines` such as have a line for a shell (`part` finds it in there), `code` such as have a program. `assigns` says that words
    such as `A=1` may come before the command. `permutes`: options count behind operands too. `adds`: more arguments come from
    its input. `reads`: without operands its input is a program. `first`: only the first operand is a line or a program. `acts`
    tells, as a regular expression or a function, programs that run commands or delete. `plus`: what stands behind a `+` is
    code. The value of one that is `attached` is the rest of its word, if it has any.

    What it **writes**, by `acts.written`. `moves`: options that name the directory in which it works, or what it runs.
    """

    names: str
    _: KW_ONLY
    flags: str | None = None
    values: str = ""
    needs: str = ""
    operands: str = ".*"
    most: int | None = None
    leads: bool = False
    numbers: bool = False
    executes: str = ""
    harmless: Callable[[str], bool] | None = None
    then: Then = "nothing"
    takes: str = ""
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
    acts: str | Callable[[str], bool] = ""
    writes: str = ""
    moves: str = ""

    @cached_property
    def known_options(self) -> Mapping[str, str | None]:
        """What the value of each known option must fit; None for one without a value."""
        flags = dict.fromkeys(f"{self.flags or ''} {self.needs} {self.executes}".split())
        code = self.code if self.harmless else ""
        pairs = [option.partition("=") for option in f"{self.values} {code}".split()]
        return {**flags, **{name: pattern or ".*" for name, _, pattern in pairs}}

    @cached_property
    def valued(self) -> frozenset[str]:
        """The options that take a value, known or not."""
        plain = f"{self.takes} {self.lines} {self.code}".split()
        return frozenset([*plain, *(option.partition("=")[0] for option in self.values.split())])

    def runs(self, program: str) -> bool:
        """Whether a program in its language runs commands or deletes."""
        if isinstance(self.acts, str):
            return bool(re.search(self.acts, program, re.IGNORECASE))
        return self.acts(program)


def find(rows: Mapping[str, Row], name: str) -> Row | None:
    """The row for a command's name; `python3.13` is Python."""
    return rows.get(name) or rows.get(name.rstrip("0123456789.-"))


def subcommand(rows: Mapping[str, Row], name: str, words: Sequence[str]) -> tuple[Row, Sequence[str]] | None:
    """The row for `git bisect run` and the like, and the words after it."""
    for length in range(_LONGEST, 0, -1):
        row = rows.get("_".join((name, *words[:length])))
        if row is not None and len(words) >= length:
            return row, words[length:]
    return None

"""What a command line does, one act for each command, written file or telling variable."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.terminal.policy.words import ANY, MARKS, SPLIT, STAR
from shared.terminal.policy.wrapper_rows import WRITERS

_HOMES = re.compile(r"^/(?:root|home/[^/\x00-\x02]+|Users/[^/\x00-\x02]+)(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that would be done. `words` begin with the command's name; `operands` are those that are no options.

    `writes`, `reads`: files. `variable`: the name of one that is set. Words may hold the marks of words.py.
    """

    words: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    variable: str = ""

    @property
    def hidden(self) -> bool:
        """Whether nothing is known of it: it may be any command."""
        return self.words == (SPLIT,)

    @property
    def shown(self) -> str:
        """It for people, with an ellipsis for what is not known."""
        if self.hidden:
            return "(a command that is only known when it runs)"
        if self.variable:
            return f"{self.variable}=…"
        text = " ".join(self.words) if self.words else " ".join(f"> {path}" for path in self.writes) or "< …"
        for mark, sign in ((ANY, "…"), (SPLIT, "…"), (STAR, "*")):
            text = text.replace(mark, sign)
        return text


HIDDEN = Act(words=(SPLIT,))


def written(name: str, words: Sequence[str], operands: Sequence[str]) -> tuple[str, ...]:
    """The files that a command writes, by its row in WRITERS."""
    how = WRITERS.get(name)
    if how is None:
        return ()
    if how == "all":
        return tuple(operands)
    if how == "last":
        targets = _values(words, ("-t", "--target-directory"))
        return (*targets, *operands[-1:])
    if how == "of=":
        return tuple(word.removeprefix("of=") for word in words if word.startswith("of=") or SPLIT in word)
    if how == "-i":
        inplace = any(re.match(r"-[a-zA-Z]*i|--in-place", word) or word.startswith(SPLIT) for word in words)
        return tuple(operands) if inplace else ()
    return tuple(_values(words, tuple(how.split())))


def _values(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The values of some options, given as words of their own, after `=` or right behind the letter."""
    found = []
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            found.append(value if equals else words[at + 1] if at + 1 < len(words) else "")
        elif not word.startswith("--") and any(word.startswith(short) for short in names if len(short) == 2):
            found.append(word[2:])
        elif re.match(r"-[a-zA-Z]+$", word) and f"-{word[-1]}" in names and at + 1 < len(words):
            found.append(words[at + 1])
    return found


class Whence(NamedTuple):
    """The directories from which relative paths may be meant, and what `~` is, if that is known."""

    directories: Sequence[str] = ()
    home: str = "~"


NOWHERE = Whence()


def readings(word: str, whence: Whence) -> list[str]:
    """The word, and as which path it may be meant: tidied up, from the directories, with `~` for a home."""
    found = [word]
    paths = [word]
    if word == "~" or word.startswith("~/"):
        paths.append(whence.home + word[1:])
    elif word[:1] not in ("/", "~"):
        paths += [f"{base.rstrip('/')}/{word}" for base in whence.directories]
    for path in paths:
        tidy = _tidied(path)
        found += [tidy, _HOMES.sub("~", tidy)]
    return list(dict.fromkeys(found))


def _tidied(path: str) -> str:
    """The path without doubled slashes and dots. `..` after what is not known may lead anywhere."""
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts and not MARKS.isdisjoint("".join(parts)):
            return ANY
        elif parts and parts[-1] not in ("..", "~"):
            parts.pop()
        elif parts == ["~"]:
            return ANY
        elif not rooted:
            parts.append(part)
    return ("/" if rooted else "") + "/".join(parts) or "."

"""What a command line does, one act for each command, written file or telling variable."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.terminal.policy.words import ANY, MARKS, SPLIT, STAR

_HOMES = re.compile(r"^/(?:root|home/[^/\x00-\x02]+|Users/[^/\x00-\x02]+)(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that would be done. `words` begin with the command's name; `operands` are those that are no options.

    `writes`, `reads`: files. `variable`: the name of one that is set. `doubt` says why the policy does not see all that it
    does (known.py); empty where it does. Words may hold the marks of words.py.
    """

    words: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    variable: str = ""
    doubt: str = ""

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


def written(how: str, words: Sequence[str], operands: Sequence[str]) -> tuple[str, ...]:
    """The files that a command writes, as `writes` of its row says.

    `all` of its operands, the `last` or `second` one, `of=`, all with `-i`, as `tar` does, what is in the `folder` that options
    name, or the values of options.
    """
    if not how:
        return ()
    if how == "all":
        return tuple(operands)
    if how == "last":
        targets = values_of(words, ("-t", "--target-directory"))
        return (*targets, *operands[-1:])
    if how == "second":
        return _second(words)
    if how == "of=":
        return tuple(word.removeprefix("of=") for word in words if word.startswith("of=") or SPLIT in word)
    if how == "-i":
        inplace = any(re.match(r"-[a-zA-Z]*i|--i", word) or word.startswith(SPLIT) for word in words)
        return tuple(operands) if inplace else ()
    if how == "tar":
        return _archived(words)
    kind, *options = how.split()
    if kind == "folder":
        return within(values_of(words, options))
    return tuple(values_of(words, (kind, *options)))


def within(folders: Iterable[str]) -> tuple[str, ...]:
    """Folders, and whatever may be in them."""
    return tuple(path for folder in folders for path in (folder, f"{folder}/{STAR}", f"{folder}/{ANY}"))


def _archived(words: Sequence[str]) -> tuple[str, ...]:
    """The archive that tar makes, or what it takes out of one, where a folder is named."""
    given = list(words)
    if given and re.fullmatch(r"[A-Za-z]+", given[0]):  # letters without a dash, whose values all come behind them
        bundle, *rest = given
        given = [
            part for letter in bundle for part in (f"-{letter}", *([rest.pop(0)] if letter in "fC" and rest else []))
        ]
        given += rest
    if any(re.match(r"-[a-zA-Z]*[cru]|--(?:cr|ap|up|conc|del)", word) for word in given):
        return tuple(values_of(given, ("-f", "--file")))
    if any(re.match(r"-[a-zA-Z]*x|--(?:ext|get)", word) for word in given):
        return within(values_of(given, ("-C", "--directory")))
    return ()


def _second(words: Sequence[str]) -> tuple[str, ...]:
    """What may be the second operand, which `-` may stand before, as may options with numbers."""
    found: list[str] = []
    takes = False
    for at, word in enumerate(words):
        if word == "--":
            found += words[at + 1 :]
            break
        if not takes and (word == "-" or word[:1] != "-"):
            found.append(word)
        takes = not takes and word in ("-f", "-s", "-w")
    return tuple(found if any(SPLIT in word for word in found) else found[1:])


def values_of(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The values of some options, given as words of their own, after `=` or behind the letter; long ones may be cut."""
    found = []
    long = [name for name in names if name.startswith("--")]
    letters = "".join(name[1] for name in names if len(name) == 2)
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names or (len(name) > 3 and any(each.startswith(name) for each in long)):
            found.append(value if equals else "".join(words[at + 1 : at + 2]))
        elif letters and (short := re.match(rf"-[a-zA-Z]*?[{letters}]", word)):
            found.append(word[short.end() :] or "".join(words[at + 1 : at + 2]))
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

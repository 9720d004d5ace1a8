"""Words as a shell makes them: quotes taken away, braces expanded, and marks where only the run will tell."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.terminal.policy.grammar import Unparsable

if TYPE_CHECKING:
    from tree_sitter import Node

ANY = "\x00"
"""Any text, within this word."""
STAR = "\x01"
"""Any text without a slash: a wildcard, a number."""
SPLIT = "\x02"
"""Any text, which may also end this word and begin others."""
MARKS = frozenset((ANY, STAR, SPLIT))

_OPEN, _COMMA, _CLOSE, _SET, _SET_END = "\x03", "\x04", "\x05", "\x06", "\x07"
_SPECIAL = str.maketrans({"{": _OPEN, ",": _COMMA, "}": _CLOSE, "[": _SET, "]": _SET_END})
_PLAIN = str.maketrans({_OPEN: "{", _COMMA: ",", _CLOSE: "}", _SET: "[", _SET_END: "]"})
_CHARACTERS = re.compile(f"{_SET}[^{_SET}{_SET_END}]+{_SET_END}")
MAX_WORDS = 500
MAX_LISTS = 50
NUMBERS = frozenset({"?", "#", "$", "!"})
EXPANSIONS = frozenset({"simple_expansion", "expansion", "command_substitution"})

_UNQUOTED = re.compile(r"\\\n|\\(.)|[*?]+|[^\\*?]+", re.DOTALL)
_IN_DOUBLE = re.compile(r'\\\n|\\([$`"\\])|.', re.DOTALL)
_IN_HEREDOC = re.compile(r"\\\n|\\([$`\\])|.", re.DOTALL)
_ANSI = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|[uU]([0-9a-fA-F]{1,8})|c(.)|(.))|([^\\]+)", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_DOLLAR = re.compile(rb"(?<!\\)(?:\\\\)*\$$")
_AFTER_DOLLAR = re.compile(rb"[\w({\[@*#?$!'-]")
_NAME = re.compile(r"[A-Za-z_]\w*|\d")
_HOME = re.compile(r"~[\w.-]*(?=/|$)")


def word_of(node: "Node") -> str:
    """The word that a node is, with its braces still to be expanded."""
    return _whole(node)


def expand(word: str) -> list[str]:
    """The words that one becomes once its braces are expanded, usually one."""
    if word.count(_OPEN) > MAX_LISTS:
        raise Unparsable("it has too many braces")
    found = []
    for each in _expanded(_CHARACTERS.sub(STAR, word)):
        found.append(each.translate(_PLAIN))
        if len(found) > MAX_WORDS:
            raise Unparsable("its braces make too many words")
    return found if len(found) == 1 else [each for each in found if each]


def text_of(node: "Node") -> str:
    """The text of a node where no braces are expanded: a value, a file's name."""
    return _whole(node).translate(_PLAIN)


def _whole(node: "Node") -> str:
    """A word before its braces are expanded, with `~` for whosever home."""
    text = _CHARACTERS.sub(STAR, _text(node))
    if text[:2] in ("~+", "~-"):
        return ANY + text[2:]
    return _HOME.sub("~", text, count=1) if text.startswith("~") else text


def joined(before: str, left: bytes, after: str, right: bytes) -> str:
    """Two parts of one word, whose source is `left` and `right`; the grammar may part a `$` from what it belongs to."""
    if _DOLLAR.search(left):
        if right.startswith(b'"'):
            before = before.removesuffix("$")
        elif named := _NAME.match(after):
            return before.removesuffix("$") + SPLIT + after[named.end() :]
        elif _AFTER_DOLLAR.match(right):
            raise Unparsable("a '$' stands by itself")
    return before + after


def heredoc_text(body: "Node", start: str) -> str:
    """What a here-document gives; taken as it is where its start was quoted."""
    raw = body.text or b""
    if any(character in start for character in "'\"\\"):
        return raw.decode("utf-8", "replace")
    return "".join(_between(body, _IN_HEREDOC, raw, body.start_byte, quoted=True))


def _text(node: "Node") -> str:
    raw = (node.text or b"").decode("utf-8", "replace")
    match node.type:
        case "concatenation" | "command_name":
            text, source = "", node.text or b""
            for child in _adjacent(node):
                seam = child.start_byte - node.start_byte
                text = joined(text, source[:seam], _text(child), source[seam:])
            return text
        case "raw_string":
            return raw[1:-1]
        case "ansi_c_string":
            return _ansi(raw[2:-1])
        case "string":
            inside = (node.text or b"")[1:-1]
            return "".join(_between(node, _IN_DOUBLE, inside, node.start_byte + 1, quoted=True))
        case "translated_string":
            return "".join(_text(child) for child in node.children if child.type == "string")
        case "brace_expression" | "arithmetic_expansion":
            return STAR
        case "process_substitution":
            return f"/dev/fd/{STAR}"
        case "extglob_pattern":
            return ANY
        case kind if kind in EXPANSIONS:
            return expanded(node, quoted=False)
    if node.children:
        raise Unparsable(f"{node.type.replace('_', ' ')} in an unusual place")
    return _unquoted(raw)


def expanded(node: "Node", *, quoted: bool) -> str:
    """What an expansion may become."""
    raw = (node.text or b"").decode("utf-8", "replace")
    name = raw.removeprefix("$").removeprefix("{").removesuffix("}")
    if name == "HOME":
        return "~"
    if name in NUMBERS:
        return STAR
    return ANY if quoted and "@" not in raw and "*" not in raw else SPLIT


def _between(node: "Node", pattern: "re.Pattern[str]", raw: bytes, start: int, *, quoted: bool) -> Iterator[str]:
    """The expansions inside a text, and what stands between them with its backslashes read."""
    at = start
    for child in node.children:
        if child.type in EXPANSIONS or child.type == "arithmetic_expansion":
            yield _read(pattern, raw[at - start : child.start_byte - start])
            yield STAR if child.type == "arithmetic_expansion" else expanded(child, quoted=quoted)
            at = child.end_byte
    yield _read(pattern, raw[at - start :])


def _read(pattern: "re.Pattern[str]", raw: bytes) -> str:
    def one(found: "re.Match[str]") -> str:
        return "" if found[0] == "\\\n" else found[1] or found[0]

    return pattern.sub(one, raw.decode("utf-8", "replace"))


def _unquoted(raw: str) -> str:
    def one(found: "re.Match[str]") -> str:
        part = found[0]
        if part == "\\\n":
            return ""
        if found[1] is not None:
            return found[1]
        return STAR if part[0] in "*?" else part.translate(_SPECIAL)

    return _UNQUOTED.sub(one, raw)


def _ansi(raw: str) -> str:
    def one(found: "re.Match[str]") -> str:
        hexadecimal, octal, unicode, control, letter, plain = found.groups()
        if plain is not None:
            return plain
        if letter is not None:
            return _ANSI_LETTERS.get(letter, letter)
        if control is not None:
            return chr(ord(control) & 0x1F)
        number = int(hexadecimal or unicode or octal, 8 if octal else 16)
        return chr(number & 0xFF if octal else min(number, 0x10FFFF))

    return _ANSI.sub(one, raw)


def _adjacent(node: "Node") -> "Iterator[Node]":
    """The parts of a word, which touch each other."""
    at = node.start_byte
    for child in node.children:
        if child.start_byte != at:
            raise Unparsable("a word has a gap")
        at = child.end_byte
        yield child


def _expanded(text: str) -> Iterator[str]:
    """The words of `a{b,c}d`; what is no such list stays as it is."""
    for opening in (at for at, character in enumerate(text) if character == _OPEN):
        found = _list(text, opening)
        if found is None:
            continue
        closing, parts = found
        for part in parts:
            for rest in _expanded(part + text[closing + 1 :]):
                yield text[:opening] + rest
        return
    yield text


def _list(text: str, opening: int) -> tuple[int, list[str]] | None:
    """Where the list that opens here closes, and its parts; None when it is none."""
    depth, parts, begun = 0, [], opening + 1
    for at in range(opening, len(text)):
        character = text[at]
        depth += (character == _OPEN) - (character == _CLOSE)
        if character == _COMMA and depth == 1:
            parts.append(text[begun:at])
            begun = at + 1
        if depth == 0 and parts:
            return at, [*parts, text[begun:at]]
        if depth == 0 and ".." in text[opening + 1 : at]:
            return at, [STAR]
        depth = depth or 1  # a brace that closes nothing is one character of what may still be a list
    return None

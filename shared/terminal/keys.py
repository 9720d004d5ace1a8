"""Keys by name, and what a terminal sends for them.

`<Enter>`, `<C-c>`, `<M-x>`, `<S-Tab>`, `<C-Up>`, `<F5>`; `<<` or `<lt>` is a `<` itself. Names know no case.
Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (PC-style function keys)
"""

import difflib
import re
from dataclasses import dataclass

from shared.errors import InvalidInput, invalid_field

_PIECE = re.compile(r"<<|<([^<>\s]{1,30})>|<|[^<]+")
_NAME = re.compile(r"((?:[scma]-)*)(.+)", re.IGNORECASE | re.DOTALL)
_LINE_END = re.compile(r"\r\n?|\n")
_NOT_PASTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PASTE_BEGIN, _PASTE_END = "\x1b[200~", "\x1b[201~"

_PLAIN = {
    **dict.fromkeys(("enter", "return", "cr"), "\r"),
    "tab": "\t",
    **dict.fromkeys(("esc", "escape"), "\x1b"),
    "space": " ",
    **dict.fromkeys(("backspace", "bs"), "\x7f"),
    "lt": "<",
    "gt": ">",
}
_CURSOR = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
_FUNCTION = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
_NUMBERED = {
    **dict.fromkeys(("insert", "ins"), 2),
    **dict.fromkeys(("delete", "del"), 3),
    **dict.fromkeys(("pageup", "pgup"), 5),
    **dict.fromkeys(("pagedown", "pgdn"), 6),
    **{f"f{5 + at}": number for at, number in enumerate((15, 17, 18, 19, 20, 21, 23, 24))},
}
_NAMES = [*_PLAIN, *_CURSOR, *_FUNCTION, *_NUMBERED]
_SHOWN = (
    "Enter, Tab, S-Tab, Esc, Space, Backspace, Delete, Insert, Home, End, PageUp, PageDown, Up, Down, Left, Right, F1 to "
    "F12, C-c, M-x, lt"
)
_WORDS = re.compile(r"[-+_ ]")
_MODIFIERS = {
    "ctrl": "C",
    "control": "C",
    "strg": "C",
    "c": "C",
    "shift": "S",
    "s": "S",
    "alt": "M",
    "meta": "M",
    "m": "M",
}
_SHIFT, _META, _CONTROL = 1, 2, 4
_WEIGHTS = {"s": _SHIFT, "m": _META, "a": _META, "c": _CONTROL}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that sends one text, or another one in application cursor mode."""

    normal: str
    application: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """What a program has asked of its terminal."""

    application_cursor: bool = False
    bracketed_paste: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Text, typed as it is or pasted, then keys."""

    text: str = ""
    paste: bool = False
    keys: tuple[Key, ...] = ()

    @property
    def needs_modes(self) -> bool:
        """Whether what is sent depends on the terminal's modes."""
        return self.paste or any(key.normal != key.application for key in self.keys)

    def encoded(self, modes: Modes) -> str:
        """What to send to the program."""
        text = pasted(self.text, bracketed=modes.bracketed_paste) if self.paste else self.text
        return text + "".join(key.application if modes.application_cursor else key.normal for key in self.keys)


def parse(text: str) -> tuple[Key, ...]:
    """The keys in text with names in angle brackets. Raises InvalidInput; it repeats nothing of what was to be typed."""
    keys: list[Key] = []
    for piece in _PIECE.finditer(text):
        name = piece[1]
        if name is not None:
            keys.append(_named(name, piece.start()))
        elif piece[0] == "<":
            raise _refused(piece.start(), "'<' begins the name of a key; write '<<' or '<lt>' for the character")
        else:
            typed = "<" if piece[0] == "<<" else _LINE_END.sub("\r", piece[0])
            keys.append(Key(typed, typed))
    return tuple(keys)


def told(text: str) -> tuple[int, list[str]]:
    """What may be written down of text with names: how many characters it types, and the keys that are no text.

    A name that is none counts as a character, since it may be a secret that was not meant as one.
    """
    characters, names = 0, []
    for piece in _PIECE.finditer(text):
        name = _NAME.fullmatch(piece[1]) if piece[1] else None
        if name is None:
            characters += 1 if piece[0] == "<<" else len(piece[0])
        elif name[2].lower() in _NAMES or (len(name[2]) == 1 and "c-" in name[1].lower()):
            names.append(piece[0])
        else:  # <S-x> and <M-x> could spell a secret
            characters += 1
    return characters, names


def pasted(text: str, *, bracketed: bool) -> str:
    """Text so that pasting it executes nothing: control characters go, since they could end the paste.

    A program that knows of pasting (bracketed paste, mode 2004) gets it whole, in brackets. For any other, line ends
    and tabs become spaces: a shell would execute line by line, with the rest of the text as input.
    """
    text = _NOT_PASTED.sub("", _LINE_END.sub("\r", text))
    if bracketed:
        return f"{_PASTE_BEGIN}{text}{_PASTE_END}"
    return text.rstrip("\r").replace("\r", " ").replace("\t", " ")


def _named(name: str, position: int) -> Key:
    found = _NAME.fullmatch(name)
    weights = {_WEIGHTS[letter.lower()] for letter in found[1][::2]} if found else set()
    key = _key(found[2], sum(weights)) if found else None
    if key is None:
        raise _refused(position, f"there is no such key; {_hint(name)}")
    return key


def _hint(name: str) -> str:
    """What may have been meant. Only the names of keys are repeated, and one character after a word like `Ctrl`."""
    words = _WORDS.split(name)
    meant = [difflib.get_close_matches(word.lower(), _MODIFIERS, 1, 0.6) for word in words[:-1]]
    letters = "".join(f"{_MODIFIERS[found[0]]}-" for found in meant if found)
    base = words[-1]
    near = difflib.get_close_matches(base.lower(), _NAMES, 3, 0.5)
    if letters and all(meant):
        if len(base) == 1 and _key(base, sum(_WEIGHTS[letter] for letter in letters.lower()[::2])):
            return f"did you mean <{letters}{base.lower() if letters == 'C-' else base}>"
    else:
        letters = ""
    if base.lower() in near:
        near = [base.lower()]
    if near:
        return f"did you mean {' or '.join(f'<{letters}{_spelled(found)}>' for found in near)}"
    return f"there are: {_SHOWN}"


def _spelled(name: str) -> str:
    return {"pageup": "PageUp", "pagedown": "PageDown", "lt": "lt", "gt": "gt"}.get(name, name.title())


def _key(base: str, modifiers: int) -> Key | None:
    """None where there is no such key."""
    name = base.lower()
    if name in _CURSOR or name in _FUNCTION:
        letter = _CURSOR.get(name) or _FUNCTION[name]
        if modifiers:
            return _same(f"\x1b[1;{1 + modifiers}{letter}")
        return Key(f"\x1b[{letter}" if name in _CURSOR else f"\x1bO{letter}", f"\x1bO{letter}")
    if name in _NUMBERED:
        modifier = f";{1 + modifiers}" if modifiers else ""
        return _same(f"\x1b[{_NUMBERED[name]}{modifier}~")
    if name == "tab" and modifiers & _SHIFT:
        return _same(("\x1b" if modifiers & _META else "") + "\x1b[Z")
    return _character(_PLAIN.get(name, base), modifiers)


def _character(character: str, modifiers: int) -> Key | None:
    """A key that sends a character: Control makes it a control character, Meta puts an escape before it."""
    if len(character) != 1 or (not modifiers and character not in _PLAIN.values()):
        return None
    if modifiers & _SHIFT:
        character = character.upper()
    if modifiers & _CONTROL:
        character = _control(character)
    return _same(("\x1b" if modifiers & _META else "") + character) if character else None


def _control(character: str) -> str:
    """Empty where there is no such control character."""
    if character in ("\r", "\t", "\x1b"):
        return character
    if character == "\x7f":
        return "\b"
    if character in (" ", "@"):
        return "\0"
    if character == "?":
        return "\x7f"
    code = ord(character.upper())
    return chr(code & 0x1F) if ord("A") <= code <= ord("_") else ""


def _same(text: str) -> Key:
    return Key(text, text)


def _refused(position: int, reason: str) -> InvalidInput:
    return invalid_field("keys", f"at character {position + 1}: {reason}")


def in_encoding(text: str, encoding: str) -> bytes:
    """The bytes of typed text. Raises InvalidInput for characters that the session's encoding does not have."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        raise invalid_field("data", f"it has characters that the session's encoding, {encoding}, has not") from None

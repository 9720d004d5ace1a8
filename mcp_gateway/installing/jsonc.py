"""Changing one member of a JSON file and nothing else in it: comments, order, indentation and line ends stay. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
PLAIN = re.compile(r"[^\s,\]}/]+")
INDENT = "  "


class NotEditable(ValueError):
    """The text is not JSON (comments and trailing commas allowed), or not an object where one is needed."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: where its key begins, and its value begins and ends."""

    key: str
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Object:
    """An object in the text, from its opening brace to its closing one."""

    start: int
    end: int
    members: tuple[Member, ...]

    def find(self, key: str) -> Member | None:
        """The member that counts: the last of that name."""
        return next((member for member in reversed(self.members) if member.key == key), None)


def loads(text: str) -> Any:
    """What the text says, {} where it is empty. Raises NotEditable."""
    if not text.removeprefix("\ufeff").strip():
        return {}
    parts: list[str] = []
    end = _value(text, _blank(text, len(text) - len(text.removeprefix("\ufeff"))), parts)
    if _blank(text, end) != len(text):
        raise NotEditable(f"there is something after the end of the JSON, at {_place(text, end)}")
    try:
        return json.loads("".join(parts))
    except ValueError as error:
        raise NotEditable(str(error)) from None


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The same text with the member at `path` set; objects on the way are made where they are missing.

    Raises NotEditable.
    """
    wanted = loads(text)
    if not isinstance(wanted, dict):
        raise NotEditable("the file does not hold an object")
    _set(wanted, path, value)
    if wanted == loads(text):
        return text
    if not text.strip(" \t\r\n\ufeff"):
        text = "{\n}\n"
    elif "\n" not in text.strip():
        text = _spread(text)
    return _checked(_put(text, path, value), wanted)


def drop(text: str, path: Sequence[str]) -> str:
    """The same text without the member at `path`; unchanged where there is none. Raises NotEditable."""
    wanted = loads(text)
    holder = wanted
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or path[-1] not in holder:
        return text
    del holder[path[-1]]
    found = _object(text, path[:-1])
    while (member := found.find(path[-1])) is not None:
        text = _without(text, found, member)
        found = _object(text, path[:-1])
    return _checked(text, wanted)


def drop_empty(text: str, path: Sequence[str]) -> str:
    """The same text without the object at `path` if nothing is in it, not even a comment. Raises NotEditable."""
    try:
        found = _object(text, path)
    except KeyError:
        return text
    return text if text[found.start + 1 : found.end - 1].strip() else drop(text, path)


def _checked(edited: str, wanted: Any) -> str:
    """An edit must do what it should and nothing else, or it is not made."""
    if loads(edited) != wanted:
        raise NotEditable("its form is unusual, so that an edit might spoil it")
    return edited


def _set(holder: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        inner = holder.setdefault(key, {})
        if not isinstance(inner, dict):
            raise NotEditable(f'"{key}" is not an object')
        holder = inner
    holder[path[-1]] = value


def _spread(text: str) -> str:
    """A file all on one line says nothing of how its owner likes it; one with a comment is left."""
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return text
    return json.dumps(content, indent=INDENT, ensure_ascii=False) + "\n"


def _put(text: str, path: Sequence[str], value: Any) -> str:
    depth = len(path) - 1
    while True:  # the deepest object that is there
        try:
            found = _object(text, path[:depth])
            break
        except KeyError:
            depth -= 1
    for key in reversed(path[depth + 1 :]):
        value = {key: value}
    member = found.find(path[depth])
    unit = _unit(text)
    if member is not None:
        lead = _lead(text, member.start)
        return text[: member.value] + _dump(value, lead, unit, text) + text[member.end :]
    return _appended(text, found, path[depth], value, unit)


def _appended(text: str, found: Object, key: str, value: Any, unit: str) -> str:
    line = "\r\n" if "\r\n" in text else "\n"
    outer = _lead(text, found.start)
    last = found.members[-1] if found.members else None
    own_line = last is not None and text[: last.start].rstrip(" \t").endswith("\n")
    lead = _lead(text, last.start) if last is not None and own_line else outer + unit
    entry = f"{json.dumps(key, ensure_ascii=False)}: {_dump(value, lead, unit, text)}"
    if last is None:
        tail = text[found.start + 1 : found.end - 1]
        kept = tail.rstrip()
        return f"{text[: found.start + 1]}{kept}{line}{lead}{entry}{line}{outer}{text[found.end - 1 :]}"
    comma = _blank(text, last.end)
    trailing = text[comma] == ","
    rest = comma + 1 if trailing else last.end
    # A comment behind the last member stays beside it.
    beside = re.compile(r"[ \t]*(//[^\n]*|/\*[^\n]*?\*/)?").match(text, rest)
    edge = beside.end() if beside and beside[1] else rest
    edge -= 1 if text[edge - 1 : edge] == "\r" else 0
    end = "," if trailing else ""
    head = text[: last.end] + ("" if trailing else ",") + text[last.end : edge]
    after = text[edge:]
    closing = "" if re.match(r"[ \t]*\r?\n", after) else line + outer
    return f"{head}{line}{lead}{entry}{end}{closing}{after.lstrip(' ') if closing else after}"


def _without(text: str, found: Object, member: Member) -> str:
    index = found.members.index(member)
    start = len(text[: member.start].rstrip(" \t"))
    comma = _blank(text, member.end)
    followed = text[comma] == ","
    end = comma + 1 if followed else member.end
    if text[:start].endswith("\n") and (rest := re.compile(r"[ \t]*\r?\n").match(text, end)):
        end = rest.end()
    head = text[:start]
    if not followed and index > 0:
        before = _blank(text, found.members[index - 1].end)
        head = text[:before] + text[before + 1 : start]
    return head + text[end:]


def _dump(value: Any, lead: str, unit: str, text: str) -> str:
    line = "\r\n" if "\r\n" in text else "\n"
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", line + lead)


def _unit(text: str) -> str:
    """How far the file indents."""
    found = re.search(r"\{[ \t]*\r?\n([ \t]+)\S", text)
    return found[1] if found else INDENT


def _lead(text: str, at: int) -> str:
    """The indentation of the line that something stands in."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _object(text: str, path: Sequence[str]) -> Object:
    """The object at a path. Raises KeyError where there is none, NotEditable where something else is."""
    found = _members(text, _blank(text, len(text) - len(text.removeprefix("\ufeff"))))
    for key in path:
        member = found.find(key)
        if member is None:
            raise KeyError(key)
        found = _members(text, member.value)
    return found


def _members(text: str, at: int) -> Object:
    if text[at : at + 1] != "{":
        raise NotEditable(f"there is no object at {_place(text, at)}")
    members: list[Member] = []
    end = _value(text, at, [], members)
    return Object(at, end, tuple(members))


def _value(text: str, at: int, parts: list[str], members: list[Member] | None = None) -> int:
    """Where the value that begins at `at` ends. Its plain JSON goes to `parts`, the members of it to `members`."""
    opening = text[at : at + 1]
    if opening in ("{", "["):
        return _container(text, at, parts, members)
    found = (STRING if opening == '"' else PLAIN).match(text, at)
    if found is None:
        raise NotEditable(f"a value is missing at {_place(text, at)}")
    parts.append(found[0])
    return found.end()


def _container(text: str, at: int, parts: list[str], members: list[Member] | None) -> int:
    closing = "}" if text[at] == "{" else "]"
    parts.append(text[at])
    place = _blank(text, at + 1)
    first = True
    while text[place : place + 1] != closing:
        if not first:
            parts.append(",")
        first = False
        place = _item(text, place, closing == "}", parts, members)
        place = _blank(text, place)
        if text[place : place + 1] == ",":
            place = _blank(text, place + 1)
        elif text[place : place + 1] != closing:
            raise NotEditable(f"a comma or {closing} is missing at {_place(text, place)}")
    parts.append(closing)
    return place + 1


def _item(text: str, place: int, keyed: bool, parts: list[str], members: list[Member] | None) -> int:
    if not keyed:
        return _value(text, place, parts)
    key = STRING.match(text, place)
    colon = _blank(text, key.end()) if key else place
    if key is None or text[colon : colon + 1] != ":":
        raise NotEditable(f"a key is missing at {_place(text, place)}")
    parts += [key[0], ":"]
    value = _blank(text, colon + 1)
    end = _value(text, value, parts)
    if members is not None:
        members.append(Member(json.loads(key[0]), place, value, end))
    return end


def _blank(text: str, at: int) -> int:
    """The first place from `at` on that is neither space nor comment."""
    found = BLANK.match(text, at)
    return found.end() if found else at


def _place(text: str, at: int) -> str:
    return f"line {text.count(chr(10), 0, at) + 1}"

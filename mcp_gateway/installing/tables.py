"""Changing one table or top-level key of a TOML file and nothing else in it: comments, order and line ends stay. Pure."""

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_gateway.installing.jsonc import NotEditable

BARE = re.compile(r"[A-Za-z0-9_-]+")


def loads(text: str) -> dict[str, Any]:
    """What the text says. Raises NotEditable."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise NotEditable(str(error)) from None


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The same text with the table or the top-level key at `path` set. Raises NotEditable."""
    present = loads(text)
    wanted = copy.deepcopy(present)
    holder = wanted
    for key in path[:-1]:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise NotEditable(f'"{key}" is not a table')
    if holder.get(path[-1]) == value:
        return text
    holder[path[-1]] = value
    if not isinstance(value, Mapping) and len(path) > 1:
        raise NotEditable(f"only tables and top-level keys can be set, not {'.'.join(path)}")
    lines = _without(text.splitlines(keepends=True), path)
    end = "\r\n" if "\r\n" in text else "\n"
    if isinstance(value, Mapping):
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += end
        gap = [end] if lines and lines[-1].strip() else []
        members = [f"{_key(key)} = {_dump(member)}{end}" for key, member in value.items()]
        lines += [*gap, f"[{'.'.join(map(_key, path))}]{end}", *members]
    else:
        lines.insert(0, f"{_key(path[0])} = {_dump(value)}{end}")
    return _checked("".join(lines), wanted)


def drop(text: str, path: Sequence[str]) -> str:
    """The same text without the table or the top-level key at `path`; unchanged where there is none. Raises NotEditable."""
    wanted = copy.deepcopy(loads(text))
    holder: Any = wanted
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or path[-1] not in holder:
        return text
    del holder[path[-1]]
    return _checked("".join(_without(text.splitlines(keepends=True), path)), wanted)


def drop_empty(text: str, path: Sequence[str]) -> str:
    """The text as it is: a table that only its inner tables named went with them."""
    del path
    return text


def _without(lines: list[str], path: Sequence[str]) -> list[str]:
    """The lines without a table, its inner tables, or a top-level key that stands on one line."""
    heads = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    kept = list(lines)
    for number, head in reversed(list(enumerate(heads))):
        if _table(lines[head])[: len(path)] == list(path):
            after = heads[number + 1] if number + 1 < len(heads) else len(lines)
            end = _content_end(lines, head, after)
            alone = head > 0 and not lines[head - 1].strip() and (end == len(lines) or not lines[end].strip())
            del kept[head - alone : end]
    if len(path) == 1:
        top = heads[0] if heads else len(lines)
        return [line for index, line in enumerate(kept) if index >= top or _named(line) != path[0]]
    return kept


def _content_end(lines: Sequence[str], head: int, after: int) -> int:
    """The end of a table: comments and blank lines before the next table belong to that one."""
    end = after
    while end > head + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _table(line: str) -> list[str]:
    """The path in a table's header; empty where the line is not one."""
    try:
        content: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return []
    path = []
    while isinstance(content, dict) and content:
        (key,) = content
        path.append(key)
        content = content[key]
    return path


def _named(line: str) -> str | None:
    """The key that a line of its own sets."""
    try:
        content = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    return next(iter(content), None)


def _checked(edited: str, wanted: dict[str, Any]) -> str:
    """An edit must do what it should and nothing else, or it is not made."""
    if _pruned(loads(edited)) != _pruned(wanted):
        raise NotEditable("its form is unusual, so that an edit might spoil it")
    return edited


def _pruned(content: Any) -> Any:
    """The content without tables that are empty."""
    if not isinstance(content, dict):
        return content
    inner = {key: _pruned(value) for key, value in content.items()}
    return {key: value for key, value in inner.items() if value != {}}


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else json.dumps(key)


def _dump(value: Any) -> str:
    """JSON's strings, numbers, booleans and lists are TOML's as well."""
    if isinstance(value, Mapping):
        return (
            f"{{ {', '.join(f'{_key(key)} = {_dump(member)}' for key, member in value.items())} }}" if value else "{}"
        )
    return json.dumps(value, ensure_ascii=False)

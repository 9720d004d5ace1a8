"""Changing one member of a YAML file and nothing else in it: comments, order, indentation and line ends stay. Pure.

A path leads through mappings; in a list of mappings it names an item by its member `model_id`.
"""

import copy
import textwrap
from collections.abc import Sequence
from typing import Any, TypeGuard

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from mcp_gateway.installing.entry import ITEM, at
from mcp_gateway.installing.jsonc import NotEditable

INDENT = 2


def loads(text: str) -> Any:
    """What the text says, {} where it is empty. Raises NotEditable."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotEditable(" ".join(str(error).split())) from None
    return {} if content is None else content


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The same text with the member at `path` set; mappings on the way are made where they are missing. Raises NotEditable."""
    content = loads(text)
    if at(content, path) == value:
        return text
    if at(content, path) is not None:
        text = drop(text, path)
        content = loads(text)
    if _is_item(path, value) and content in ({}, []):
        return _checked(_listed(text.replace("[]", "", 1) if content == [] else text, value), [value])
    wanted = copy.deepcopy(content)
    if isinstance(wanted, list):
        wanted.append(value)
        return _checked(_listed(text, value), wanted)
    _set(wanted, path, value)
    return _checked(_put(text, path, value), wanted)


def drop(text: str, path: Sequence[str]) -> str:
    """The same text without the member at `path`; unchanged where there is none. Raises NotEditable."""
    content = loads(text)
    found = at(content, path)
    if found is None:
        return text
    wanted = copy.deepcopy(content)
    if isinstance(wanted, list):
        wanted.remove(found)
        edited = _without_item(text, path[0])
        return _checked(edited if wanted else _ended(edited) + "[]\n", wanted)
    holder = at(wanted, path[:-1])
    del holder[path[-1]]
    return _checked(_without(text, path), wanted)


def drop_empty(text: str, path: Sequence[str]) -> str:
    """The same text without the mapping at `path` if nothing is in it. Raises NotEditable."""
    return drop(text, path) if at(loads(text), path) == {} else text


def _put(text: str, path: Sequence[str], value: Any) -> str:
    depth, node = 0, _root(text)
    key: Node | None = None
    while _is_mapping(node) and (found := _find(node, path[depth])) is not None:
        key, node = found
        depth += 1
    for name in reversed(path[depth + 1 :]):
        value = {name: value}
    entry = {path[depth]: value}
    if node is None:
        return _ended(text) + _dump(entry, 0)
    if _is_mapping(node) and not node.flow_style:
        return _inserted(text, _end(text, node), _dump(entry, node.start_mark.column))
    if key is None or not _is_empty(node):
        raise NotEditable(f"{'.'.join(path[:depth]) or 'the file'} is not a mapping with a line for each member")
    head = text[: key.end_mark.index] + ":"
    rest = text[node.end_mark.index :]
    return _inserted(head + rest, len(head), _dump(entry, key.start_mark.column + INDENT))


def _without(text: str, path: Sequence[str]) -> str:
    node, holder_key = _root(text), None
    for name in path[:-1]:
        holder_key, node = _member(node, name)
    key, value = _member(node, path[-1])
    edited = _cut(text, key, value)
    if holder_key is None or not isinstance(node, CollectionNode) or len(node.value) > 1:
        return edited
    colon = edited.index(":", holder_key.end_mark.index) + 1  # the mapping is empty now, and must not become null
    return f"{edited[:colon]} {{}}{edited[colon:]}"


def _without_item(text: str, identity: str) -> str:
    root = _root(text)
    items = root.value if isinstance(root, SequenceNode) and not root.flow_style else ()
    for item in items:
        found = _find(item, ITEM) if _is_mapping(item) else None
        if found is not None and found[1].value == identity:
            return _cut(text, item, item)
    raise NotEditable("it is not a list with a line for each item")


def _cut(text: str, first: Node, last: Node) -> str:
    """The text without the lines from one node to another, which must have them for themselves."""
    start = text.rfind("\n", 0, first.start_mark.index) + 1
    if text[start : first.start_mark.index].strip(" \t-"):
        raise NotEditable("a member that must change shares its line with another")
    end = text.find("\n", _end(text, last))
    return text[:start] + (text[end + 1 :] if end >= 0 else "")


def _end(text: str, node: Node) -> int:
    """Where the node's own text ends; PyYAML counts the blank lines and comments after a block among it."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return len(text[: node.end_mark.index].rstrip())


def _inserted(text: str, place: int, lines: str) -> str:
    """The text with lines after the line of a place."""
    end = text.find("\n", place)
    head, tail = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return _ended(head) + _ends(lines, text) + tail


def _listed(text: str, value: Any) -> str:
    lines = _dump(value, INDENT)
    return _ended(text) + _ends(f"- {lines[INDENT:]}", text)


def _dump(value: Any, indent: int) -> str:
    lines = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
    return textwrap.indent(lines, " " * indent)


def _ends(lines: str, text: str) -> str:
    return lines.replace("\n", "\r\n") if "\r\n" in text else lines


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _ends("\n", text)


def _root(text: str) -> Node | None:
    try:
        root: Node | None = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise NotEditable(str(error)) from None
    return root


def _find(node: MappingNode, key: str) -> tuple[Node, Node] | None:
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _member(node: Node | None, key: str) -> tuple[Node, Node]:
    found = _find(node, key) if _is_mapping(node) else None
    if found is None:
        raise NotEditable(f"{key} stands there in an unusual way")
    return found


def _is_mapping(node: Node | None) -> TypeGuard[MappingNode]:
    return isinstance(node, MappingNode)


def _is_empty(node: Node) -> bool:
    """Whether a value is `{}` or nothing at all."""
    return (isinstance(node, MappingNode) and not node.value) or (isinstance(node, ScalarNode) and node.value == "")


def _is_item(path: Sequence[str], value: Any) -> bool:
    return isinstance(value, dict) and value.get(ITEM) == path[-1]


def _set(holder: Any, path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        if holder.get(key) is None:
            holder[key] = {}
        holder = holder[key]
        if not isinstance(holder, dict):
            raise NotEditable(f'"{key}" is not a mapping')
    holder[path[-1]] = value


def _checked(edited: str, wanted: Any) -> str:
    """An edit must do what it should and nothing else, or it is not made."""
    if loads(edited) != wanted:
        raise NotEditable("its form is unusual, so that an edit might spoil it")
    return edited

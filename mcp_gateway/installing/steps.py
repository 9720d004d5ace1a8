"""What installing and uninstalling change in a client's files, worked out before anything is written."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mcp_gateway.installing import files, jsonc
from mcp_gateway.installing.clients import OUR_MODELS, Client, Scope, Server
from mcp_gateway.installing.editing import editor_of
from mcp_gateway.installing.endpoint import LOCAL_KEY, OUR_FILE, Endpoint
from mcp_gateway.installing.entry import Entry, at
from mcp_gateway.installing.server import is_ours
from shared.errors import Conflict, InvalidInput, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A file, as it is and as it is to be; without a text it is to be deleted."""

    path: Path
    before: str
    after: str

    @property
    def is_none(self) -> bool:
        """Whether all is as it should be already."""
        return self.before == self.after

    @property
    def difference(self) -> str:
        """What changes, without the lines around it: they may hold keys of other servers."""
        lines = (self.before.splitlines(), self.after.splitlines())
        name = str(self.path)
        return "\n".join(difflib.unified_diff(*lines, name, name, n=0, lineterm=""))

    def make(self) -> Path | None:
        """Write it; returns where a copy of the old file is."""
        return files.replace(self.path, self.before, self.after)


def tools(client: Client, scope: Scope, name: str, server: Server) -> Entry:
    """The entry with which a client starts our MCP server. Raises InvalidInput where it takes none, or has no file for the scope."""
    if not client.key:
        raise InvalidInput(f"{client.title} takes no MCP servers.")
    path = (client.key, name)
    value = client.entry(server)
    return Entry(file=file_of(client, scope), path=path, value=value, ours=lambda content: is_ours(at(content, path)))


def snippets(entries: Iterable[Entry]) -> dict[Path, str]:
    """What belongs into each file, for a person to paste."""
    texts: dict[Path, str] = {}
    for entry in entries:
        texts[entry.file] = editor_of(entry.file).put(texts.get(entry.file, ""), entry.path, entry.value)
    return texts


def installing(entries: Sequence[Entry]) -> tuple[Change, ...]:
    """Put them in, over older ones of ours. Raises Conflict where something else stands there, InvalidInput where a file is beyond us."""
    return _changes(entries, _put)


def uninstalling(entries: Sequence[Entry]) -> tuple[Change, ...]:
    """Take out those that are ours. Raises NotFound where none is in."""
    found = tuple(change for change in _changes(entries, _dropped) if not change.is_none)
    if not found:
        raise NotFound(f"Nothing of this gateway is in {' or '.join(_names(entries))}.")
    return found


def other_name(client: Client, scope: Scope, name: str) -> str:
    """What to say of an entry that cannot be taken out: it is another server's, or stands under another name; or nothing."""
    path = file_of(client, scope)
    entries = _entries(path, _read(path), client)
    if name in entries and not is_ours(entries[name]):
        raise Conflict(f'"{name}" in {path} is not this gateway; it is left alone.')
    ours = [other for other, entry in entries.items() if is_ours(entry)]
    return f" It has this gateway as {', '.join(ours)}: say --name." if ours and name not in entries else ""


def installed_as(client: Client, scope: Scope) -> tuple[str, ...]:
    """The names under which a client's file has us, `models` where it takes no servers; none where it cannot be read."""
    path = client.file(scope)
    try:
        if path is None:
            return ()
        if not client.key:
            return ("models",) if any(map(_is_in, client.models_at(scope, Endpoint("", LOCAL_KEY)))) else ()
        return tuple(name for name, entry in _entries(path, _read(path), client).items() if is_ours(entry))
    except InvalidInput:
        return ()


def kept(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What to say of defaults that stay as the user set them, so that the gateway is there but not chosen."""
    return tuple(
        f"{entry.file} keeps its {entry.name}; set it to {entry.value} to start on the gateway."
        for entry in entries
        if entry.role == "default" and at(_content(entry.file), entry.path) != entry.value
    )


def file_of(client: Client, scope: Scope) -> Path:
    """The file for a scope. Raises InvalidInput where the client has none."""
    path = client.file(scope)
    if path is None:
        raise InvalidInput(f"{client.title} has no configuration for a project; leave out --scope.")
    return path


def _changes(entries: Sequence[Entry], edit: Callable[[str, Any, Entry], str]) -> tuple[Change, ...]:
    return tuple(
        _change(file, [entry for entry in entries if entry.file == file], edit)
        for file in dict.fromkeys(entry.file for entry in entries)
    )


def _change(file: Path, entries: Iterable[Entry], edit: Callable[[str, Any, Entry], str]) -> Change:
    before = _read(file)

    def edited() -> str:
        content, text = editor_of(file).loads(before), before
        for entry in entries:
            text = edit(text, content, entry)
        if text != before and file.name in (OUR_FILE, OUR_MODELS) and editor_of(file).loads(text) == {}:
            return ""
        return text

    return Change(file, before, _edited(file, edited))


def _put(text: str, content: Any, entry: Entry) -> str:
    present = at(content, entry.path)
    put = editor_of(entry.file).put
    if entry.role != "own":
        return text if present is not None else put(text, entry.path, entry.value)
    if present is not None and present != entry.value and not entry.ours(content):
        raise Conflict(
            f"{entry.file} has another {entry.name}, which is left alone. Take it out first, or install only the other half "
            "(--only tools, --only models); for a server, another --name will do."
        )
    return put(text, entry.path, entry.value)


def _dropped(text: str, content: Any, entry: Entry) -> str:
    """The text without the entry, where that is ours, and without objects that are empty then."""
    present = at(content, entry.path)
    if present is None or entry.role == "frame" or not entry.ours(content):
        return text
    if entry.role == "default" and present != entry.value:
        return text
    editor = editor_of(entry.file)
    text = editor.drop(text, entry.path)
    for depth in range(len(entry.path) - 1, 0, -1):
        text = editor.drop_empty(text, entry.path[:depth])
    return text


def _names(entries: Iterable[Entry]) -> list[str]:
    return [str(file) for file in dict.fromkeys(entry.file for entry in entries)]


def _is_in(entry: Entry) -> bool:
    content = _content(entry.file)
    return entry.role == "own" and at(content, entry.path) is not None and entry.ours(content)


def _content(file: Path) -> Any:
    text = _read(file)
    return _edited(file, lambda: editor_of(file).loads(text))


def _read(path: Path) -> str:
    try:
        return files.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from None


def _entries(path: Path, text: str, client: Client) -> dict[str, Any]:
    content = _edited(path, lambda: editor_of(path).loads(text))
    entries = content.get(client.key) if isinstance(content, dict) else None
    return entries if isinstance(entries, dict) else {}


def _edited(path: Path, edit: Callable[[], T]) -> T:
    try:
        return edit()
    except (jsonc.NotEditable, RecursionError) as error:
        raise InvalidInput(f"{path} cannot be edited: {error}. Nothing was changed.") from None

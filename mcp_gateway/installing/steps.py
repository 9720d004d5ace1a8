"""What installing and uninstalling change in a client's file, worked out before anything is written."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_gateway.installing import files, jsonc
from mcp_gateway.installing.clients import Client, Scope, Server
from mcp_gateway.installing.server import is_ours
from shared.errors import Conflict, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Change:
    """A file, as it is and as it is to be."""

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


def snippet(client: Client, name: str, server: Server) -> str:
    """What belongs into the client's file, for a person to paste."""
    return json.dumps({client.key: {name: client.entry(server)}}, indent=2, ensure_ascii=False)


def installing(client: Client, scope: Scope, name: str, server: Server) -> Change:
    """Put it in, over an older entry of ours. Raises Conflict where another server has the name, InvalidInput where the file is beyond us."""
    path = file_of(client, scope)
    text = _read(path)
    entry = _entries(path, text, client).get(name)
    if entry is not None and not is_ours(entry):
        raise Conflict(f'{path} has another server under the name "{name}"; take another with --name.')
    return Change(path, text, _edited(path, lambda: jsonc.put(text, (client.key, name), client.entry(server))))


def uninstalling(client: Client, scope: Scope, name: str) -> Change:
    """Take it out. Raises NotFound where it is not in, Conflict where another server has the name."""
    path = file_of(client, scope)
    text = _read(path)
    entries = _entries(path, text, client)
    if name not in entries:
        ours = [other for other, entry in entries.items() if is_ours(entry)]
        hint = f" It has this gateway as {', '.join(ours)}: say --name." if ours else ""
        raise NotFound(f'{path} has no server "{name}".{hint}')
    if not is_ours(entries[name]):
        raise Conflict(f'"{name}" in {path} is not this gateway; it is left alone.')
    return Change(path, text, _edited(path, lambda: _without(text, client.key, name)))


def installed_as(client: Client, scope: Scope) -> tuple[str, ...]:
    """The names under which a client's file has us; none where it cannot be read."""
    path = client.file(scope)
    try:
        entries = _entries(path, _read(path), client) if path else {}
    except InvalidInput:
        return ()
    return tuple(name for name, entry in entries.items() if is_ours(entry))


def file_of(client: Client, scope: Scope) -> Path:
    """The file for a scope. Raises InvalidInput where the client has none."""
    path = client.file(scope)
    if path is None:
        raise InvalidInput(f"{client.title} has no configuration for a project; leave out --scope.")
    return path


def _read(path: Path) -> str:
    try:
        return files.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from None


def _entries(path: Path, text: str, client: Client) -> dict[str, Any]:
    content = _edited(path, lambda: jsonc.loads(text))
    entries = content.get(client.key) if isinstance(content, dict) else None
    return entries if isinstance(entries, dict) else {}


def _without(text: str, key: str, name: str) -> str:
    return jsonc.drop_empty(jsonc.drop(text, (key, name)), (key,))


def _edited(path: Path, edit: Any) -> Any:
    try:
        return edit()
    except (jsonc.NotEditable, RecursionError) as error:
        raise InvalidInput(f"{path} cannot be edited: {error}. Nothing was changed.") from None

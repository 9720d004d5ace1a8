"""The MCP clients: where each keeps its configuration, and whether it names this gateway."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_gateway.diagnosis.finding import Finding
from mcp_gateway.installing import jsonc
from mcp_gateway.installing.clients import clients
from mcp_gateway.installing.editing import editor_of
from mcp_gateway.installing.server import COMMAND, program

FORMATS = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}
LISTS = ("mcpServers", "servers", "context_servers", "mcp", "mcp_servers", "extensions")


@dataclass(frozen=True, slots=True)
class Host:
    """A client and the files it may read, nearest first."""

    name: str
    files: tuple[Path, ...]
    id: str = "CLIENT"


def hosts(
    home: Path, here: Path, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> tuple[Host, ...]:
    """The clients that we know, for a person's home and the current folder."""
    return tuple(
        Host(client.title, tuple(file for file in (client.project, client.user) if file is not None), client.id)
        for client in clients(home, here, platform, environ)
    )


def look(host: Host, port: int) -> Finding:
    """Whether a client's configuration names us, and in a way that can work."""
    name = f"client {host.name}"
    there = [path for path in host.files if path.is_file()]
    if not there:
        return Finding(name=name, status="ok", text=f"no configuration at {host.files[-1]}")
    for path in there:
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            return Finding(name=name, status="warn", text=f"{path} cannot be read: {error}", advice="Check the file.")
        try:
            config = editor_of(path).loads(text)
        except (jsonc.NotEditable, RecursionError) as error:
            return _broken(name, path, error)
        if COMMAND not in text and f":{port}/mcp" not in text and f":{port}/sse" not in text:
            continue
        return _entry(name, path, config)
    return Finding(
        name=name,
        status="ok",
        text=f"{there[0]} does not name this gateway",
        advice=f"`{COMMAND} install {host.id}` puts it in.",
    )


def _broken(name: str, path: Path, error: Exception) -> Finding:
    return Finding(
        name=name,
        status="warn",
        text=f"{path} is not valid {FORMATS.get(path.suffix, 'JSON')} ({error})",
        advice=f"Correct it there: the client may not read it, and `{COMMAND} install` leaves it alone.",
    )


def _entry(name: str, path: Path, config: Any) -> Finding:
    for command in _commands(config):
        if shutil.which(command) is None:
            return Finding(
                name=name,
                status="warn",
                text=f"{path} names {command}, which is not there",
                advice=f'Set "command" to {_program()}.',
            )
        if not os.path.isabs(command):
            return Finding(
                name=name,
                status="warn",
                text=f"{path} names {command} without its folder; clients often do not know your PATH",
                advice=f'Set "command" to {_program()}.',
            )
    return Finding(name=name, status="ok", text=f"{path} names this gateway")


def _commands(node: Any) -> Iterator[str]:
    """The commands by which a configuration starts us, wherever they stand in it."""
    if isinstance(node, list):
        for item in node:
            yield from _commands(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in LISTS and isinstance(value, dict):
            for entry in value.values():
                command = entry.get("command") or entry.get("cmd") if isinstance(entry, dict) else None
                command = command[0] if isinstance(command, list) and command else command
                if isinstance(command, str) and COMMAND in Path(command).name:
                    yield command
        else:
            yield from _commands(value)


def _program() -> str:
    """How to start us, in full."""
    command, before = program()
    return " ".join((command, *before))

"""The MCP clients that we can install into: where each keeps its configuration, and what an entry looks like there."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Scope = Literal["user", "project"]


@dataclass(frozen=True, slots=True)
class Server:
    """How a client starts us."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One of them. `key` names the object that holds its servers; `traces` are what shows that it is used here."""

    id: str
    title: str
    key: str
    user: Path
    project: Path | None
    traces: tuple[Path, ...]
    entry: Callable[[Server], dict[str, Any]]
    after: str

    def file(self, scope: Scope) -> Path | None:
        """The file for a scope, None where it has none."""
        return self.user if scope == "user" else self.project

    @property
    def is_here(self) -> bool:
        """Whether it seems to be in use."""
        return any(trace.exists() for trace in (self.user, *self.traces))


def clients(
    home: Path, here: Path, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> tuple[Client, ...]:
    """All of them, for a person's home and the current folder."""
    applications = _applications(home, platform, environ)
    zed = applications / "Zed" if platform == "win32" else _config(home, environ) / "zed"
    code = applications / "Code" / "User"
    return (
        Client(
            id="claude-desktop",
            title="Claude Desktop",
            key="mcpServers",
            user=applications / "Claude" / "claude_desktop_config.json",
            project=None,
            traces=(applications / "Claude",),
            entry=_plain,
            after="Quit Claude Desktop fully (from its menu or tray icon, not only the window) and start it again.",
        ),
        Client(
            id="claude-code",
            title="Claude Code",
            key="mcpServers",
            user=home / ".claude.json",
            project=here / ".mcp.json",
            traces=(home / ".claude",),
            entry=_typed,
            after="Start a new Claude Code session; `/mcp` shows it.",
        ),
        Client(
            id="vscode",
            title="VS Code",
            key="servers",
            user=code / "mcp.json",
            project=here / ".vscode" / "mcp.json",
            traces=(code,),
            entry=_typed,
            after='Run "MCP: List Servers" from the command palette and start it there.',
        ),
        Client(
            id="cursor",
            title="Cursor",
            key="mcpServers",
            user=home / ".cursor" / "mcp.json",
            project=here / ".cursor" / "mcp.json",
            traces=(home / ".cursor",),
            entry=_plain,
            after="Open Settings, Tools & MCP, and turn it on if it is off.",
        ),
        Client(
            id="zed",
            title="Zed",
            key="context_servers",
            user=zed / "settings.json",
            project=here / ".zed" / "settings.json",
            traces=(zed,),
            entry=_zed,
            after="Zed starts it by itself; the agent panel's settings show a green dot beside it.",
        ),
    )


def _applications(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return _config(home, environ)


def _config(home: Path, environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _plain(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {"command": server.command, "args": [*server.args]}
    if server.env:
        entry["env"] = dict(server.env)
    return entry


def _typed(server: Server) -> dict[str, Any]:
    return {"type": "stdio", **_plain(server)}


def _zed(server: Server) -> dict[str, Any]:
    return {**_plain(server), "env": dict(server.env)}
